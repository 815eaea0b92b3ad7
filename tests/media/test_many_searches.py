"""Many talkers whose delay has to change at once: no step searches more than it may, and all get there."""

import numpy as np

from mirliton.media.playout import _MOST_SEARCHES
from tests.media.bench import EngineBench, FakeCaller

_TALKERS = 40


def test_many_who_search_at_once_take_turns(bench: EngineBench) -> None:
    """All are delayed by 100 ms for a second, and give it back."""
    rng = np.random.default_rng(4)
    for _ in range(_TALKERS):
        bench.add(FakeCaller(lambda t: rng.normal(0, 4000, len(t))))
    bench.join_all(bench.open_mix(rate=8000))
    bench.run(1000)
    step = int(bench.tables.legs[0].grid)
    held = [caller.next_packet() for caller in bench.callers for _ in range(5)]
    most = _run(bench, 100, sending=False)
    for at, packet in enumerate(held):
        bench.send_to(at // 5, packet)
    most = max(most, _run(bench, 8000, sending=True))
    assert most == _MOST_SEARCHES
    records = bench.tables.legs[:_TALKERS]
    assert records.accelerated.min() > 0
    assert records["shift"].max() < step  # what is left helps no packet, and has time


def _run(bench: EngineBench, ms: int, *, sending: bool) -> int:
    """Returns the most searches of a step."""
    for caller in bench.callers:
        caller.sending = sending
    most = 0
    for _ in range(ms // 5):
        bench.run(5)
        most = max(most, int(bench.tables.scratch[0].searches))
    return most
