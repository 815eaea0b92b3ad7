"""Calls that a room lets go on to another number of their account (the control `transfer`, semantics 1.8, 4.1)."""

import structlog

from mirliton.calls.call import Call
from mirliton.calls.inbound import FlowRunner
from mirliton.calls.ports import CallData
from mirliton.conference.defaults import LANGUAGE

_log = structlog.get_logger(__name__)


class Transfers:
    """Leads calls that have no callflow to come back from: dialled ones, and those that came by a link."""

    def __init__(self, data: CallData, run_flow: FlowRunner) -> None:
        self._data = data
        self._run_flow = run_flow

    async def __call__(self, call: Call, number: str) -> None:
        """Walk the number's callflow to its end; a number that leads nowhere is logged. Raises `HungUp`."""
        account_id = call.info.account_id
        route = await self._data.callflow_for(account_id, number)
        if route is None:
            _log.warning("transfer to a number that leads nowhere", number=number, call_id=call.info.call_id)
            return
        configuration = await self._data.conference_configuration(account_id)
        await self._run_flow(call, route, configuration.account_language or LANGUAGE)
