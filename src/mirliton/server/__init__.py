"""The composition root: the only place that wires the layers together."""

from mirliton.server.running import Server, serve

__all__ = ["Server", "serve"]
