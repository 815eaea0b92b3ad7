"""Background in Opus: what packets tell of it, that it is not decoded, and that nobody could tell."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media import messages as m
from mirliton.media.codecs.opus_packets import background
from mirliton.media.kernels import entry
from tests.media.bench import EngineBench, FakeCaller, silence
from tests.media.loss_scores import speech
from tests.media.opus_phone import OpusDecoder, OpusEncoder

ENERGY = 100
_RATE = 48000
Sound = NDArray[np.float64]
_background: Callable[..., Any] = entry(background)


def _noise(samples: int, seed: int = 1) -> Sound:
    """Of mean size 1, without the highest frequencies."""
    white = np.random.default_rng(seed).normal(0, 1, samples + 5)
    dull = np.convolve(white, np.ones(6), "valid")
    return np.asarray(dull / np.abs(dull).mean())


def _told(sound: Sound, bits: int = 32_000, frame: int = 960) -> tuple[list[int], list[float]]:
    """What the packets of a sound tell, and their mean sizes once decoded."""
    encoder, decoder = OpusEncoder(bits), OpusDecoder()
    packets = [encoder.encode(part) for part in sound.astype(np.int16).reshape(-1, frame)]
    told = [_background(np.frombuffer(packet, np.uint8), len(packet)) for packet in packets]
    return told, [float(np.abs(decoder.decode(packet).astype(int)).mean()) for packet in packets]


@pytest.mark.parametrize("bits", [8_000, 16_000, 32_000])
@pytest.mark.parametrize("frame", [480, 960])
def test_gains_follow_the_loudness_of_what_is_no_speech(bits: int, frame: int) -> None:
    means = []
    for size in (5.0, 10.0, 20.0, 40.0):
        told, sizes = _told(size * _noise(_RATE * 2), bits, frame)
        known = [
            (gain, 20 * np.log10(decoded)) for gain, decoded in zip(told[20:], sizes[20:], strict=True) if gain > 0
        ]
        assert len(known) > 0.8 * len(told[20:])
        means.append(np.mean(known, axis=0))
    for (gain, loudness), (more, louder) in itertools.pairwise(means):
        assert abs((more - gain) * 1.37 - (louder - loudness)) < 1.5


def test_speech_and_what_cannot_be_told_is_no_background() -> None:
    told, sizes = _told(speech()[: 20 * _RATE])
    loud = [gain for gain, size in zip(told, sizes, strict=True) if size > 1000]
    assert loud.count(-1) == len(loud) > 100
    generator = np.random.default_rng(3)
    for _ in range(2000):
        junk = generator.integers(0, 256, generator.integers(1, 40)).astype(np.uint8)
        assert -1 <= _background(junk, len(junk)) <= 63


def test_celt_says_itself_that_it_is_silent() -> None:
    assert _background(np.array([0xF8, 0xFF, 0xFE], np.uint8), 3) == 0
    assert _background(np.array([0xF8, 0xFF, 0xFD], np.uint8), 3) == -1
    assert _background(np.array([0xF9, 0xFF, 0xFE], np.uint8), 3) == -1
    assert _background(np.array([0xF8, 0xFF], np.uint8), 2) == -1


@dataclass
class _Outcome:
    events: list[tuple[int, bool]]
    decodes: int
    heard: Sound


def _outcome(said: Sound, *, pass_over: bool, energy: int = ENERGY) -> _Outcome:
    """A caller says something to a listener; with or without passing over what need not be decoded."""
    bench = EngineBench()
    try:
        bench.add(FakeCaller(lambda t: said[np.round(t * _RATE).astype(int) % len(said)], "OPUS"))
        bench.add(FakeCaller(silence, "L16", rate=_RATE, ptime=10))
        bench.join_all(bench.open_mix(rate=_RATE, energy=energy))
        events = []
        for packet in range(len(said) // 960):
            if not pass_over:
                bench.tables.legs[0].quiet_run = 0
            bench.run(20)
            events += [(packet, event.on) for event in bench.events if isinstance(event, m.TalkingChanged)]
            bench.events.clear()
        others = len(said) // 480
        heard = bench.callers[1].heard().astype(np.float64)
        return _Outcome(events, int(bench.counters[counting.DECODES]) - others, heard)
    finally:
        bench.close()


def _speech_with_pauses() -> Sound:
    """Two seconds of speech in every five, and faint noise throughout."""
    said = speech()[: 20 * _RATE].copy()
    said[np.arange(len(said)) / _RATE % 5 > 2] = 0
    return np.asarray(said + 8 * _noise(len(said)))


def test_background_is_not_decoded_and_nobody_could_tell() -> None:
    said = _speech_with_pauses()
    plain, passed = (_outcome(said, pass_over=choice) for choice in (False, True))
    assert passed.events == plain.events
    assert len(plain.events) >= 7
    assert passed.decodes < 0.75 * plain.decodes
    error, loudest = passed.heard - plain.heard, np.abs(plain.heard).max()
    assert np.sum(error**2) < 1e-3 * np.sum(plain.heard**2)
    assert np.abs(np.diff(error)).max() < 0.02 * loudest  # no click


@pytest.mark.parametrize("energy", [0, 8])
def test_background_that_passes_the_gate_or_nearly_does_is_decoded(energy: int) -> None:
    said = 8 * _noise(5 * _RATE)
    plain, passed = (_outcome(said, pass_over=choice, energy=energy) for choice in (False, True))
    assert passed.decodes == plain.decodes
    assert passed.events == plain.events


@pytest.mark.parametrize("seconds", [0.0, 1.0, 4.0])
def test_noise_that_rises_opens_the_gate_as_if_all_was_decoded(seconds: float) -> None:
    """In a step, and by up to 44 dB a second."""
    t = np.arange(8 * _RATE) / _RATE
    rise = np.clip((t - 2) / max(seconds, 1e-6), 0, 1)
    said = 3 * _noise(len(t)) * 160**rise
    plain, passed = (_outcome(said, pass_over=choice) for choice in (False, True))
    assert passed.events == plain.events
    assert len(plain.events) == 1
    assert passed.decodes < plain.decodes


def test_of_a_steady_background_one_packet_a_second_is_decoded(bench: EngineBench) -> None:
    faint = 8 * _noise(10 * _RATE)
    bench.add(FakeCaller(lambda t: faint[np.round(t * _RATE).astype(int)], "OPUS"))
    bench.join_all(bench.open_mix(rate=_RATE, energy=ENERGY))
    bench.run(4000)
    before = int(bench.counters[counting.DECODES])
    bench.run(5000)
    assert 3 <= int(bench.counters[counting.DECODES]) - before <= 15


def test_a_soft_click_in_a_known_background_opens_no_gate() -> None:
    """It counts once, and not for the packets after it that are passed over."""
    said = 8 * _noise(8 * _RATE)
    for second in range(3, 8):
        click = slice(second * _RATE, second * _RATE + 480)
        said[click] += 700 * np.sin(2 * np.pi * 900 * np.arange(480) / _RATE)
    plain, passed = (_outcome(said, pass_over=choice) for choice in (False, True))
    assert passed.events == plain.events == []
    assert passed.decodes < 0.5 * plain.decodes
