"""The phone's session descriptions (RFC 8866, RFC 3264): one audio stream, one codec chosen by the other side.

Written apart from the server's own, like the codecs, so that a mistake there is not repeated here.
"""

import random
from dataclasses import dataclass, replace

NAMES = {0: "PCMU", 8: "PCMA", 9: "G722"}
NUMBERS = {name: number for number, name in NAMES.items()}
EVENT_TYPE = 101


class AnswerUnusable(Exception):
    """The other side's SDP cannot be talked to. The text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the phone can do. `events`: digits as RFC 4733; `ptime` in ms; `codecs` in order of preference."""

    host: str
    port: int
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    ptime: int = 20
    events: bool = True
    event_type: int = EVENT_TYPE

    def text(self) -> bytes:
        """The offer, or the answer to a re-INVITE, which for this phone is the same."""
        numbers = [NUMBERS[name] for name in self.codecs]
        formats = [*map(str, numbers), *([str(self.event_type)] if self.events else [])]
        lines = [
            "v=0",
            f"o=- {random.getrandbits(31)} 1 IN IP4 {self.host}",
            "s=call",
            f"c=IN IP4 {self.host}",
            "t=0 0",
            f"m=audio {self.port} RTP/AVP {' '.join(formats)}",
            *(f"a=rtpmap:{number} {NAMES[number]}/8000" for number in numbers),
            *(self._digits() if self.events else []),
            f"a=ptime:{self.ptime}",
            "a=sendrecv",
        ]
        return "".join(f"{line}\r\n" for line in lines).encode()

    def _digits(self) -> list[str]:
        return [f"a=rtpmap:{self.event_type} telephone-event/8000", f"a=fmtp:{self.event_type} 0-15"]

    def narrowed(self, agreed: "Agreed") -> "Offer":
        """Our answer to an offer: one codec, and digits by the number that the other side gave them."""
        event_type = agreed.event_type if self.events else None
        return replace(
            self,
            codecs=(agreed.codec,),
            ptime=agreed.ptime,
            events=event_type is not None,
            event_type=EVENT_TYPE if event_type is None else event_type,
        )


@dataclass(frozen=True, slots=True)
class Agreed:
    """Where to send which codec. `event_type` None: the other side takes no telephone events."""

    host: str
    port: int
    codec: str
    event_type: int | None
    ptime: int


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
    types = [int(text) for text in fields[3:] if text.isdigit()]
    codec = next((NAMES[number] for number in types if NAMES.get(number) in offer.codecs), None)
    if codec is None:
        raise AnswerUnusable(f"the answer has none of {', '.join(offer.codecs)}: {lines[media]}")
    return Agreed(
        _host(attributes, lines[:media]), int(fields[1]), codec, _events(attributes), _ptime(attributes, offer)
    )


def _host(attributes: list[str], session: list[str]) -> str:
    """The connection address of the stream, else of the session."""
    for line in [*attributes, *session]:
        if line.startswith("c=IN IP4 "):
            return line.split()[2].partition("/")[0]
    raise AnswerUnusable("the answer has no IPv4 connection address")


def _events(attributes: list[str]) -> int | None:
    for line in attributes:
        if line.startswith("a=rtpmap:") and "telephone-event/8000" in line.lower():
            number = line.removeprefix("a=rtpmap:").split()[0]
            return int(number) if number.isdigit() and int(number) < 128 else None
    return None


def _ptime(attributes: list[str], offer: Offer) -> int:
    """What the other side wants to receive, if it is a length that we can make."""
    for line in attributes:
        if line.startswith("a=ptime:") and line.removeprefix("a=ptime:").strip() in {"10", "20", "30", "40", "60"}:
            return int(line.removeprefix("a=ptime:"))
    return offer.ptime
