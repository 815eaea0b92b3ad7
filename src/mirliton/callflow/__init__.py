"""Callflows: where a call goes after its number was found."""

from collections.abc import Mapping

from mirliton.callflow.basic import CallflowAction, Callflows, hangup, play, response, sleep
from mirliton.callflow.conference import Attendance, ConferenceAction, ConferenceFeatureAction, Ways
from mirliton.callflow.flow import Action, CallT, Visit
from mirliton.callflow.walker import FlowWalker
from mirliton.calls.call import Call
from mirliton.calls.inbound import FlowRunner
from mirliton.calls.ports import CallData, Route
from mirliton.calls.rooms import Rooms
from mirliton.conference.entry import Documents
from mirliton.conference.ports import Names


def standard_actions(
    documents: Documents, callflows: Callflows, rooms: Attendance[CallT], names: Names, ways: Ways
) -> Mapping[str, Action[CallT]]:
    """Every action that a flow can use, by module name."""
    return {
        "conference": ConferenceAction(documents, rooms, names, ways),
        "conference_feature": ConferenceFeatureAction(documents, rooms, names, ways),
        "callflow": CallflowAction(callflows),
        "response": response,
        "play": play,
        "sleep": sleep,
        "hangup": hangup,
    }


def flow_runner(data: CallData, rooms: Rooms, names: Names) -> FlowRunner:
    """What `calls.inbound.InboundCalls` runs for each call."""
    walker = FlowWalker[Call](standard_actions(data, data, rooms, names, data))

    async def run(call: Call, route: Route, language: str) -> None:
        await walker.run(route.callflow, Visit(call, route.captures, language))

    return run
