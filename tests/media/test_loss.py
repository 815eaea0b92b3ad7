"""Lost packets of Opus: what FEC brings back is heard; it is worth more than a guess, and that more than nothing."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media.bad_line import room
from tests.media.loss_scores import RATE, scores, speech
from tests.media.netem import Network, constant

_SPEECH = speech()


def _say(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(_SPEECH[np.round(t * RATE).astype(int) % len(_SPEECH)])


def _losses(fec: bool) -> tuple[float, int, float]:
    """How much was concealed (ms), packets brought back, and the median wait (ms) in ten seconds."""
    opus = {"bits_per_second": 24_000, "fec": fec, "loss": 10 if fec else 0}
    with room(Network(constant(20), loss=0.1, seed=2), _say, codec="OPUS", opus=opus) as line:
        line.run(4000)
        concealed, recovered = line.count("concealed"), int(line.record.recovered)
        line.waits.clear()
        line.run(10_000)
        waited = float(np.median(line.waits))
        return line.count("concealed") - concealed, int(line.record.recovered) - recovered, waited


def test_where_losses_are_frequent_packets_wait_for_the_fec_behind_them() -> None:
    concealed, recovered, waited = _losses(fec=True)
    concealed_without, none, waited_without = _losses(fec=False)
    assert recovered >= 20
    assert none == 0
    assert concealed < 0.6 * concealed_without
    assert 15 <= waited - waited_without <= 35, "one packet longer"


def test_what_is_brought_back_just_in_time_for_a_tick_is_heard() -> None:
    """No sample waits from before, so the frame is made of FEC alone."""
    network = Network(constant(15))
    opus = {"bits_per_second": 24_000, "fec": True, "loss": 20}
    listener = {"codec": "L16", "rate": RATE, "ptime": 10}
    with room(network, _say, codec="OPUS", opus=opus, listener=listener) as line:
        line.run(2000)
        network.delay = constant(55)  # late packets make all that follow wait for more than one packet
        line.run(60)
        network.delay = constant(15)
        line.run(100)
        network.drop = {len(network.sent) + n for n in range(5, 100, 25)}
        line.run(2000)
        assert line.record.ready == 0
        assert line.record.recovered >= 2
        heard = line.listener.heard(last_ms=2000)
        assert (np.abs(heard).reshape(-1, RATE // 100).max(axis=1) > 0).all(), "no 10 ms are digital silence"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_fec_is_understood_better_than_guesses_and_these_better_than_nothing() -> None:
    outcome = scores(0.1, range(1, 2))
    assert outcome["FEC"].intelligibility > outcome["PLC"].intelligibility + 0.03
    assert outcome["PLC"].intelligibility > outcome["nothing"].intelligibility + 0.02
    assert outcome["FEC"].snr > outcome["PLC"].snr + 3
