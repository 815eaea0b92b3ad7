"""Which crowds are measured: how many callers, in rooms of which size, with how many talkers, in which codec."""

from collections.abc import Sequence

from mirliton.benchmark.result import Scenario
from mirliton.benchmark.voices import CODINGS

TALKERS = 3
LISTENERS = "listeners"
SHAPES = ("rooms-of-10", "rooms-of-3", "rooms-of-100", LISTENERS)
"""The last: one room in which 3 talk and 1000 listen."""
CODECS = tuple(CODINGS)
_LISTENERS = 1000
_ROOM = {"rooms-of-3": 3, "rooms-of-10": 10, "rooms-of-100": 100, LISTENERS: _LISTENERS + TALKERS}
_CALLERS = {"pcmu": 300, "opus": 30}
"""As many as every bridge on the list can carry on one core, so that their costs are compared at the same load."""


def crowd(shape: str, codec: str, *, callers: int | None = None, talkers: int = TALKERS) -> Scenario:
    """One of `SHAPES` with one of `CODECS`. `callers`: other than usual."""
    room = _ROOM[shape]
    if callers is None:
        callers = max(room, _CALLERS[codec] // room * room)
    return Scenario(shape, codec, callers, room, talkers)


def crowds(
    shapes: Sequence[str],
    codecs: Sequence[str],
    *,
    callers: int | None = None,
    room: int | None = None,
    talkers: int = TALKERS,
) -> list[Scenario]:
    """Every shape in every codec. `room`: rooms of that size instead of `shapes`."""
    if room is not None:
        return [
            Scenario(f"rooms-of-{room}", codec, callers or max(room, _CALLERS[codec]), room, talkers)
            for codec in codecs
        ]
    return [crowd(shape, codec, callers=callers, talkers=talkers) for codec in codecs for shape in shapes]


def hearing_expected(scenario: Scenario) -> int:
    """How many callers shall hear somebody: all who share a room with a talker other than themselves."""
    expected = 0
    for first in range(0, scenario.callers, scenario.room):
        people = min(scenario.room, scenario.callers - first)
        talkers = min(scenario.talkers, people)
        expected += 0 if talkers == 0 else people - 1 if talkers == 1 else people
    return expected


def probe_pairs(scenario: Scenario, most: int = 8) -> list[tuple[int, int]]:
    """(talker, listener) of some rooms, spread over all: the delay between them is measured."""
    rooms = [first for first in range(0, scenario.callers, scenario.room) if first + 1 < scenario.callers]
    if scenario.talkers < 1 or scenario.room < 2 or not rooms:
        return []
    chosen = [rooms[k * len(rooms) // min(most, len(rooms))] for k in range(min(most, len(rooms)))]
    if len(chosen) == 1:
        people = min(scenario.room, scenario.callers - chosen[0])
        step = max(1, (people - 1) // most)
        return [(chosen[0], chosen[0] + k) for k in range(1, people, step)][:most]
    return [(first, min(first + scenario.room, scenario.callers) - 1) for first in chosen]
