"""Walking a callflow: nodes of `module`, `data` and `children`; `skip_module` (semantics 1.2)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Generic

import structlog

from mirliton.callflow.flow import Action, Branch, CallT, Document, Finished, GoOn, Instead, Outcome, Visit
from mirliton.conference.reading import flag, section, text

_log = structlog.get_logger(__name__)

MAX_STEPS = 100


class FlowWalker(Generic[CallT]):
    """Runs flows with a given set of actions, by module name."""

    def __init__(self, actions: Mapping[str, Action[CallT]], *, max_steps: int = MAX_STEPS) -> None:
        """`max_steps` bounds one call's walk, since flows can lead to each other in a circle."""
        self._actions = dict(actions)
        self._max_steps = max_steps

    async def run(self, document: Document, visit: Visit[CallT]) -> None:
        """Walk a callflow document to its end. A flow without a way on ends the call. Raises `HungUp`."""
        outer: list[Document] = []
        node = section(document, "flow")
        for _ in range(self._max_steps):
            outcome = await self._step(node, visit)
            if isinstance(outcome, Finished):
                return
            if isinstance(outcome, Instead):
                outer.clear()
                node, visit = outcome.flow, replace(visit, captures=outcome.captures)
                continue
            if isinstance(outcome, Branch):
                outer.append(node)
                node = outcome.flow
                continue
            following = _following(node)
            while following is None and outer:
                following = _following(outer.pop())
            if following is None:
                break
            node = following
        else:
            _log.warning("callflow ended: too many steps", call_id=visit.call.info.call_id, steps=self._max_steps)
        await visit.call.hang_up()

    async def _step(self, node: Document, visit: Visit[CallT]) -> Outcome:
        """Run a node's action. A skipped or unknown one goes on at the wildcard child."""
        data = section(node, "data")
        if flag(data, "skip_module"):
            return GoOn()
        module = text(node, "module") or ""
        action = self._actions.get(module)
        if action is None:
            _log.warning("callflow module is unknown and skipped", module=module, call_id=visit.call.info.call_id)
            return GoOn()
        return await action(data, visit)


def _following(node: Document) -> Document | None:
    found = section(node, "children").get("_")
    return found if isinstance(found, Mapping) and found else None
