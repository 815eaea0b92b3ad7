"""Volume levels -4..+4 of what a member says and hears: the factors of semantics 3.3, measured."""

import pytest

from mirliton.media.handles import GAINS
from tests.media.bench import EngineBench, FakeCaller, level, silence, tone

FACTORS = {-4: 0.2, -3: 0.4, -2: 0.6, -1: 0.8, 0: 1.0, 1: 1.3, 2: 2.3, 3: 3.3, 4: 4.3}


@pytest.mark.parametrize("step", range(-4, 5))
@pytest.mark.parametrize("direction", ["input_gain", "output_gain"])
def test_each_level_has_its_factor(bench: EngineBench, step: int, direction: str) -> None:
    assert GAINS == FACTORS
    bench.add(FakeCaller(tone(500, 5000), "L16", rate=8000))
    for _ in range(2):
        bench.add(FakeCaller(silence, "L16", rate=8000))
    bench.join_all(bench.open_mix(rate=8000))
    bench.set(0 if direction == "input_gain" else 1, **{direction: GAINS[step]})
    bench.run(1000)
    heard = [level(bench.callers[leg].heard(last_ms=500), 500) for leg in (1, 2)]
    assert heard[0] == pytest.approx(5000 * FACTORS[step], rel=0.002)
    assert heard[1] == pytest.approx(5000 * (FACTORS[step] if direction == "input_gain" else 1), rel=0.002)


def test_loud_and_quiet_listeners_do_not_change_what_others_hear(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(500, 5000)))
    for _ in range(3):
        bench.add(FakeCaller(silence))
    bench.join_all(bench.open_mix())
    bench.set(1, output_gain=4.3)
    bench.set(2, output_gain=0.2)
    bench.run(1000)
    heard = [level(bench.callers[leg].heard(last_ms=500), 500) for leg in (1, 2, 3)]
    assert heard == pytest.approx([21500, 1000, 5000], rel=0.03)
