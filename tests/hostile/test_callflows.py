"""Callflows and conferences that are meant to harm, called: the call ends or meets a room, and the log has no fault."""

import itertools
from typing import Any

import httpx
import pytest

from .attacker import Attacker, sdp

Flow = dict[str, Any]
NINES = "9" * 400
HANG_UP: Flow = {"module": "hangup", "data": {}, "children": {}}
_numbers = itertools.count(77_000)


def stored(rest: httpx.Client, flow: Flow, **more: Any) -> tuple[str, str]:
    """Store a callflow; its number and its id."""
    number = str(next(_numbers))
    answer = rest.put("/callflows", json={"data": {"numbers": [number], "flow": flow, **more}})
    assert answer.status_code == 201, answer.text
    return number, answer.json()["data"]["id"]


def test_a_flow_that_leads_to_itself_ends(attacker: Attacker, rest: httpx.Client) -> None:
    number, made = stored(rest, HANG_UP)
    loop = {
        "module": "sleep",
        "data": {"duration": 0},
        "children": {"_": {"module": "callflow", "data": {"id": made}, "children": {}}},
    }
    rest.post(f"/callflows/{made}", json={"data": {"numbers": [number], "flow": loop}})
    assert attacker.code(attacker.request("INVITE", number, body=sdp())) == 480


@pytest.mark.parametrize("duration", [-1, NINES, "x", None, {}, 1.5, True], ids=lambda value: str(value)[:8])
def test_sleeps_of_no_length_are_over_at_once(attacker: Attacker, rest: httpx.Client, duration: Any) -> None:
    number, _ = stored(rest, {"module": "sleep", "data": {"duration": duration, "unit": "ms"}, "children": {}})
    assert attacker.code(attacker.request("INVITE", number, body=sdp())) == 480


@pytest.mark.parametrize("code", [-1, 0, 200, 700, 10**18, "x", None, 1.5])
def test_responses_that_are_none_are_busy(attacker: Attacker, rest: httpx.Client, code: Any) -> None:
    data = {"code": code, "message": "a\r\nX-Evil: y\u2028\u0085" + "z" * 5000, "media": "/etc/passwd"}
    number, _ = stored(rest, {"module": "response", "data": data, "children": {}})
    answer = attacker.ask(attacker.request("INVITE", number, body=sdp()))
    assert answer.startswith("SIP/2.0 486 ")
    assert "\nX-Evil" not in answer
    assert len(answer) < 2000


@pytest.mark.parametrize("module", ["../../os", "__class__", "\0"], ids=ascii)
def test_actions_that_are_none_are_skipped(attacker: Attacker, rest: httpx.Client, module: str) -> None:
    number, _ = stored(rest, {"module": module, "data": {}, "children": {"_": HANG_UP}})
    assert attacker.code(attacker.request("INVITE", number, body=sdp())) == 480


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"^(\d+)*$", r"(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)[x]", "(|a)*"])
def test_patterns_take_no_time(attacker: Attacker, rest: httpx.Client, pattern: str) -> None:
    data = {"numbers": [], "patterns": [pattern], "flow": HANG_UP}
    made = rest.put("/callflows", json={"data": data}).json()["data"]["id"]
    try:
        assert attacker.code(attacker.request("INVITE", "1" * 127 + "!", body=sdp())) == 404
    finally:
        rest.delete(f"/callflows/{made}")


SOUNDS = [
    "/etc/passwd", f"tone_stream://%({NINES},0,440)", f"tone_stream://L={NINES};1",
    f"{{loops={NINES}}}silence_stream://1", f"file_string://{{loops={NINES}}}silence_stream://1!silence_stream://1",
    "conf\0alone", "http://127.0.0.1:1/",
]  # fmt: skip


def test_sounds_that_are_none_are_left_out(attacker: Attacker, rest: httpx.Client) -> None:
    """In a room, each commanded and each in a profile; what cannot be played is the commander's error, not a fault."""
    profile = {"enter-sound": SOUNDS[1], "alone-sound": SOUNDS[3], "moh-sound": SOUNDS[4], "exit-sound": SOUNDS[0]}
    welcome = {"play": True, "media_id": SOUNDS[2]}
    document = {"name": "bad sounds", "profile": profile, "welcome_prompt": welcome}
    made = rest.put("/conferences", json={"data": document}).json()["data"]["id"]
    data = {"id": made, "welcome_prompt": welcome}
    number, _ = stored(rest, {"module": "conference", "data": data, "children": {}})
    dialog = attacker.call(number)
    for sound in SOUNDS:
        answer = rest.put(f"/conferences/{made}", json={"action": "play", "data": {"media_id": sound}})
        assert answer.status_code in (202, 404), (sound[:40], answer.text)
    assert attacker.hang_up(dialog) == 200


ROOMS: list[dict[str, Any]] = [
    {"profile": {"rate": -1}}, {"profile": {"rate": 10**18}}, {"profile": {"max-members": 1e308}},
    {"profile": {"energy-level": 0, "comfort-noise": 10**18}}, {"profile": {"announce-count": -1, "x": NINES}},
    {"profile_name": "../../x", "language": "../../x"}, {"name": "a\0b"}, {"pins": [1, None, {}]},
    {"caller_controls": "../x", "moderator_controls": "\0", "id": "\0" * 32},
]  # fmt: skip


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: ascii(room)[:40])
def test_absurd_rooms_are_refused_or_opened(attacker: Attacker, rest: httpx.Client, room: dict[str, Any]) -> None:
    config = {"name": f"absurd {next(_numbers)}", **room}
    data = {"config": config, "welcome_prompt": {"play": False}}
    number = str(next(_numbers))
    document = {"numbers": [number], "flow": {"module": "conference", "data": data, "children": {}}}
    answer = rest.put("/callflows", json={"data": document})
    if answer.status_code == 400:
        return
    dialog = attacker.call(number)
    for sequence, digit in enumerate("12#*0#", 2):
        body = f"Signal={digit}\r\nDuration=100\r\n".encode()
        how = {"body": body, "sequence": sequence, "content_type": "application/dtmf-relay"}
        assert attacker.code(attacker.request("INFO", dialog=dialog, **how)) == 200  # type: ignore[arg-type]
    assert attacker.hang_up(dialog) == 200
