"""What a room tells is what docs/reference/events.md says, field by field."""

import json
import re
from pathlib import Path
from typing import Any

from mirliton.api.events.messages import Message
from mirliton.conference.effects import Effect, Publish
from tests.conference.driving import MODERATOR, Driver

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "events.md"


def _section(title: str) -> list[list[str]]:
    """The rows of the table under a heading, cell by cell, without the heading's own."""
    text = PAGE.read_text(encoding="utf-8").partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def _names(title: str) -> set[str]:
    return {row[0].strip("`") for row in _section(title)}


EVENTS = {
    row[0].strip("`"): set(re.findall(r"`(\w+)`: ", row[2]))
    for title in ("What is told", "What is told when asked for")
    for row in _section(title)
}
ALWAYS = _names("Fields of every event")
OF_PARTICIPANTS = _names("Fields of events of a participant")


def _told() -> list[dict[str, Any]]:
    """Events of a room in which much happens."""
    driver = Driver(
        moderator_controls="keys",
        controls=[{"digits": "1", "action": "event", "data": "x"}, {"digits": "2", "action": "floor"}],
    )
    room, effects = driver.room, list[Effect]()
    first, second = driver.join(MODERATOR), driver.join()
    room.set_muted(second, True, driver.now)
    room.set_muted(second, False, driver.now)
    room.set_deaf(second, True, driver.now)
    room.sound_from(first, True, driver.now)
    room.sound_from(first, False, driver.now + 2)
    room.set_locked(True, driver.now)
    room.play("sound", driver.now)
    room.play_to(second, "sound", driver.now)
    room.set_held(second, True, driver.now)
    effects += driver.press(first, "12")
    effects += driver.leave(second)
    room.remove(first, driver.now)
    effects += driver.take()
    return [dict(effect.event) for effect in effects if isinstance(effect, Publish)]


def test_every_field_of_an_event_is_in_the_reference() -> None:
    told = _told()
    assert len({event["event"] for event in told}) > 12
    for event in told:
        known = ALWAYS | EVENTS[event["event"]] | (OF_PARTICIPANTS if "participant_id" in event else set())
        assert set(event) <= known, event["event"]
        assert EVENTS[event["event"]] <= set(event), event["event"]


def test_every_event_that_goes_out_has_the_fields_of_all() -> None:
    for number, event in enumerate(_told()):
        assert set(json.loads(Message(event, number, "node").data)) >= ALWAYS
