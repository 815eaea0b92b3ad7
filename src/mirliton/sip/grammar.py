"""Header grammar for untrusted text (RFC 3261 section 25): URIs, name-addrs, Via, parameters and comma lists.

`sipmessage` gives the data types; its own expressions take quoted strings for "anything up to the last quote" (which
needs exponential time on some inputs), know no host label that starts with a letter and ends with a digit, and escape
parameters anew when written. So text is taken apart here, once, in linear time, and URIs keep the text they came as.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from sipmessage import URI, Parameters


class Malformed(Exception):
    """Text from the network that is not SIP; `reason` is a few words for a counter."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class WireURI(URI):
    """A URI that is written exactly as it was read."""

    text: str = ""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class NameAddress:
    """A From, To, Contact or Route value. Parameter names are in lower case."""

    uri: WireURI
    name: str = ""
    parameters: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ViaValue:
    """One Via value. Parameter names are in lower case."""

    transport: str
    host: str
    port: int | None
    parameters: dict[str, str | None]


_UNSAFE = re.compile(r"[\x00-\x20\x7f<>\"]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}")
_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?")
_VIA = re.compile(
    r"SIP\s*/\s*2\.0\s*/\s*([A-Za-z0-9]{1,16})\s+(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})"
    r"(?:\s*:\s*([0-9]{1,5}))?\s*(;.*)?",
    re.IGNORECASE,
)


_WORD = r"[A-Za-z0-9.!%*_+`'~()<>:\\\"/\[\]?{}-]"
_CALL_ID = re.compile(rf"{_WORD}{{1,128}}(?:@{_WORD}{{1,127}})?")


def is_call_id(text: str) -> bool:
    """Whether text is a Call-ID (section 25.1 `callid`) of at most 256 characters."""
    return _CALL_ID.fullmatch(text) is not None


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    port = int(text)
    if not 0 < port < 65536:
        raise Malformed("port")
    return port


def parse_uri(text: str) -> WireURI:
    """Read a URI; any scheme passes, only sip, sips and tel are taken apart. Raises `Malformed`."""
    scheme, colon, rest = text.partition(":")
    if not colon or not rest or not _SCHEME.fullmatch(scheme) or _UNSAFE.search(text):
        raise Malformed("URI")
    scheme = scheme.lower()
    if scheme == "tel":
        number, _, _ = rest.partition(";")
        return WireURI(scheme, "", user=number, text=text)
    if scheme not in ("sip", "sips"):
        return WireURI(scheme, "", text=text)
    userinfo, _, after = rest.rpartition("@")
    host_port, _, parameters = after.partition("?")[0].partition(";")
    found = _HOST_PORT.fullmatch(host_port)
    if found is None:
        raise Malformed("URI host")
    user = unquote(userinfo.partition(":")[0]) or None
    return WireURI(
        scheme,
        found[1],
        user=user,
        port=_port(found[2]),
        parameters=Parameters(**_without_self(parse_parameters(parameters))),
        text=text,
    )


def _without_self(parameters: dict[str, str | None]) -> dict[str, str | None]:
    # `Parameters` takes keywords, so a parameter of this name would collide with its own first argument.
    return {name: value for name, value in parameters.items() if name != "self"}


def split_outside_quotes(text: str, separator: str) -> Iterator[str]:
    """The parts of a list, stripped; separators inside quotes or angle brackets do not count."""
    start, quoted, bracketed, escaped = 0, False, False, False
    for at, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            escaped = character == "\\"
            quoted = character != '"'
        elif character == '"':
            quoted = True
        elif character in "<>":
            bracketed = character == "<"
        elif character == separator and not bracketed:
            yield text[start:at].strip()
            start = at + 1
    yield text[start:].strip()


def unquoted(text: str) -> str:
    """A quoted string's content, or the token as it is."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def parse_parameters(text: str, separator: str = ";") -> dict[str, str | None]:
    """`;a=1;B="x y";c` -> `{"a": "1", "b": "x y", "c": None}`; the first of equal names counts."""
    found: dict[str, str | None] = {}
    for part in split_outside_quotes(text, separator):
        name, equals, value = part.partition("=")
        if name.strip():
            found.setdefault(name.strip().lower(), unquoted(value.strip()) if equals else None)
    return found


def parse_name_address(text: str) -> NameAddress:
    """Read `"Name" <uri>;p=v`, `<uri>` or a bare URI whose parameters belong to the header. Raises `Malformed`."""
    text = text.strip()
    name = ""
    if text.startswith('"'):
        end = _closing_quote(text)
        name, text = unquoted(text[: end + 1]), text[end + 1 :].lstrip()
        if not text.startswith("<"):
            raise Malformed("name-addr")
    before, bracket, after = text.partition("<")
    if not bracket:
        uri, _, parameters = text.partition(";")
        return NameAddress(parse_uri(uri.strip()), "", parse_parameters(parameters))
    uri, closing, parameters = after.partition(">")
    if not closing:
        raise Malformed("name-addr")
    return NameAddress(parse_uri(uri.strip()), name or before.strip(), parse_parameters(parameters))


def _closing_quote(text: str) -> int:
    at = 1
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == '"':
            return at
        at += 1
    raise Malformed("quoted string")


def parse_via(text: str) -> ViaValue:
    """Read one Via value. Raises `Malformed`."""
    found = _VIA.fullmatch(text.strip())
    if found is None:
        raise Malformed("Via")
    return ViaValue(found[1].lower(), found[2], _port(found[3]), parse_parameters((found[4] or "")[1:]))


def quoted(text: str) -> str:
    """A display name or digest value as a quoted string; control characters (header injection) are dropped."""
    safe = "".join(character for character in text if character.isprintable())
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'
