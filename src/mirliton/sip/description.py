"""Session descriptions as lines (RFC 8866): what is read of them, and nothing of what it means.

Whatever the bytes are, nothing but `NotAcceptable` is raised.
"""

import re
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")

_MAX_BYTES, _MAX_LINES, _MAX_MEDIA, _MAX_FORMATS = 65_535, 2000, 32, 128
_MEDIA = re.compile(r"([A-Za-z0-9._+-]{1,32}) ([0-9]{1,5})(?:/[0-9]{1,5})? ([A-Za-z0-9/._+-]{1,64})((?: [!-~]{1,64})+)")


class NotAcceptable(Exception):
    """No audio can be agreed: 488 (RFC 3261 section 21.4.26)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


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
        if name in DIRECTIONS:
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
