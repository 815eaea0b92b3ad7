"""Sound on a bad network: how long it waits, that this follows the network both ways, and what is heard of it."""

import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media.bad_line import impurity, quietest, room, silent_ms
from tests.media.bench import FakeCaller, level, silence, tone
from tests.media.netem import Network, constant, long_tailed, stalls, uniform

TONE = 8000 / np.sqrt(2)
"""Effective value of the tone that talkers say."""
BAND = 30
"""ms above its target within which the delay stays as it is: a frame, and what keeps it from going to and fro."""


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize(
    ("codec", "seconds", "purity"), [("PCMU", 300, 0.01), ("G722", 30, 0.03), ("L16", 30, 0.01), ("OPUS", 30, 0.1)]
)
def test_sixty_ms_of_jitter_leave_a_tone_without_gaps(codec: str, seconds: int, purity: float, in_order: bool) -> None:
    with room(Network(uniform(0, 60), in_order=in_order), codec=codec) as line:
        line.run(2000)
        start, long_before = len(line.listener.packets), line.count("concealed_long")
        line.run(1000 * (seconds - 2))
        heard = line.heard_since(start)
        assert line.count("concealed_long") == long_before
        assert quietest(heard, line.listener.rate) > 0.8 * TONE
        assert impurity(heard, 1000, line.listener.rate) < purity
        assert np.median(line.waits) <= 85
        assert line.record.late <= 0.001 * 50 * seconds


@pytest.mark.parametrize("pauses", [False, True])
def test_after_a_storm_the_delay_is_back_within_five_seconds(pauses: bool) -> None:
    with room(Network(constant(20)), lambda t: tone(300)(t) * (t % 3 < 1.5 if pauses else t >= 0)) as line:
        line.run(3000)
        network = line.network
        network.delay, network.loss, network.in_order = uniform(0, 300), 0.1, False
        line.run(30_000)
        assert line.wait > 200
        network.delay, network.loss = constant(20), 0
        line.run(5000)
        assert line.target <= 10
        assert line.wait <= line.target + BAND
        start, concealed = len(line.listener.packets), line.count("concealed")
        line.run(5000)
        assert max(line.waits[-250:]) <= 10 + BAND
        assert line.count("concealed") == concealed
        if not pauses:
            assert quietest(line.heard_since(start), 8000) > 0.8 * TONE


def test_sound_without_a_period_gives_delay_back_too() -> None:
    rng = np.random.default_rng(5)
    with room(Network(constant(20)), lambda t: rng.normal(0, 4000, len(t))) as line:
        line.run(3000)
        line.network.delay = uniform(0, 200)
        line.run(10_000)
        assert line.wait > 150
        line.network.delay = constant(20)
        line.run(15_000)
        assert line.wait <= line.target + BAND
        line.run(15_000)
        assert line.record["shift"] <= 0, "nor does it wait for less than a step"
        accelerated, stretched = line.count("accelerated"), line.count("stretched")
        line.run(5000)
        assert (line.count("accelerated"), line.count("stretched")) == (accelerated, stretched), "and stays there"


def test_delay_is_given_back_no_faster_than_a_period_in_twenty_ms() -> None:
    with room(Network(constant(20)), tone(300)) as line:
        line.run(1000)
        line.network.delay = uniform(0, 300)
        line.run(10_000)
        line.network.delay = constant(20)
        steps = []
        for _ in range(250):
            before = line.count("accelerated")
            line.run(20)
            steps.append(line.count("accelerated") - before)
        assert 0 < max(steps) <= 15


