"""What an endpoint of a dial request can be (semantics 6.7), read without asking anybody."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mirliton.conference.reading import Document, flag, section, text, texts
from mirliton.sip.outgoing import callable_uri

MAX_URI_LENGTH = 512
_ID_LENGTH = 32
_NUMBER = re.compile(r"\+?[0-9]{5,15}|\+[0-9]{1,3}|[0-9*#]{1,4}")
_SEPARATORS = re.compile(r"[\s().\-/]")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class ById:
    """A device or a user of the account."""

    document_id: str


@dataclass(frozen=True, slots=True)
class ByNumber:
    """A phone number or an extension, without the characters that only make it readable."""

    number: str


@dataclass(frozen=True, slots=True)
class ByAddress:
    """A SIP address, with what a device object says about it."""

    endpoint_id: str
    uri: str
    name: str = ""
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    bridge: bool = False
    srtp: bool = False


Endpoint = ById | ByNumber | ByAddress


def read_endpoint(given: object) -> Endpoint | None:
    """What is meant; None when this is no endpoint."""
    if isinstance(given, Mapping):
        return _device_object(given)
    if not isinstance(given, str):
        return None
    if given[:4].lower() == "sip:":
        return ByAddress(given, given) if is_address(given) else None
    if len(given) == _ID_LENGTH:
        return ById(given)
    number = normalised(given)
    return ByNumber(number) if _NUMBER.fullmatch(number) else None


def is_address(uri: str) -> bool:
    """Whether this is a `sip:` URI that can be called. Headers in it are refused: they are for web pages."""
    try:
        callable_uri(uri)
    except ValueError:
        return False
    return len(uri) <= MAX_URI_LENGTH and uri.isascii() and "?" not in uri


def normalised(number: str) -> str:
    """A number without blanks, brackets, dots, dashes and slashes."""
    return _SEPARATORS.sub("", number)


def may_be_dialled(number: str, beginnings: Sequence[str]) -> bool:
    """Whether a normalised number has one of these beginnings. No beginnings: no numbers."""
    wanted = (normalised(beginning) for beginning in beginnings)
    return any(beginning and number.startswith(beginning) for beginning in wanted)


def shown(words: str) -> str:
    """Text that may stand in a From header and in events: JSON can hold halves of characters, which no bytes can."""
    return _UNPRINTABLE.sub("", words).encode(errors="ignore").decode()[:128]


def wants_srtp(device: Document) -> bool:
    """Whether a device's sound shall be encrypted, as Kazoo's devices say it."""
    return "srtp" in texts(device, "media.encryption.methods")


def _device_object(device: Document) -> ByAddress | None:
    """A device that is described instead of stored; it is reached by its route."""
    sip = section(device, "sip")
    route = text(sip, "route") or ""
    if not is_address(route):
        return None
    username, password = text(sip, "username"), text(sip, "password")
    return ByAddress(
        endpoint_id=shown(text(device, "id") or text(device, "name") or "") or route,
        uri=route,
        name=shown(text(device, "name") or ""),
        credentials=(username, password) if username and password else None,
        bridge=flag(device, "bridge") or False,
        srtp=wants_srtp(device),
    )
