"""The phone's session descriptions (RFC 8866, RFC 3264): one audio stream, one codec chosen by the other side.

Written apart from the server's own, like the codecs, so that a mistake there is not repeated here.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mirliton.phone.codecs import PAYLOAD_TYPES
from mirliton.phone.encryption import Key, agreed_keys

CODINGS = {"PCMU": "PCMU/8000", "PCMA": "PCMA/8000", "G722": "G722/8000", "OPUS": "opus/48000/2"}
CODINGS |= {name: name for name in ("L16/48000", "L16/16000", "L16/8000")}
CODINGS |= {f"events/{clock}": f"telephone-event/{clock}" for clock in (8000, 16000, 48000)}
"""What `rtpmap` says, by our names of codecs, and of digits at each clock."""

NUMBERS = PAYLOAD_TYPES | {"events/8000": 101, "events/16000": 102, "events/48000": 103}
_NAMES = {coding.upper(): name for name, coding in CODINGS.items()}
_STATIC = {0: "PCMU", 8: "PCMA", 9: "G722"}
_OPUS_PTIMES = (60, 40, 20, 10)


class AnswerUnusable(Exception):
    """The other side's SDP cannot be talked to. The text says what is wrong with it."""


def clock_of(codec: str) -> int:
    """Hz of the RTP timestamps of a codec."""
    return int(CODINGS[codec].split("/")[1])


@dataclass(frozen=True, slots=True)
class Offer:
    """What the phone can do. `events`: digits as RFC 4733; `ptime` in ms; `codecs` in order of preference.

    `numbers`: payload types of what is in `CODINGS`. `event_clocks`: None for those of the codecs. `keys`: one
    of which encrypts the sound; none: it is not encrypted.
    """

    host: str
    port: int
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    ptime: int = 20
    events: bool = True
    numbers: Mapping[str, int] = field(default_factory=lambda: NUMBERS)
    event_clocks: tuple[int, ...] | None = None
    keys: tuple[Key, ...] = ()

    def text(self) -> bytes:
        """The offer, or the answer to a re-INVITE, which for this phone is the same."""
        names = [*self.codecs, *(self._digits() if self.events else [])]
        lines = [
            "v=0",
            f"o=- {random.getrandbits(31)} 1 IN IP4 {self.host}",
            "s=call",
            f"c=IN IP4 {self.host}",
            "t=0 0",
            f"m=audio {self.port} {self.protocol} {' '.join(str(self.numbers[name]) for name in names)}",
            *(f"a=rtpmap:{self.numbers[name]} {CODINGS[name]}" for name in names),
            *(f"a=fmtp:{self.numbers[name]} 0-15" for name in names if name.startswith("events/")),
            *(key.line for key in self.keys),
            f"a=ptime:{self.ptime}",
            "a=sendrecv",
        ]
        return "".join(f"{line}\r\n" for line in lines).encode()

    @property
    def protocol(self) -> str:
        """Of the m= line."""
        return "RTP/SAVP" if self.keys else "RTP/AVP"

    def _digits(self) -> list[str]:
        """At the clock of each codec, as both are parts of one stream (RFC 4733 section 2.1)."""
        clocks = self.event_clocks or sorted({clock_of(codec) for codec in self.codecs})
        return [f"events/{clock}" for clock in clocks]

    def narrowed(self, agreed: "Agreed") -> "Offer":
        """Our answer to an offer: one codec, and digits, by the numbers that the other side gave them."""
        numbers = {agreed.codec: agreed.payload_type}
        if agreed.event_type is not None:
            numbers[f"events/{agreed.event_clock}"] = agreed.event_type
        return replace(
            self,
            codecs=(agreed.codec,),
            ptime=agreed.ptime,
            events=self.events and agreed.event_type is not None,
            numbers=numbers,
            event_clocks=(agreed.event_clock,),
            keys=agreed.keys[:1],
        )


@dataclass(frozen=True, slots=True)
class Agreed:
    """Where to send which codec. `event_type` None: the other side takes no telephone events.

    `event_clock`: Hz in which events say how long they last. `keys`: ours and theirs, or none.
    """

    host: str
    port: int
    codec: str
    payload_type: int
    event_type: int | None
    event_clock: int
    ptime: int
    keys: tuple[Key, ...] = ()


def read_answer(sdp: bytes, offer: Offer) -> Agreed:
    """What came of our offer. Raises `AnswerUnusable`."""
    lines = sdp.decode("utf-8", "replace").splitlines()
    media = next((number for number, line in enumerate(lines) if line.startswith("m=audio ")), None)
    if media is None:
        raise AnswerUnusable("the answer has no audio")
    section = lines[media + 1 :]
    end = next((number for number, line in enumerate(section) if line.startswith("m=")), len(section))
    fields = lines[media].split()
    if len(fields) < 4 or not fields[1].isdigit() or not 0 < int(fields[1]) < 65536:
        raise AnswerUnusable(f"the answer refuses audio: {lines[media]}")
    attributes = section[:end]
    meanings = _meanings(fields[3:], attributes)
    codec = next((name for name in meanings if name in offer.codecs), None)
    if codec is None:
        raise AnswerUnusable(f"the answer has none of {', '.join(offer.codecs)}: {lines[media]}")
    if fields[2] != offer.protocol:
        raise AnswerUnusable(f"{offer.protocol} is wanted: {lines[media]}")
    keys = agreed_keys(attributes, offer.keys)
    if offer.keys and keys is None:
        raise AnswerUnusable("the answer has no a=crypto that fits ours")
    clock = clock_of(codec)
    if f"events/{clock}" not in meanings:
        clock = 8000  # many gateways know no other
    return Agreed(
        host=_host(attributes, lines[:media]),
        port=int(fields[1]),
        codec=codec,
        payload_type=meanings[codec],
        event_type=meanings.get(f"events/{clock}"),
        event_clock=clock,
        ptime=_ptime(attributes, offer, codec),
        keys=keys or (),
    )


def _meanings(formats: list[str], attributes: list[str]) -> dict[str, int]:
    """The payload types of what we know of a line's formats, in its order."""
    names: dict[int, str | None] = dict(_STATIC)
    for line in attributes:
        number, _, coding = line.removeprefix("a=rtpmap:").partition(" ")
        if line.startswith("a=rtpmap:") and number.isdecimal() and int(number) < 128:
            names[int(number)] = _NAMES.get(coding.strip().upper().removesuffix("/1"))
    meanings: dict[str, int] = {}
    for listed in map(int, filter(str.isdecimal, formats)):
        if (name := names.get(listed)) is not None:
            meanings.setdefault(name, listed)
    return meanings


def _host(attributes: list[str], session: list[str]) -> str:
    """The connection address of the stream, else of the session."""
    for line in [*attributes, *session]:
        if line.startswith("c=IN IP4 "):
            return line.split()[2].partition("/")[0]
    raise AnswerUnusable("the answer has no IPv4 connection address")


def _ptime(attributes: list[str], offer: Offer, codec: str) -> int:
    """What the other side wants to receive, if it is a length that we can make."""
    wanted = offer.ptime
    for line in attributes:
        if line.startswith("a=ptime:") and line.removeprefix("a=ptime:").strip() in {"10", "20", "30", "40", "60"}:
            wanted = int(line.removeprefix("a=ptime:"))
            break
    if codec == "OPUS":
        return next((ptime for ptime in _OPUS_PTIMES if ptime <= wanted), _OPUS_PTIMES[-1])
    return 10 if codec == "L16/48000" else wanted  # longer ones would not fit into an Ethernet frame
