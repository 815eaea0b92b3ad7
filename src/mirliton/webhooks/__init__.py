"""Events by HTTP to the servers of an account."""

from mirliton.webhooks.serving import Webhooks

__all__ = ["Webhooks"]
