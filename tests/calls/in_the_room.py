"""Scenarios of several modules that run together, because a module alone waits for its slowest one."""

from .together import Together

together = Together()
