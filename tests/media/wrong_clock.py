"""A sender whose clock goes wrong: what must hold however long the call is."""

import numpy as np
import pytest

from tests.media.bad_line import impurity, quietest, room
from tests.media.netem import Network, constant

_TONE = 8000 / np.sqrt(2)


def assert_follows(ppm: float, seconds: int) -> None:
    with room(Network(constant(20)), ppm=ppm, alike=True) as line:
        line.run(5000)
        line.run(1000 * (seconds - 5))
        record = line.record
        assert (record.late, line.count("concealed"), record.highest - record.lowest + 1 - record.received) == (0, 0, 0)
        assert max(line.waits) <= 45
        drifted = line.count("accelerated") - line.count("stretched")
        assert drifted == pytest.approx(ppm / 1000 * seconds, abs=45)
        heard = line.heard_since(100)
        assert quietest(heard, 8000) > 0.8 * _TONE
        assert impurity(heard, 1000, 8000) < 0.01 + abs(ppm) * 2e-6 * 10
