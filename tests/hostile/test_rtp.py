"""RTP from callers that mean no good, and from strangers: the others in the room go on hearing each other."""

import random
import socket
import struct
from collections.abc import Callable

import pytest

from tests.calls.serving import HOST, Server

from .attacker import Attacker, sdp
from .witness import NUMBER, Witness

PACKETS = 3000
QUIET = b"\xff" * 160  # mu-law


def packet(sequence: int, time: int, source: int, kind: int = 0, sound: bytes = QUIET, first: int = 0x80) -> bytes:
    """One RTP packet; `first` is version, padding, extension and the number of contributors."""
    return struct.pack("!BBHII", first, kind & 255, sequence & 0xFFFF, time & 0xFFFFFFFF, source) + sound


KINDS: dict[str, Callable[[random.Random, int], bytes]] = {
    "noise": lambda chance, at: chance.randbytes(chance.randrange(1500)),
    "sources": lambda chance, at: packet(at, 160 * at, chance.getrandbits(32)),
    "sequences": lambda chance, at: packet(chance.getrandbits(16), 160 * at, 1),
    "times": lambda chance, at: packet(at, chance.getrandbits(32), 1),
    "events": lambda chance, at: packet(at, 160 * at, 1, 101 + 128 * (at % 2), chance.randbytes(chance.randrange(9))),
    "types": lambda chance, at: packet(at, 160 * at, 1, chance.randrange(256), chance.randbytes(chance.randrange(400))),
    "first bytes": lambda chance, at: packet(at, 160 * at, 1, first=chance.randrange(256)),
    "cut off": lambda chance, at: packet(at, 160 * at, 1)[: chance.randrange(13)],
    "lengths": lambda chance, at: packet(at, 160 * at, 1, sound=b"\xff" * chance.choice((0, 1, 80, 161, 960, 8000))),
    "padding": lambda chance, at: packet(at, 160 * at, 1, sound=b"\xff" * 159 + chance.randbytes(1), first=0xA0),
    "extensions": lambda chance, at: packet(at, 160 * at, 1, sound=chance.randbytes(164), first=0x90),
    "RTCP": lambda chance, at: struct.pack("!BBHI", 0x80, 192 + at % 32, 9, 1) + chance.randbytes(40),
}  # fmt: skip


@pytest.fixture
def media() -> socket.socket:
    """Where the attacker's audio comes from."""
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.bind((HOST, 0))
    return found


def test_a_caller_who_sends_garbage_harms_nobody(attacker: Attacker, witness: Witness, media: socket.socket) -> None:
    chance = random.Random(3)
    with media:
        dialog = attacker.call(NUMBER, sdp(media.getsockname()[1], attributes="a=rtpmap:101 telephone-event/8000\r\n"))
        for at in range(PACKETS):
            made = chance.choice(tuple(KINDS.values()))(chance, at)
            media.sendto(made, (HOST, dialog.media_port))
            media.sendto(packet(at, 160 * at, 1), (HOST, dialog.media_port))
        witness.undisturbed()
        assert attacker.hang_up(dialog) == 200


def test_packets_of_strangers_are_dropped_and_counted(server: Server, attacker: Attacker, witness: Witness) -> None:
    dialog = attacker.call(NUMBER)
    before = server.metrics()
    chance = random.Random(4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for at in range(PACKETS):
            loud = packet(at, 160 * at, 5, sound=chance.randbytes(160))
            stranger.sendto(loud, (HOST, dialog.media_port - dialog.media_port % 16 + at % 16))
    witness.undisturbed()
    assert attacker.hang_up(dialog) == 200
    after = server.metrics()
    names = ("unknown_source", "not_rtp")
    assert sum(after[f"mirliton_media_{name}_total"] - before[f"mirliton_media_{name}_total"] for name in names) > 0


def test_a_call_whose_audio_goes_to_the_bridge_itself_makes_no_loop(
    server: Server, attacker: Attacker, witness: Witness
) -> None:
    first = attacker.call(NUMBER)
    second = attacker.call(NUMBER, sdp(first.media_port))
    third = attacker.call(NUMBER, sdp(second.media_port))
    witness.undisturbed()
    assert [attacker.hang_up(dialog) for dialog in (first, second, third)] == [200] * 3
