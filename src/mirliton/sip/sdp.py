"""Audio by offer and answer (RFC 8866, RFC 3264) over plain RTP/AVP: PCMU, PCMA, G722 and telephone-event (RFC 4733).

Pure: bytes in, bytes and an `AudioAgreement` out. Whatever the bytes are, nothing but `NotAcceptable` is raised.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address

CODECS = {"PCMU": 0, "PCMA": 8, "G722": 9}
"""Static payload types (RFC 3551). All have the RTP clock 8000, G722 too although it samples at 16000 Hz."""

EVENT = "telephone-event"
OUR_EVENT_PAYLOAD_TYPE = 101
DEFAULT_PTIME, MIN_PTIME, MAX_PTIME = 20, 10, 60

_STATIC = {str(number): codec for codec, number in CODECS.items()}
_MAX_BYTES, _MAX_LINES, _MAX_MEDIA, _MAX_FORMATS = 65_535, 2000, 32, 128
_MEDIA = re.compile(r"([A-Za-z0-9._+-]{1,32}) ([0-9]{1,5})(?:/[0-9]{1,5})? ([A-Za-z0-9/._+-]{1,64})((?: [!-~]{1,64})+)")
_RTPMAP = re.compile(r"([0-9]{1,3}) ([A-Za-z0-9._+-]{1,32})/([0-9]{1,6})(?:/([0-9]{1,2}))?")
_MIRRORED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


class NotAcceptable(Exception):
    """No audio can be agreed: 488 (RFC 3261 section 21.4.26)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class AudioAgreement:
    """One agreed audio stream. `ptime` in milliseconds, a multiple of 10.

    `send` is False when the other side does not want to hear us (hold), `receive` when it does not send.
    """

    remote_address: str
    remote_port: int
    codec: str
    payload_type: int
    event_payload_type: int | None
    ptime: int = DEFAULT_PTIME
    send: bool = True
    receive: bool = True


@dataclass(slots=True)
class MediaLine:
    """One m= section, as it was read. `address` and `direction` are inherited from the session when absent."""

    kind: str
    port: int
    protocol: str
    formats: list[str]
    address: str | None = None
    direction: str | None = None
    attributes: list[tuple[str, str]] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        """The values of an attribute, in order."""
        return [value for attribute, value in self.attributes if attribute == name]


@dataclass(slots=True)
class _Session:
    address: str | None = None
    direction: str = "sendrecv"
    media: list[MediaLine] = field(default_factory=list)


def parse(data: bytes) -> list[MediaLine]:
    """The m= sections of a description. Raises `NotAcceptable`."""
    if len(data) > _MAX_BYTES:
        raise NotAcceptable("SDP too long")
    lines = data.decode("utf-8", "replace").replace("\r\n", "\n").strip("\n").split("\n")
    if lines[0].strip() != "v=0" or len(lines) > _MAX_LINES:
        raise NotAcceptable("not SDP")
    session = _Session()
    for line in lines[1:]:
        _read_line(session, line)
    for media in session.media:
        media.address = media.address if media.address is not None else session.address
        media.direction = media.direction or session.direction
    return session.media


def _read_line(session: _Session, line: str) -> None:
    kind, equals, value = line.partition("=")
    if not equals or len(kind) != 1:
        raise NotAcceptable("not SDP")
    here = session.media[-1] if session.media else None
    if kind == "m":
        session.media.append(_media_line(value))
        if len(session.media) > _MAX_MEDIA:
            raise NotAcceptable("too many media")
    elif kind == "c":
        target = here if here is not None else session
        target.address = _address(value)
    elif kind == "a":
        name, _, rest = value.strip().partition(":")
        if name in _MIRRORED:
            (here if here is not None else session).direction = name
        elif here is not None:
            here.attributes.append((name, rest.strip()))


def _media_line(value: str) -> MediaLine:
    found = _MEDIA.fullmatch(value.strip())
    if found is None or int(found[2]) > 65_535:
        raise NotAcceptable("m= line cannot be read")
    formats = found[4].split()
    if len(formats) > _MAX_FORMATS:
        raise NotAcceptable("too many formats")
    return MediaLine(found[1], int(found[2]), found[3], formats)


def _address(value: str) -> str:
    """The IPv4 address of a c= line; "" for another kind, with which no audio can be agreed."""
    parts = value.split()
    if len(parts) != 3 or parts[:2] != ["IN", "IP4"]:
        return ""
    try:
        return str(IPv4Address(parts[2].partition("/")[0]))
    except AddressValueError:
        return ""


def _codec_names(media: MediaLine) -> dict[str, str]:
    """Payload type as text -> our name of it, for the formats that we know, in the order of the m= line."""
    names = dict(_STATIC)
    for value in media.values("rtpmap"):
        found = _RTPMAP.fullmatch(value)
        if found is None or int(found[1]) > 127:
            continue
        known = found[3] == "8000" and found[4] in (None, "1")
        name = EVENT if found[2].lower() == EVENT else found[2].upper()
        names[str(int(found[1]))] = name if known and (name in CODECS or name == EVENT) else ""
    return {text: names[text] for text in media.formats if names.get(text)}


def _ptime(media: MediaLine) -> int:
    asked = _milliseconds(media.values("ptime"), DEFAULT_PTIME)
    limit = _milliseconds(media.values("maxptime"), MAX_PTIME)
    return max(MIN_PTIME, min(asked, limit, MAX_PTIME) // 10 * 10)


def _milliseconds(values: list[str], default: int) -> int:
    # Some phones write "20.0" or leave the value out.
    text = values[0].partition(".")[0] if values else ""
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) <= 5 and int(text) else default


