"""Passwords on the wire: what was recorded cannot be sent again, and a flood of guesses finds nothing."""

import re

import httpx

from mirliton.sip.digest import answer_challenges
from mirliton.sip.types import BRIDGE_HEADER
from tests.calls.serving import Server

from .attacker import Attacker, sdp

GUESSES = 300
SECRET = "a password that nobody guesses"
HOST = "127.0.0.1"


def contact(attacker: Attacker, user: str) -> str:
    """Where calls for a device would go."""
    return f"Contact: <sip:{user}@127.0.0.1:{attacker.port}>;expires=120"


def answered(answer: str, method: str, uri: str, user: str, password: str) -> str:
    """An Authorization header for the challenges in an answer."""
    value = answer_challenges(re.findall(r"WWW-Authenticate: (.*)\r\n", answer), method, uri, user, password)
    assert value is not None
    return f"Authorization: {value}"


def test_a_recorded_registration_cannot_be_sent_again(server: Server, rest: httpx.Client, attacker: Attacker) -> None:
    device = {"name": "desk", "sip": {"username": "replayed", "password": SECRET}}
    assert rest.put("/devices", json={"data": device}).status_code == 201

    def register(*headers: str, call_id: str) -> str:
        return attacker.ask(attacker.request("REGISTER", "replayed", headers=headers, call_id=call_id))

    challenge = register(call_id="first")
    assert challenge.startswith("SIP/2.0 401")
    recorded = answered(challenge, "REGISTER", f"sip:replayed@{HOST}", "replayed", SECRET)
    assert register(recorded, call_id="good").startswith("SIP/2.0 200")
    before = server.metrics()["mirliton_sip_registrations"]
    for number in range(20):
        again = register(recorded, contact(attacker, f"thief{number}"), call_id=f"replay-{number}")
        assert again.startswith("SIP/2.0 401")
        assert "stale=true" in again
    raised = recorded.replace("nc=00000001", "nc=00000002")
    assert register(raised, contact(attacker, "thief"), call_id="raised").startswith("SIP/2.0 401")
    call = attacker.request("INVITE", "replayed", body=sdp(), headers=(recorded,), call_id="another-method")
    assert attacker.code(call) == 401
    assert server.metrics()["mirliton_sip_registrations"] == before


def test_guessing_the_password_of_a_bridge_opens_nothing(
    server: Server, rest: httpx.Client, attacker: Attacker
) -> None:
    document = {"name": "linked", "bridge_username": "guessed", "bridge_password": SECRET}
    room = rest.put("/conferences", json={"data": document}).json()["data"]["id"]

    def invite(*headers: str) -> bytes:
        return attacker.request("INVITE", room, body=sdp(), headers=(f"{BRIDGE_HEADER}: true", *headers))

    challenge = attacker.ask(invite())
    for number in range(GUESSES):
        attacker.send(invite(answered(challenge, "INVITE", f"sip:{room}@{HOST}", "guessed", f"password{number}")))
    assert attacker.code(invite(answered(challenge, "INVITE", f"sip:{room}@{HOST}", "guessed", "wrong"))) in (401, 503)
    assert server.metrics()["mirliton_conference_rooms"] == 1  # that of the innocent callers
    assert rest.get(f"/conferences/{room}/participants").json()["data"] == []
    while (fresh := attacker.ask(invite())).startswith("SIP/2.0 503"):  # the flood has used up this second's calls
        continue
    right = answered(fresh, "INVITE", f"sip:{room}@{HOST}", "guessed", SECRET)
    attacker.hang_up(attacker.call(room, headers=(f"{BRIDGE_HEADER}: true", right)))