def _added_delay(phase_ms: int) -> float:
    """From a sample's arrival to its leaving, in ms; packets arrive 3 ms and `phase_ms` after a tick."""
    noise = np.random.default_rng(phase_ms).normal(0, 3000, 32_000)

    def say(t: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(noise[np.round(t * 8000).astype(int) % len(noise)])

    with room(Network(constant(3)), say, phase_ms=phase_ms) as line:
        line.run(3000, step=1)
        heard = line.listener.heard().astype(np.float64)[8000:20_000]
        said = say(np.arange(24_000) / 8000)
        alike = [float(np.dot(heard, said[8000 - lag : 20_000 - lag])) for lag in range(0, 1600)]
        return line.first_heard + int(np.argmax(alike)) / 8 - (line.first_sent + 3)


def test_on_a_clean_network_little_delay_is_added() -> None:
    delays = [_added_delay(phase) for phase in range(20)]
    assert min(delays) >= 5
    assert np.median(delays) <= 40
    assert np.quantile(delays, 0.99) <= 60


def test_bursts_of_loss_cost_no_more_than_what_was_lost() -> None:
    with room(Network(constant(20), burst_begins=0.02, burst_ends=0.25, seed=5), tone(500)) as line:
        line.run(60_000)
        lost = 20 * line.network.lost
        assert 2000 < lost < 8000
        assert lost * 0.9 <= line.count("concealed") <= lost * 1.05
        assert 0 < line.count("concealed_long") < line.count("concealed")
        assert silent_ms(line.heard_since(100), 8000) <= line.count("concealed_long")
        assert np.quantile(line.waits[100:], 0.9) <= 45
        assert line.wait <= 45


def test_packets_that_overtake_each_other_are_put_in_order() -> None:
    with room(Network(uniform(0, 45), in_order=False), tone(500)) as line:
        line.run(2000)
        start, late = len(line.listener.packets), int(line.record.late)
        line.run(28_000)
        assert line.record.late - late <= 0.01 * 1400
        assert quietest(line.heard_since(start), 8000) > 0.8 * TONE
        assert np.median(line.waits) <= 70


def test_repeated_packets_change_nothing() -> None:
    heard = []
    for repeated in (0.0, 0.5):
        with room(Network(constant(20), repeated=repeated), tone(500)) as line:
            line.run(5000)
            heard.append(line.listener.heard())
            assert line.record.duplicate == pytest.approx(repeated * 250, abs=30)
            assert line.record.received == 250 - 1
    assert (heard[0] == heard[1]).all()


def test_ten_packets_at_once_after_a_stall_are_all_heard() -> None:
    with room(Network(stalls(every=3000, lasts=200)), tone(500)) as line:
        line.run(30_000)
        assert line.record.late == 0
        assert max(line.waits) <= 300
        assert line.count("concealed") <= 10 * 205
        assert silent_ms(line.heard_since(100), 8000) <= 10 * 145


def test_rare_late_packets_do_not_make_all_others_wait() -> None:
    with room(Network(long_tailed(5), in_order=False), tone(500)) as line:
        line.run(60_000)
        assert np.median(line.waits) <= 60
        assert line.count("concealed") <= 0.04 * 60_000


def test_packet_times_may_change_at_any_time() -> None:
    with room(Network(constant(20)), tone(500)) as line:
        start = 100
        for ptime in (20, 10, 30, 60, 120, 40, 10, 20, 20):
            line.caller.ptime = ptime
            line.run(2400)
        heard = line.heard_since(start)
        assert silent_ms(heard, 8000) <= 40
        assert line.record.late == 0
        assert line.count("concealed") <= 400
        assert line.wait <= 60


@pytest.mark.parametrize("codec", ["PCMU", "G722"])
@pytest.mark.parametrize("places_collide", [False, True])
def test_a_new_ssrc_is_not_heard(codec: str, places_collide: bool) -> None:
    """What waits of the old stream is played; at worst one packet of it lies where the new one's first belongs."""
    with room(Network(uniform(0, 30)), codec=codec) as line:
        line.run(5000)
        start, waited, concealed = len(line.listener.packets), line.wait, line.count("concealed")
        for change in range(5):
            caller = line.caller
            caller.ssrc, caller.timestamp = 77 + change, 12345 * change
            caller.sequence = (caller.sequence + 64 * 77 - (1 if places_collide else 30)) & 0xFFFF
            line.run(2000)
        heard = line.heard_since(start)
        assert silent_ms(heard, line.listener.rate) == 0
        assert line.count("concealed") - concealed <= (5 * 20 if places_collide else 0)
        if not places_collide:
            assert quietest(heard, line.listener.rate) > 0.8 * TONE
        assert line.wait == pytest.approx(waited, abs=45)
        assert line.record.late == 0


def test_a_sender_that_counts_anew_loses_one_packet_only() -> None:
    with room(Network(constant(20))) as line:
        line.run(3000)
        start = len(line.listener.packets)
        line.caller.sequence = (line.caller.sequence + 20_000) & 0xFFFF
        line.run(3000)
        heard = line.heard_since(start)
        assert silent_ms(heard, 8000) == 0
        assert line.count("concealed") <= 40


def test_a_caller_who_moves_to_another_address_goes_on_at_once() -> None:
    with room(Network(constant(20))) as line:
        line.run(3000)
        start, moved = len(line.listener.packets), FakeCaller(silence)
        old, line.caller.socket, line.caller.port = line.caller.socket, moved.socket, moved.port
        line.bench.apply(line.bench.connect(0))
        line.run(3000)
        old.close()
        assert silent_ms(line.heard_since(start), 8000) == 0
        assert line.count("concealed") <= 40


def _comfort_noise(line_level: int) -> bytes:
    return bytes([line_level])


def test_comfort_noise_is_a_pause_and_no_loss() -> None:
    with room(Network(constant(20)), energy=0) as line:
        line.run(2000)
        caller = line.caller
        for _ in range(3):
            line.line.fall_silent(True)
            line.run(40)
            line.bench.send_to(0, caller.packet(_comfort_noise(40), 13))
            caller.sequence = (caller.sequence + 1) & 0xFFFF
            line.run(1000)
            noise = line.listener.heard(last_ms=500).astype(np.float64)
            assert 20 * np.log10(32768 / np.sqrt(np.mean(noise**2))) == pytest.approx(40, abs=2)
            assert not line.record.talking
            line.line.fall_silent(False)
            line.run(1000)
            assert level(line.listener.heard(last_ms=500), 1000) > 6000
        assert line.wait <= 45
        assert line.count("concealed") <= 100


def test_comfort_noise_does_not_pass_the_gate() -> None:
    with room(Network(constant(20))) as line:
        line.run(2000)
        line.line.fall_silent(True)
        line.run(40)
        line.bench.send_to(0, line.caller.packet(_comfort_noise(31), 13))
        line.run(1500)
        assert not line.record.talking
        assert level(line.listener.heard(last_ms=300), 1000) < 20
        assert np.abs(line.listener.heard(last_ms=300)).max() < 20


def test_pauses_without_packets_leave_no_delay() -> None:
    """A sender that is silent by sending nothing: DTX without a word of it."""
    with room(Network(uniform(0, 20)), codec="OPUS") as line:
        line.run(3000)
        for _ in range(10):
            line.line.fall_silent(True)
            line.run(700)
            line.line.fall_silent(False)
            line.run(1300)
        assert line.wait <= 65
        assert line.record.late == 0


def test_timestamps_and_sequence_numbers_wrap_under_jitter() -> None:
    with room(Network(uniform(0, 40), in_order=False)) as line:
        line.caller.sequence, line.caller.timestamp = 65500, (1 << 32) - 160 * 36
        line.run(2000)
        start = len(line.listener.packets)
        line.run(3000)
        assert line.caller.timestamp < 1 << 20
        assert quietest(line.heard_since(start), 8000) > 0.8 * TONE
        (_, _, sequence, _) = struct.unpack("!BBHI", line.caller.packet(b"")[:8])
        assert line.record.highest & 0xFFFF == pytest.approx(sequence - 2, abs=3)
