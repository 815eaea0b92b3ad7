"""Callflows: where a call goes after its number was found."""

from collections.abc import Mapping

from mirliton.callflow.basic import CallflowAction, Callflows, hangup, play, response, sleep
from mirliton.callflow.conference import Attendance, ConferenceAction, ConferenceFeatureAction
from mirliton.callflow.flow import Action, CallT
from mirliton.conference.entry import Documents


def standard_actions(
    documents: Documents, callflows: Callflows, rooms: Attendance[CallT]
) -> Mapping[str, Action[CallT]]:
    """Every action that a flow can use, by module name."""
    return {
        "conference": ConferenceAction(documents, rooms),
        "conference_feature": ConferenceFeatureAction(documents, rooms),
        "callflow": CallflowAction(callflows),
        "response": response,
        "play": play,
        "sleep": sleep,
        "hangup": hangup,
    }
