"""What a new agreement changes in the middle of a call: codec, payload type, packet time."""

import itertools

import pytest

from tests.media.bench import EngineBench, FakeCaller, level, tone

AUDIBLE = 5000.0
CHANGES = [("PCMU", 8000), ("OPUS", 48000), ("G722", 16000), ("L16", 16000), ("OPUS", 48000), ("PCMA", 8000)]


def change(bench: EngineBench, leg: int, codec: str, rate: int, payload_type: int, *, new_stream: bool) -> None:
    """Agree on another codec, and go on at once; a new stream has an SSRC and a timestamp of its own (RFC 7160)."""
    caller = bench.callers[leg]
    caller.codec, caller.rate, caller.payload_type = codec, rate, payload_type
    caller.clock = {"OPUS": 48, "L16": rate // 1000}.get(codec, 8)
    caller.packets.clear()
    if new_stream:
        caller.ssrc, caller.sequence, caller.timestamp = caller.ssrc + 1, 100, 777_777_777
    bench.apply(bench.connect(leg, payload_type=payload_type, relatch=False))


@pytest.mark.parametrize("new_stream", [True, False])
def test_the_codec_may_change_again_and_again(bench: EngineBench, new_stream: bool) -> None:
    bench.add(FakeCaller(tone(600), "PCMU"))
    bench.add(FakeCaller(tone(900), "OPUS"))
    bench.join_all(bench.open_mix(rate=48000))
    changing, other = bench.callers
    for (codec, rate), payload_type in zip(CHANGES, itertools.count(110)):
        change(bench, 0, codec, rate, payload_type, new_stream=new_stream)
        bench.run(1200)
        assert level(changing.heard(last_ms=600), 900, rate) > AUDIBLE, codec
        assert level(other.heard(last_ms=600), 600, 48000) > AUDIBLE, codec
        assert {packet[1] & 0x7F for packet in changing.packets[-20:]} == {payload_type}
        stamps = [int.from_bytes(packet[4:8], "big") for packet in changing.packets[-20:]]
        assert {(b - a) % (1 << 32) for a, b in itertools.pairwise(stamps)} == {20 * changing.clock}


def test_another_number_for_the_same_codec_is_used_at_once_and_the_sound_goes_on(bench: EngineBench) -> None:
    bench.add(FakeCaller(tone(600), "OPUS"))
    bench.add(FakeCaller(tone(900), "OPUS"))
    bench.join_all(bench.open_mix(rate=48000))
    bench.run(1000)
    change(bench, 0, "OPUS", 48000, 96, new_stream=False)
    bench.run(1000)
    changing, other = bench.callers
    assert {packet[1] & 0x7F for packet in changing.packets} == {96}
    sequences = [int.from_bytes(packet[2:4], "big") for packet in changing.packets]
    assert {(b - a) % (1 << 16) for a, b in itertools.pairwise(sequences)} == {1}
    for caller, hertz in ((changing, 900), (other, 600)):
        heard = caller.heard(last_ms=900)
        for part in range(0, len(heard) - 4800, 4800):
            assert level(heard[part : part + 4800], hertz, 48000) > AUDIBLE, part
