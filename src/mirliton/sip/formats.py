"""Codecs as session descriptions name them: payload types, `rtpmap` and `fmtp`.

RFC 8866, RFC 3551 and, for what they leave to each codec, RFC 4733 and RFC 7587. Pure. What is not understood is
left out; nothing here raises for what the network sends.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

CODECS = ("OPUS", "G722", "PCMU", "PCMA")
"""What is offered and accepted unless the operator says otherwise, in the order of our offers."""

ALL_CODECS = ("OPUS", "G722", "PCMU", "PCMA", "L16/48000", "L16/16000", "L16/8000")
"""Every codec there is; `L16` stands for all of its three rates."""

EVENT = "telephone-event"
PLAYBACK_RATE = 48_000
DEFAULT_PTIME, MIN_PTIME, MAX_PTIME = 20, 10, 60

_RTPMAP = re.compile(r"([0-9]{1,3}) ([A-Za-z0-9._+-]{1,32})/([0-9]{1,6})(?:/([0-9]{1,2}))?")
_DYNAMIC = range(96, 128)
_OPUS_PTIMES = (60, 40, 20, 10)
_MOST_BITS = 510_000  # RFC 7587 section 6.1
_FEWEST_BITS = 6000


@dataclass(frozen=True, slots=True)
class Format:
    """A codec, or telephone events, under a payload type. `clock`: Hz of its RTP timestamps; for L16 also of its sound.

    G722 has the clock 8000 although it samples at 16000 Hz (RFC 3551 section 4.5.2), and Opus always 48000.
    """

    number: int
    codec: str
    clock: int = 8000

    @property
    def name(self) -> str:
        """As in settings: L16 with its rate."""
        return f"L16/{self.clock}" if self.codec == "L16" else self.codec

    @property
    def longest(self) -> int:
        """Milliseconds of the longest packet that fits into an Ethernet frame, at most 60."""
        bytes_per_ms = 2 * self.clock // 1000 if self.codec == "L16" else 0
        return max((ptime for ptime in _OPUS_PTIMES if ptime * bytes_per_ms <= 1400), default=MIN_PTIME)

    def packet_time(self, asked: int) -> int:
        """The milliseconds nearest below `asked` that packets of ours can have."""
        asked = max(MIN_PTIME, min(asked, self.longest) // 10 * 10)
        return next(ptime for ptime in _OPUS_PTIMES if ptime <= asked) if self.codec == "OPUS" else asked

    def attributes(self, playback_rate: int = PLAYBACK_RATE) -> list[str]:
        """The lines that say what the number means, and how we want it. `playback_rate`: Hz that we make use of."""
        channels = "/2" if self.codec == "OPUS" else ""  # whatever is coded (RFC 7587 section 7)
        lines = [f"a=rtpmap:{self.number} {self.codec.lower() if channels else self.codec}/{self.clock}{channels}"]
        if self.codec == "OPUS":
            lines.append(f"a=fmtp:{self.number} useinbandfec=1;usedtx=0;maxplaybackrate={playback_rate}")
        elif self.codec == EVENT:
            lines.append(f"a=fmtp:{self.number} 0-15")
        return lines


@dataclass(frozen=True, slots=True)
class OpusWishes:
    """How the other side wants to be sent Opus (RFC 7587 section 6.1). `rate`: Hz that it plays at most.

    `bits_per_second`: at most; 0 when it does not say.
    """

    rate: int = PLAYBACK_RATE
    bits_per_second: int = 0
    fec: bool = False
    dtx: bool = False
    constant: bool = False


_STATIC = {text: Format(int(text), codec) for text, codec in (("0", "PCMU"), ("8", "PCMA"), ("9", "G722"))}
_MEANINGS = {
    ("PCMU", 8000, 1): "PCMU",
    ("PCMA", 8000, 1): "PCMA",
    ("G722", 8000, 1): "G722",
    ("OPUS", 48000, 2): "OPUS",
    **{("L16", clock, 1): "L16" for clock in (8000, 16000, 48000)},
    **{("TELEPHONE-EVENT", clock, 1): EVENT for clock in (8000, 16000, 48000)},
}
_NUMBERS = {
    ("PCMU", 8000): 0,
    ("PCMA", 8000): 8,
    ("G722", 8000): 9,
    ("OPUS", 48000): 111,
    ("L16", 48000): 116,
    ("L16", 16000): 117,
    ("L16", 8000): 118,
    (EVENT, 8000): 101,
    (EVENT, 16000): 102,
    (EVENT, 48000): 110,
}
"""By codec and clock: the numbers of RFC 3551, and ours."""


def expanded(codecs: Iterable[str]) -> tuple[str, ...]:
    """`L16` as its three rates, everything once. Raises `ValueError` with the known names for one that is none."""
    names: dict[str, None] = {}
    for codec in codecs:
        known = [name for name in ALL_CODECS if codec.upper() in (name, name.partition("/")[0])]
        if not known:
            raise ValueError(f"codec {codec!r} is not known: use {', '.join(ALL_CODECS)}")
        names |= dict.fromkeys(known)
    return tuple(names)


def formats_of(numbers: Sequence[str], rtpmaps: Iterable[str]) -> dict[str, Format]:
    """The formats that we know, by their payload type as it is written in the m= line, and in that order."""
    known: dict[str, Format | None] = dict(_STATIC)
    for value in rtpmaps:
        found = _RTPMAP.fullmatch(value)
        if found is None or int(found[1]) > 127:
            continue
        codec = _MEANINGS.get((found[2].upper(), int(found[3]), int(found[4] or 1)))
        known[str(int(found[1]))] = None if codec is None else Format(int(found[1]), codec, int(found[3]))
    return {text: meant for text in numbers if (meant := known.get(text)) is not None}


def offered(codecs: Iterable[str], said: Mapping[tuple[str, int], int]) -> list[Format]:
    """What an offer of ours lists: the codecs in their order, then telephone events at every clock of these.

    `said`: the number of each codec and clock that this call has spoken of before, as numbers keep their meaning for
    the whole of a session (RFC 3264 section 8.3.2). Raises `ValueError` for an unknown codec.
    """
    wanted = [key for name in expanded(codecs) for key in _NUMBERS if Format(0, *key).name == name]
    # Phones that take the first events they see know no other clock than 8000.
    wanted += [(EVENT, clock) for clock in sorted({clock for _, clock in wanted})]
    taken = dict(said)
    for key in wanted:
        if key not in taken:
            used = set(taken.values())
            taken[key] = next(number for number in (_NUMBERS[key], *_DYNAMIC) if number not in used)
    return [Format(taken[key], *key) for key in wanted]


def events_beside(chosen: Format, formats: Iterable[Format]) -> Format | None:
    """The telephone events that go with a codec: those with its clock (RFC 4733 section 2.1), else any at 8000 Hz."""
    events = {meant.clock: meant for meant in reversed(list(formats)) if meant.codec == EVENT}
    return events.get(chosen.clock) or events.get(8000)


def opus_wishes(chosen: Format, fmtps: Iterable[str]) -> OpusWishes:
    """What the `fmtp` of a format of Opus says; what it does not say, or says wrongly, has the defaults of RFC 7587."""
    said: dict[str, str] = {}
    for value in fmtps:
        number, _, parameters = value.partition(" ")
        if number == str(chosen.number):
            pairs = (part.partition("=") for part in parameters.split(";"))
            said |= {name.strip().lower(): text.strip() for name, _, text in pairs}
    bits = _number(said.get("maxaveragebitrate"))
    return OpusWishes(
        rate=min(max(_number(said.get("maxplaybackrate")) or PLAYBACK_RATE, 8000), PLAYBACK_RATE),
        bits_per_second=min(max(bits, _FEWEST_BITS), _MOST_BITS) if bits else 0,
        fec=said.get("useinbandfec") == "1",
        dtx=said.get("usedtx") == "1",
        constant=said.get("cbr") == "1",
    )


def clock_of(codec: str, rate: int) -> int:
    """Hz of a codec's RTP timestamps; `rate`: of the sound, which counts for L16 alone."""
    return rate if codec == "L16" else 48000 if codec == "OPUS" else 8000


def _number(text: str | None) -> int:
    """0 for what is no number of at most seven digits."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 7 else 0
