"""Seats in a bridge that is called by SIP: SIPp places the calls, the load generator is their media."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mirliton.benchmark.load import STRIDE, voices
from mirliton.benchmark.peer import Bench, Crowd, Seated
from mirliton.benchmark.ports import free_range
from mirliton.benchmark.sipp import Placed, calls

_SLOW_SECONDS = 6.0
_SLOW_SHARE = 0.5
"""A server that is slower than the callers gets half as much time again, and this much, to let them all in."""
_POLL_SECONDS = 0.25
_UNTIL_STOPPED = 3600.0


@contextmanager
def seat_by_sip(
    bench: Bench,
    target: str,
    ports: Callable[[], Sequence[int]],
    members: Callable[[], int] | None,
    crowd: Crowd,
    folder: Path,
    leaving: ExitStack,
) -> Iterator[Seated]:
    """Place the calls at `target` (HOST:PORT) and wait until all are there. `ports`: the bridge's for RTP,
    asked when they are, as some bridges open them call by call.

    `leaving`: closed when the bridge has ended; SIPp stays until then, for a bridge hangs up all calls at its end and
    waits for answers. `members`: how many the bridge says are in its rooms; None: it does not tell, and answered calls
    count. Who does not come in time is missing in the result. Raises `ProgramFailed`, `NoPorts`.
    """
    taken = free_range(crowd.callers, STRIDE)
    numbers = [f"R{call // crowd.scenario.room}" for call in range(crowd.callers)]
    joining = (1 + _SLOW_SHARE) * crowd.callers / crowd.rate + _SLOW_SECONDS
    # SIPp ends a call some time after it was answered, not when it is told to: the first must stay for the last.
    hold = _UNTIL_STOPPED if crowd.hold is None else joining + crowd.hold
    own, said = bench.cores[1], bench.said[crowd.scenario.codec]
    with voices(bench.rtpload, said, crowd.scenario, taken, crowd.probed, own, folder) as load:
        placed = leaving.enter_context(
            calls(bench.sipp, target, crowd.scenario.codec, numbers, taken, crowd.rate, hold, own, folder)
        )
        there = _until_there(bench, crowd.callers, joining, members or (lambda: placed.answered), placed)
        yield Seated(load, ports(), there, placed)
        if crowd.hold is not None:
            with bench.screen.stage("hanging up"):
                placed.wait_for_end()
    if crowd.hold is not None and members is not None:
        _until_there(bench, 0, _SLOW_SECONDS, members, placed)


def _until_there(bench: Bench, wanted: int, seconds: float, members: Callable[[], int], placed: Placed) -> int:
    deadline = time.monotonic() + seconds
    what = f"placing {wanted} calls" if wanted else "emptying the rooms"
    with bench.screen.stage(what, wanted or None) as bar:
        while (there := members()) != wanted and time.monotonic() < deadline:
            if wanted and placed.ended:
                bench.screen.say(f"SIPp gave up: {placed.complaint()}")
                break
            bar.at(there)
            time.sleep(_POLL_SECONDS)
    return there
