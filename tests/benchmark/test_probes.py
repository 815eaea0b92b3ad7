"""The delay that a bridge adds is told from the sound, to a sample, whatever else is heard; and who hears nobody."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirliton.benchmark.probes import MOST_MS, Probe, UnreadableProbes, delays, hears_somebody, read_probes
from mirliton.benchmark.voices import (
    CODINGS,
    FRAME_MS,
    FRAMES,
    TALKERS,
    Coding,
    Samples,
    loop_of,
    said,
    speech,
    write_voices,
)

PCMU, OPUS = CODINGS["pcmu"], CODINGS["opus"]
LOOK_AHEAD_MS = 6.5  # of libopus' encoder
_FIRST = 240  # the loop of 250 frames repeats on the way


def talker(frames: int = 100) -> Probe:
    """Says its loop on time."""
    return Probe(sent=[(_FIRST + k, 1000.0 + k * FRAME_MS) for k in range(frames)])


def listener(
    coding: Coding,
    added: float,
    *,
    jitter: float = 0.0,
    others: int = 0,
    volume: float = 1.0,
    dropped: frozenset[int] = frozenset(),
    frames: int = 90,
    first_stamp: int = 0xFFFFF000,
) -> Probe:
    """Hears call 0 behind a bridge that adds so many ms, with other talkers in the room."""
    phase = coding.frame // 3  # the bridge's packets do not begin where the talker's do
    heard = volume * stretch(coding, 0, phase, frames)
    for other in range(1, others + 1):
        heard = heard + stretch(coding, other, phase + other * 1111, frames)
    packets = coding.encode(np.clip(heard, -32768, 32767).astype(np.int16))
    noise = np.random.default_rng(1).uniform(0, jitter, frames)
    probe = Probe()
    for k, packet in enumerate(packets):
        at = 1000.0 + (k + phase / coding.frame) * FRAME_MS + added + noise[k]
        header = struct.pack(">BBHII", 0x80, 0, k, (first_stamp + k * coding.frame) % (1 << 32), 1)
        if k not in dropped:
            probe.received.append((at, header + packet))
    return probe


def stretch(coding: Coding, voice: int, start: int, frames: int) -> np.ndarray:
    """What a talker says from a sample of frame `_FIRST` on."""
    loop = said(coding, voice)
    first = _FIRST * coding.frame + start
    return loop[np.arange(first, first + frames * coding.frame) % len(loop)].astype(np.float64)


@pytest.mark.parametrize("added", [0.0, 21.0, 40.0, 125.0, 600.0])
def test_the_delay_is_told_to_a_fraction_of_a_millisecond(added: float) -> None:
    found = delays({0: talker(), 3: listener(PCMU, added)}, [(0, 3)], PCMU)
    assert len(found) > 70
    assert np.allclose(found, added, atol=0.2)


def test_with_opus_the_bridges_own_look_ahead_counts() -> None:
    found = delays({0: talker(), 3: listener(OPUS, 40.0)}, [(0, 3)], OPUS)
    assert len(found) > 70
    assert np.median(found) == pytest.approx(40.0 + LOOK_AHEAD_MS, abs=0.3)


def test_each_packet_has_its_own_delay() -> None:
    probe = listener(PCMU, 40.0, jitter=30.0)
    found = delays({0: talker(), 3: probe}, [(0, 3)], PCMU)
    expected = [at - 1000.0 - (k + 53 / 160) * FRAME_MS for k, (at, _) in enumerate(probe.received)]
    assert np.allclose(found, expected[: len(found)], atol=0.3)
    assert max(found) > 60


@pytest.mark.parametrize("volume", [0.25, 1.0, 3.0])
def test_other_talkers_volume_and_lost_packets_do_not_matter(volume: float) -> None:
    probe = listener(PCMU, 33.0, others=2 if volume >= 1 else 0, volume=volume, dropped=frozenset({5, 6, 40}))
    found = delays({0: talker(), 3: probe}, [(0, 3)], PCMU)
    assert len(found) > 70
    assert np.allclose(found, 33.0, atol=0.3)


def test_who_does_not_hear_the_talker_tells_no_delay() -> None:
    stranger = listener(PCMU, 40.0, volume=0.0, others=2)
    assert delays({0: talker(), 3: stranger}, [(0, 3)], PCMU) == []
    assert delays({0: talker(), 3: listener(PCMU, MOST_MS + 200.0)}, [(0, 3)], PCMU) == []
    assert delays({0: talker()}, [(0, 3)], PCMU) == []
    assert delays({0: Probe(), 3: stranger}, [(0, 3)], PCMU) == []


def test_a_loop_is_longer_than_the_longest_delay_or_it_would_be_ambiguous() -> None:
    assert FRAMES * FRAME_MS > 2 * MOST_MS


def test_timestamps_that_jump_are_no_time_line() -> None:
    probe = listener(PCMU, 40.0)
    at, packet = probe.received[-1]
    probe.received[-1] = (at, packet[:4] + b"\x40\x00\x00\x00" + packet[8:])
    assert delays({0: talker(), 3: probe}, [(0, 3)], PCMU) == []


@pytest.mark.parametrize("coding", [PCMU, OPUS])
def test_silence_and_comfort_noise_are_not_somebody(coding: Coding) -> None:
    def probe(sound: Samples) -> Probe:
        return Probe(received=[(0.0, b"\x80" * 12 + packet) for packet in coding.encode(sound)])

    count = 20 * coding.frame
    noise = np.random.default_rng(1).normal(0, 30, count).astype(np.int16)
    assert not hears_somebody(probe(np.zeros(count, np.int16)), coding)
    assert not hears_somebody(probe(noise), coding)
    assert hears_somebody(probe(speech(3, coding.rate, 20)), coding)
    assert not hears_somebody(Probe(), coding)


def test_records_are_read_as_they_were_written() -> None:
    sent = struct.pack("<6I", 0, 7, 5_000_000, 1, 42, 0)
    received = struct.pack("<6I", 1, 9, 7_500_000, 1, 0, 3) + b"abc"
    assert read_probes(sent + received) == {7: Probe(sent=[(42, 0.0)]), 9: Probe(received=[(2.5, b"abc")])}
    with pytest.raises(UnreadableProbes):
        read_probes(sent + received[:10])


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3), st.binary(max_size=40)), max_size=20))
def test_whatever_a_bridge_sends_is_listened_to_without_harm(records: list[tuple[int, int, bytes]]) -> None:
    data = b"".join(
        struct.pack("<6I", kind, call, k * 20_000_000 % (1 << 32), 0, k, len(packet) if kind else 0) + packet * kind
        for k, (kind, call, packet) in enumerate(records)
    )
    probes = read_probes(data)
    delays(probes, [(0, 1), (2, 3)], PCMU)
    for probe in probes.values():
        hears_somebody(probe, OPUS)


def test_talkers_have_voices_of_their_own_and_loops_that_repeat() -> None:
    voices = [speech(k, 8000).astype(np.float64) for k in range(TALKERS)]
    likeness = np.corrcoef(voices)
    assert np.abs(likeness - np.eye(TALKERS)).max() < 0.1
    for voice in voices:
        assert abs(voice[0] - voice[-1]) <= np.abs(np.diff(voice)).max()


def test_dtx_leaves_out_silence_and_nothing_else() -> None:
    silence = loop_of(OPUS, None, dtx=True)
    assert (len(silence), sum(map(bool, silence))) == (FRAMES, FRAMES // 20 + 1)
    assert all(loop_of(OPUS, 1, dtx=True))


def test_the_file_of_voices_holds_every_loop(tmp_path: Path) -> None:
    write_voices(tmp_path / "said", PCMU)
    data = (tmp_path / "said").read_bytes()
    assert struct.unpack_from("<4I", data) == (0, 160, 1 + TALKERS, FRAMES)
    assert len(data) == 12 + (1 + TALKERS) * (4 + FRAMES * (4 + 160))
