"""Prompts and music: queues without gaps, loops, barge-in, and what is reported."""

import numpy as np

from mirliton.media import messages as m
from tests.media.bench import EngineBench, FakeCaller, level, silence


def clip(bench: EngineBench, hertz: float, seconds: float) -> m.Parts:
    at_8k, at_16k = (
        (6000 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.int16)
        for rate in (8000, 16000)
    )
    return bench.clip(at_8k, at_16k)


def done(bench: EngineBench) -> list[tuple[int, bool]]:
    return [(e.play_id, e.finished) for e in bench.events if isinstance(e, m.SoundDone)]


def test_queued_prompts_follow_each_other_without_a_gap(bench: EngineBench) -> None:
    bench.add(FakeCaller(silence))
    for n, hertz in enumerate((500, 500, 500)):
        bench.apply(m.Play(0, -1, n + 1, clip(bench, hertz, 0.5), 1, 1.0))
    bench.run(2000)
    heard = bench.callers[0].heard()
    sounding = np.flatnonzero(np.abs(heard.astype(int)) > 1000)
    assert 11_900 < sounding[-1] - sounding[0] < 12_000
    assert np.diff(sounding).max() < 16
    assert done(bench) == [(1, True), (2, True), (3, True)]


def test_barge_in_stops_everything_and_says_so(bench: EngineBench) -> None:
    bench.add(FakeCaller(silence))
    for n in (1, 2):
        bench.apply(m.Play(0, -1, n, clip(bench, 500, 2.0), 1, 1.0))
    bench.run(500)
    bench.apply(m.StopSounds(0, -1))
    bench.run(500)
    assert done(bench) == [(1, False), (2, False)]
    assert np.abs(bench.callers[0].heard(last_ms=400)).max() == 0


def test_a_sound_repeats_as_often_as_asked(bench: EngineBench) -> None:
    bench.add(FakeCaller(silence))
    bench.apply(m.Play(0, -1, 1, clip(bench, 500, 0.2), 4, 1.0))
    bench.run(1500)
    sounding = np.flatnonzero(np.abs(bench.callers[0].heard().astype(int)) > 1000)
    assert 6300 < sounding[-1] - sounding[0] < 6400
    assert done(bench) == [(1, True)]


def test_a_room_sound_is_heard_by_all_and_a_members_sound_by_one(bench: EngineBench) -> None:
    for codec in ("PCMU", "G722", "PCMA"):
        bench.add(FakeCaller(silence, codec))
    mix = bench.open_mix()
    bench.join_all(mix)
    bench.run(200)
    bench.apply(m.Play(-1, mix, 1, clip(bench, 800, 1.5), 1, 1.0))
    bench.apply(m.Play(1, -1, 2, clip(bench, 1300, 1.5), 1, 1.0))
    bench.run(1000)
    for n, caller in enumerate(bench.callers):
        heard = caller.heard(last_ms=600)
        assert level(heard, 800, caller.rate) > 5000
        assert (level(heard, 1300, caller.rate) > 5000) == (n == 1)


def test_hold_music_loops_beside_the_queue_until_it_is_stopped(bench: EngineBench) -> None:
    bench.add(FakeCaller(silence))
    mix = bench.open_mix()
    bench.join_all(mix)
    bench.apply(m.Loop(mix, clip(bench, 600, 0.3), 1.0))
    bench.apply(m.Play(-1, mix, 1, clip(bench, 1700, 1.0), 1, 1.0))
    bench.run(900)
    heard = bench.callers[0].heard(last_ms=500)
    assert level(heard, 600) > 5000
    assert level(heard, 1700) > 5000
    bench.run(1500)
    assert level(bench.callers[0].heard(last_ms=500), 600) > 5000
    bench.apply(m.Loop(mix, None, 1.0))
    bench.run(600)
    assert np.abs(bench.callers[0].heard(last_ms=500)).max() == 0


def test_a_sound_for_somebody_who_is_gone_is_reported_as_not_played(bench: EngineBench) -> None:
    bench.apply(m.Play(3, -1, 9, clip(bench, 500, 0.2), 1, 1.0))
    bench.run(20)
    assert done(bench) == [(9, False)]


def test_comfort_noise_fills_silence_and_a_larger_value_is_quieter(bench: EngineBench) -> None:
    loudness = []
    for mix, value in ((5, 10), (6, 1000)):
        leg = bench.add(FakeCaller(silence))
        bench.open_mix(mix, noise=value)
        bench.apply(m.JoinMix(leg, mix))
        bench.run(600)
        loudness.append(float(np.abs(bench.callers[leg].heard(last_ms=400).astype(float)).mean()))
    assert 1000 < loudness[0] < 2200, "full scale divided by 10, uniform"
    assert 8 < loudness[1] < 30