def _usable(media: MediaLine, codecs: Sequence[str]) -> bool:
    if media.kind != "audio" or media.port == 0 or media.protocol != "RTP/AVP" or not media.address:
        return False
    address = IPv4Address(media.address)
    if address.is_multicast or address == IPv4Address("255.255.255.255"):
        return False
    return any(name in codecs for name in _codec_names(media).values())


def _agree(media: MediaLine, codecs: Sequence[str]) -> AudioAgreement:
    names = _codec_names(media)
    payload_type = next(text for text, name in names.items() if name in codecs)
    events = [int(text) for text, name in names.items() if name == EVENT]
    address = media.address or ""
    return AudioAgreement(
        remote_address=address,
        remote_port=media.port,
        codec=names[payload_type],
        payload_type=int(payload_type),
        event_payload_type=events[0] if events else None,
        ptime=_ptime(media),
        # An address of zeros is how RFC 2543 phones put a call on hold (RFC 3264 section 8.4).
        send=media.direction in ("sendrecv", "recvonly") and address != "0.0.0.0",  # noqa: S104 - compared, not bound
        receive=media.direction in ("sendrecv", "sendonly"),
    )


def answer_offer(
    offer: bytes,
    local_address: str,
    local_port: int,
    session_id: int,
    session_version: int,
    *,
    codecs: Sequence[str] = tuple(CODECS),
) -> tuple[bytes, AudioAgreement]:
    """Take the first audio line that we can, with the offerer's first codec of `codecs`; refuse the other lines.

    Raises `NotAcceptable` when there is no such line.
    """
    media = parse(offer)
    chosen = next((line for line in media if _usable(line, codecs)), None)
    if chosen is None:
        raise NotAcceptable("no audio over RTP/AVP in PCMU, PCMA or G722")
    agreement = _agree(chosen, codecs)
    lines = _head(local_address, session_id, session_version)
    for line in media:
        if line is chosen:
            lines += _audio_lines(local_port, agreement)
        else:
            lines.append(f"m={line.kind} 0 {line.protocol} {' '.join(line.formats)}")
    return _joined(lines), agreement


def make_offer(
    local_address: str,
    local_port: int,
    session_id: int,
    session_version: int,
    *,
    codecs: Sequence[str] = tuple(CODECS),
    ptime: int = DEFAULT_PTIME,
    direction: str = "sendrecv",
) -> bytes:
    """One audio line with these codecs, in this order, and telephone-event. Raises `KeyError` for an unknown codec."""
    lines = _head(local_address, session_id, session_version)
    numbers = [(CODECS[codec], codec) for codec in codecs]
    lines += _stream_lines(local_port, numbers, OUR_EVENT_PAYLOAD_TYPE, ptime, direction)
    return _joined(lines)


def read_answer(offer: bytes, answer: bytes) -> AudioAgreement:
    """What was agreed by an answer to an offer of ours. Raises `NotAcceptable` when it refuses or does not fit."""
    offered, answered = parse(offer), parse(answer)
    if len(answered) != len(offered):
        raise NotAcceptable("the answer has other media lines than the offer")
    at = next((index for index, line in enumerate(offered) if line.kind == "audio"), None)
    if at is None:
        raise NotAcceptable("no audio was offered")
    ours, theirs = offered[at], answered[at]
    names = _codec_names(ours)
    # Only what was offered can be answered; a codec under another number is not the one we said.
    theirs.formats = [text for text in theirs.formats if names.get(text) == _codec_names(theirs).get(text) is not None]
    if not _usable(theirs, tuple(CODECS)):
        raise NotAcceptable("the answer accepts none of the offered audio")
    agreement = _agree(theirs, tuple(CODECS))
    return _narrowed(agreement, ours.direction or "sendrecv")


def _narrowed(agreement: AudioAgreement, offered: str) -> AudioAgreement:
    return AudioAgreement(
        agreement.remote_address,
        agreement.remote_port,
        agreement.codec,
        agreement.payload_type,
        agreement.event_payload_type,
        agreement.ptime,
        send=agreement.send and offered in ("sendrecv", "sendonly"),
        receive=agreement.receive and offered in ("sendrecv", "recvonly"),
    )


def _head(address: str, session_id: int, session_version: int) -> list[str]:
    return [
        "v=0",
        f"o=mirliton {session_id} {session_version} IN IP4 {address}",
        "s=-",
        f"c=IN IP4 {address}",
        "t=0 0",
    ]


def _audio_lines(port: int, agreement: AudioAgreement) -> list[str]:
    direction = {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}.get(
        (agreement.send, agreement.receive), "inactive"
    )
    numbers = [(agreement.payload_type, agreement.codec)]
    return _stream_lines(port, numbers, agreement.event_payload_type, agreement.ptime, direction)


def _stream_lines(
    port: int, codecs: Sequence[tuple[int, str]], event: int | None, ptime: int, direction: str
) -> list[str]:
    numbers = [number for number, _ in codecs] + ([] if event is None else [event])
    lines = [f"m=audio {port} RTP/AVP {' '.join(map(str, numbers))}"]
    lines += [f"a=rtpmap:{number} {name}/8000" for number, name in codecs]
    if event is not None:
        lines += [f"a=rtpmap:{event} {EVENT}/8000", f"a=fmtp:{event} 0-15"]
    return [*lines, f"a=ptime:{ptime}", f"a={direction}"]


def _joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()
