"""What is told of a route and verb: its words, its answers, and requests that can be tried."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Shape = dict[str, Any]
"""A JSON Schema."""

Place = tuple[str, str]
"""A path as the route has it, and a verb."""


@dataclass(frozen=True, slots=True)
class Example:
    """A request that works on a running server.

    `path` gives values for the gaps of the path: `$C` stands for what an earlier answer gave, as it does in texts of
    the body (`#P`: the same as a number). `keeps`: names for parts of the answer, by dotted path, for the requests
    behind it. `before`: shell lines that have to run first; `calls`: phones that have to be in
    the room first. `raw`: a file that is sent instead of a body.
    """

    title: str = ""
    body: Any = None
    path: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    keeps: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    raw: str | None = None
    bearer: str = "TOKEN"  # the name of the token that it sends
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One verb on one path. `reply` and `body` are the shapes of `data` in answer and request."""

    summary: str
    text: str = ""
    reply: Shape = field(default_factory=lambda: {"type": "object"})
    code: int = 200
    body: Shape | None = None
    whole_body: bool = False  # `body` is all of the request, not its `data`
    query: tuple[str, ...] = ()
    refusals: frozenset[int] = frozenset()
    extra: Shape = field(default_factory=dict)  # keys of the envelope beside `data`
    examples: tuple[Example, ...] = (Example(),)
    binary: bool = False  # the answer is a file
    plain: bool = False  # the answer is JSON without the envelope


@dataclass(frozen=True, slots=True)
class Section:
    """Operations that belong together, in an order in which their examples can be tried."""

    title: str
    text: str
    operations: Mapping[Place, Operation]
