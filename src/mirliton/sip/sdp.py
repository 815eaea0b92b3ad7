"""Audio by offer and answer (RFC 8866, RFC 3264) over RTP/AVP, and RTP/SAVP with keys in SDP (RFC 4568).

Pure: bytes in, bytes and an `AudioAgreement` out. Whatever the bytes are, nothing but `NotAcceptable` is raised.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from mirliton.sip.description import MediaLine, NotAcceptable, parse
from mirliton.sip.formats import (
    ALL_CODECS,
    CODECS,
    DEFAULT_PTIME,
    MAX_PTIME,
    PLAYBACK_RATE,
    Format,
    OpusWishes,
    events_beside,
    expanded,
    formats_of,
    offered,
    opus_wishes,
)
from mirliton.sip.sdes import PLAIN, SECURE, Crypto, Protection, Secured, chosen

__all__ = ["AudioAgreement", "NotAcceptable", "answer_offer", "make_offer", "parse", "read_answer"]

AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
"""The header extension of RFC 6464: how loud a packet is, so that silence need not be decoded."""

RTCP_MUX = "rtcp-mux"

_RTCP = re.compile(r"([0-9]{1,5})(?: IN IP4 (\S{1,60}))?")
_EXTENSION = re.compile(r"([0-9]{1,2})(?:/([a-z]{1,8}))? (\S{1,200})(?: .*)?")


@dataclass(frozen=True, slots=True)
class AudioAgreement:
    """One agreed audio stream. `ptime` in milliseconds, a multiple of 10.

    `send` is False when the other side does not want to hear us (hold), `receive` when it does not send. `event_clock`:
    Hz in which telephone events say how long they last. `rate`: Hz of L16, and what the other side plays at most of
    Opus; the next four are its wishes for Opus, see `formats.OpusWishes`. `level_extension`: the id under which it says
    how loud its packets are (RFC 6464); 0: it does not. `rtcp_mux`: reports use the RTP port (RFC 5761); `rtcp_port`:
    where the other side wants them otherwise (RFC 3605); 0: the port above.
    """

    remote_address: str
    remote_port: int
    codec: str
    payload_type: int
    event_payload_type: int | None
    ptime: int = DEFAULT_PTIME
    send: bool = True
    receive: bool = True
    event_clock: int = 8000
    rate: int = 8000
    bits_per_second: int = 0
    fec: bool = False
    dtx: bool = False
    constant: bool = False
    level_extension: int = 0
    rtcp_mux: bool = False
    rtcp_port: int = 0
    secured: Secured | None = None


def formats(media: MediaLine) -> dict[str, Format]:
    """What we know of a line's formats, by the text of their numbers, in the line's order."""
    return formats_of(media.formats, media.values("rtpmap"))


def _spoken(media: MediaLine, codecs: Sequence[str]) -> list[Format]:
    return [meant for meant in formats(media).values() if meant.name in codecs]


def _ptime(media: MediaLine, chosen: Format) -> int:
    asked = _milliseconds(media.values("ptime"), DEFAULT_PTIME)
    return chosen.packet_time(min(asked, _milliseconds(media.values("maxptime"), MAX_PTIME)))


def _milliseconds(values: list[str], default: int) -> int:
    # Some phones write "20.0" or leave the value out.
    text = values[0].partition(".")[0] if values else ""
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) <= 5 and int(text) else default


def _usable(media: MediaLine, codecs: Sequence[str], protection: Protection) -> bool:
    return _speakable(media, codecs) and protection.allows(media.protocol, media.values("crypto"))


def _speakable(media: MediaLine, codecs: Sequence[str]) -> bool:
    """Whether all is well but, perhaps, how it is encrypted."""
    if media.kind != "audio" or media.port == 0 or media.protocol not in (PLAIN, SECURE) or not media.address:
        return False
    address = IPv4Address(media.address)
    if address.is_multicast or address == IPv4Address("255.255.255.255"):
        return False
    return bool(_spoken(media, codecs))


def _level_extension(media: MediaLine) -> int:
    """The id under which they say how loud packets are. Ids above 14 have another kind of header (RFC 8285 4.3)."""
    for value in media.values("extmap"):
        found = _EXTENSION.fullmatch(value)
        if found is not None and found[3] == AUDIO_LEVEL and found[2] in (None, "sendrecv", "sendonly"):
            return int(found[1]) if 1 <= int(found[1]) <= 14 else 0
    return 0


def _rtcp_port(media: MediaLine) -> int:
    """A port that is named for reports, where it is one of the same host."""
    found = _RTCP.fullmatch((media.values("rtcp") or [""])[0])
    return int(found[1]) if found and int(found[1]) < 65_536 and found[2] in (None, media.address) else 0


def _agree(media: MediaLine, codecs: Sequence[str]) -> AudioAgreement:
    chosen = _spoken(media, codecs)[0]
    events = events_beside(chosen, formats(media).values())
    wishes = opus_wishes(chosen, media.values("fmtp")) if chosen.codec == "OPUS" else OpusWishes(rate=chosen.clock)
    address = media.address or ""
    return AudioAgreement(
        remote_address=address,
        remote_port=media.port,
        codec=chosen.codec,
        payload_type=chosen.number,
        event_payload_type=events.number if events else None,
        ptime=_ptime(media, chosen),
        # An address of zeros is how RFC 2543 phones put a call on hold (RFC 3264 section 8.4).
        send=media.direction in ("sendrecv", "recvonly") and address != "0.0.0.0",  # noqa: S104 - compared, not bound
        receive=media.direction in ("sendrecv", "sendonly"),
        event_clock=events.clock if events else 8000,
        rate=wishes.rate,
        bits_per_second=wishes.bits_per_second,
        fec=wishes.fec,
        dtx=wishes.dtx,
        constant=wishes.constant,
        level_extension=_level_extension(media),
        rtcp_mux=bool(media.values(RTCP_MUX)),
        rtcp_port=_rtcp_port(media),
    )


def answer_offer(
    offer: bytes,
    local_address: str,
    local_port: int,
    session_id: int,
    session_version: int,
    *,
    codecs: Sequence[str] = CODECS,
    playback_rate: int = PLAYBACK_RATE,
    protection: Protection | None = None,
) -> tuple[bytes, AudioAgreement]:
    """Take the first audio line that we can, with the offerer's first codec of `codecs`; refuse the other lines.

    `playback_rate`: Hz that we make use of. `protection` None: plain RTP only. Raises `NotAcceptable` when there is no
    such line.
    """
    media, codecs, protection = parse(offer), expanded(codecs), protection or Protection()
    taken = next((line for line in media if _usable(line, codecs, protection)), None)
    if taken is None:
        raise NotAcceptable(_refusal(media, codecs, protection))
    agreement = replace(_agree(taken, codecs), secured=protection.answer(taken.protocol, taken.values("crypto")))
    lines = _head(local_address, session_id, session_version)
    for line in media:
        if line is taken:
            lines += _answer_lines(local_port, taken, agreement, playback_rate)
        else:
            lines.append(f"m={line.kind} 0 {line.protocol} {' '.join(line.formats)}")
    return _joined(lines), agreement


def _refusal(media: Sequence[MediaLine], codecs: Sequence[str], protection: Protection) -> str:
    speakable = next((line for line in media if _speakable(line, codecs)), None)
    return protection.refusal(speakable.protocol) if speakable else f"no audio over RTP in {', '.join(codecs)}"


def make_offer(
    local_address: str,
    local_port: int,
    session_id: int,
    session_version: int,
    *,
    codecs: Sequence[str] = CODECS,
    ptime: int = DEFAULT_PTIME,
    direction: str = "sendrecv",
    playback_rate: int = PLAYBACK_RATE,
    said: Mapping[tuple[str, int], int] | None = None,
    protocol: str = PLAIN,
    crypto: Sequence[Crypto] = (),
) -> bytes:
    """One audio line with these codecs, in this order, and telephone-event. Raises `ValueError` for an unknown codec.

    `said`: see `formats.offered`. `crypto`: with which keys the other side may have it encrypted, best first.
    """
    listed = offered(codecs, said or {})
    # There is one packet time for the whole line, and whatever is chosen must keep to it.
    ptime = min(meant.packet_time(ptime) for meant in listed)
    lines = _head(local_address, session_id, session_version)
    lines += _stream_lines(local_port, listed, ptime, direction, playback_rate, protocol, crypto)
    return _joined([*lines, f"a={RTCP_MUX}"])


def read_answer(offer: bytes, answer: bytes) -> AudioAgreement:
    """What was agreed by an answer to an offer of ours. Raises `NotAcceptable` when it refuses or does not fit."""
    proposed, answered = parse(offer), parse(answer)
    if len(answered) != len(proposed):
        raise NotAcceptable("the answer has other media lines than the offer")
    at = next((index for index, line in enumerate(proposed) if line.kind == "audio"), None)
    if at is None:
        raise NotAcceptable("no audio was offered")
    ours, theirs = proposed[at], answered[at]
    known, meant = formats(ours), formats(theirs)
    # Only what was offered can be answered; a codec under another number is not the one we said.
    theirs.formats = [text for text in theirs.formats if text in known and known[text] == meant.get(text)]
    if not _speakable(theirs, ALL_CODECS) or theirs.protocol != ours.protocol:
        raise NotAcceptable("the answer accepts none of the offered audio")
    secured = chosen(ours.values("crypto"), theirs.values("crypto"), ours.protocol)
    if ours.protocol == SECURE and secured is None:
        raise NotAcceptable("the answer has none of the offered keys")
    theirs.attributes = [pair for pair in theirs.attributes if pair[0] != "extmap"]  # none was offered
    agreement, direction = _agree(theirs, ALL_CODECS), ours.direction or "sendrecv"
    return replace(
        agreement,
        send=agreement.send and direction in ("sendrecv", "sendonly"),
        receive=agreement.receive and direction in ("sendrecv", "recvonly"),
        secured=secured,
    )


def _head(address: str, session_id: int, session_version: int) -> list[str]:
    return [
        "v=0",
        f"o=mirliton {session_id} {session_version} IN IP4 {address}",
        "s=-",
        f"c=IN IP4 {address}",
        "t=0 0",
    ]


def _answer_lines(port: int, media: MediaLine, agreement: AudioAgreement, playback_rate: int) -> list[str]:
    direction = {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}.get(
        (agreement.send, agreement.receive), "inactive"
    )
    numbers = (agreement.payload_type, agreement.event_payload_type)
    by_number = {meant.number: meant for meant in formats(media).values()}
    listed = [by_number[number] for number in numbers if number is not None]
    crypto = [agreement.secured.ours] if agreement.secured else []
    lines = _stream_lines(port, listed, agreement.ptime, direction, playback_rate, media.protocol, crypto)
    if agreement.codec == "L16":
        lines.append(f"a=maxptime:{listed[0].longest}")
    if agreement.rtcp_mux:
        lines.append(f"a={RTCP_MUX}")
    if agreement.level_extension:
        lines.append(f"a=extmap:{agreement.level_extension}/recvonly {AUDIO_LEVEL}")
    return lines


def _stream_lines(
    port: int,
    listed: Sequence[Format],
    ptime: int,
    direction: str,
    playback_rate: int,
    protocol: str,
    crypto: Sequence[Crypto],
) -> list[str]:
    lines = [f"m=audio {port} {protocol} {' '.join(str(meant.number) for meant in listed)}"]
    lines += [one.line() for one in crypto]
    for meant in listed:
        lines += meant.attributes(playback_rate)
    return [*lines, f"a=ptime:{ptime}", f"a={direction}"]


def _joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()
