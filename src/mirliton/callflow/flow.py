"""What a walk through a callflow is made of: the visitor, the outcomes of an action, and the actions' shape."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from mirliton.conference.ports import Caller

Document = Mapping[str, Any]


class FlowCall(Caller, Protocol):
    """A call that a flow has control of."""

    def refuse(self, code: int, reason: str | None = None) -> None:
        """A final SIP answer to a call that was not answered; harmless afterwards."""

    async def pause(self, seconds: float) -> None:
        """Let time pass. Raises `HungUp`."""


CallT = TypeVar("CallT", bound=FlowCall)


@dataclass(frozen=True, slots=True)
class Visit(Generic[CallT]):
    """One call on its way through a flow. `captures`: what the pattern of the callflow captured, if one led here."""

    call: CallT
    captures: tuple[str, ...] = ()
    language: str = "en-us"


@dataclass(frozen=True, slots=True)
class GoOn:
    """The action is done; the flow goes on at the wildcard child."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Walk another flow; when it has no way on, this one goes on."""

    flow: Document


@dataclass(frozen=True, slots=True)
class Instead:
    """Another flow takes this one's place for good: the call was transferred. `captures` as in `Visit`."""

    flow: Document
    captures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """The action has seen to the end of the call: nothing more is done."""


Outcome = GoOn | Branch | Instead | Finished
Action = Callable[[Document, Visit[CallT]], Awaitable[Outcome]]
"""Called with the node's `data`."""
