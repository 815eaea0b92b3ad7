"""Safe reading and writing of SIP messages (RFC 3261 sections 7, 8.2.6 and 20).

`read_message` is the only door for bytes from the network: what it returns has one well-formed value for every header
that the layers above rely on, so the accessors here never raise for such a message.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus

from sipmessage import Headers, Request, Response
from sipmessage.message import COMPACT_FORMS

from mirliton.sip.grammar import (
    Malformed,
    NameAddress,
    ViaValue,
    parse_name_address,
    parse_uri,
    parse_via,
    split_outside_quotes,
)

Message = Request | Response

MAX_HEADER_LINES = 256
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,64}")
_CSEQ = re.compile(r"([0-9]{1,10})\s+(\S{1,64})")
_STATUS = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: (.*))?", re.IGNORECASE)
_FOLDING = re.compile(r"\r\n[ \t]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SINGLE = ("Call-ID", "CSeq", "From", "To")

PHRASES: Mapping[int, str] = {
    **{status.value: status.phrase for status in HTTPStatus},
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    408: "Request Timeout",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    491: "Request Pending",
    500: "Server Internal Error",
    503: "Service Unavailable",
    603: "Decline",
}


def read_message(data: bytes, max_bytes: int = 65_535) -> Message:
    """One message from one datagram or one stream frame. Raises `Malformed`, and nothing else.

    A body longer than Content-Length is cut (RFC 3261 section 18.3); a shorter one is malformed.
    """
    if len(data) > max_bytes:
        raise Malformed("too long")
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        raise Malformed("no end of headers")
    lines = _FOLDING.sub(" ", head.decode("utf-8", "replace")).split("\r\n")
    if len(lines) > MAX_HEADER_LINES:
        raise Malformed("too many headers")
    message = _first_line(lines[0])
    for line in lines[1:]:
        _add_header(message.headers, line)
    _check(message)
    message.body = _body(message, body)
    return message


def _first_line(line: str) -> Message:
    if _CONTROL.search(line):
        raise Malformed("control character")
    if status := _STATUS.fullmatch(line):
        return Response(int(status[1]), status[2] or "")
    method, _, rest = line.partition(" ")
    uri, _, version = rest.rpartition(" ")
    if version.upper() != "SIP/2.0" or not _TOKEN.fullmatch(method):
        raise Malformed("first line")
    return Request(method, parse_uri(uri))


def _add_header(headers: Headers, line: str) -> None:
    name, colon, value = line.partition(":")
    name = name.rstrip(" \t")
    if not colon or not _TOKEN.fullmatch(name) or _CONTROL.search(value):
        raise Malformed("header line")
    headers.add(COMPACT_FORMS.get(name.lower(), name), value.strip())


def _check(message: Message) -> None:
    for name in _SINGLE:
        if len(message.headers.getlist(name)) != 1:
            raise Malformed(f"{name} missing or repeated")
    if not call_id(message) or len(call_id(message)) > 512:
        raise Malformed("Call-ID")
    sequence, method = cseq(message)
    if sequence >= 2**31 or (isinstance(message, Request) and method != message.method):
        raise Malformed("CSeq")
    top_via(message)
    from_address(message)
    to_address(message)
    if len(values(message, "Via")) > 70:
        raise Malformed("too many Via values")


def _body(message: Message, body: bytes) -> bytes:
    lengths = set(message.headers.getlist("Content-Length"))
    if not lengths:
        return body
    if len(lengths) > 1 or not (text := lengths.pop()).isascii() or not text.isdigit() or len(text) > 8:
        raise Malformed("Content-Length")
    if int(text) > len(body):
        raise Malformed("body cut off")
    return body[: int(text)]


def values(message: Message, name: str) -> list[str]:
    """Every value of a header that may be a comma list, in order, as text."""
    return [part for line in message.headers.getlist(name) for part in split_outside_quotes(line, ",") if part]


def tokens(message: Message, name: str) -> set[str]:
    """The option tags or methods of a list header, in lower case."""
    return {value.partition(";")[0].strip().lower() for value in values(message, name)}


def call_id(message: Message) -> str:
    """The Call-ID as text."""
    return message.headers["Call-ID"]


def cseq(message: Message) -> tuple[int, str]:
    """Sequence number and method. Raises `Malformed`."""
    found = _CSEQ.fullmatch(message.headers["CSeq"])
    if found is None:
        raise Malformed("CSeq")
    return int(found[1]), found[2]


def top_via(message: Message) -> ViaValue:
    """The topmost Via. Raises `Malformed`."""
    vias = values(message, "Via")
    if not vias:
        raise Malformed("Via missing")
    return parse_via(vias[0])


def branch(message: Message) -> str:
    """The transaction id of the topmost Via, or "" from an RFC 2543 element."""
    return top_via(message).parameters.get("branch") or ""


def from_address(message: Message) -> NameAddress:
    """Who sent the request. Raises `Malformed`."""
    return parse_name_address(message.headers["From"])


def to_address(message: Message) -> NameAddress:
    """Whom the request is for. Raises `Malformed`."""
    return parse_name_address(message.headers["To"])


def from_tag(message: Message) -> str:
    """The From tag, or "" (RFC 2543)."""
    return from_address(message).parameters.get("tag") or ""


def to_tag(message: Message) -> str:
    """The To tag, or "" outside of dialogs."""
    return to_address(message).parameters.get("tag") or ""


def contact(message: Message) -> NameAddress | None:
    """The first Contact, or None when there is none that can be read."""
    found = values(message, "Contact")
    if not found:
        return None
    try:
        return parse_name_address(found[0])
    except Malformed:
        return None


def number(message: Message, name: str) -> int | None:
    """A header that is a count of seconds (parameters are ignored), or None when absent or not a number."""
    text = (message.headers.get(name) or "").partition(";")[0].strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None


def content_type(message: Message) -> str:
    """The media type without parameters, in lower case; "" when absent."""
    return (message.headers.get("Content-Type") or "").partition(";")[0].strip().lower()


def set_header(message: Message, name: str, value: str) -> None:
    """Set a header of ours. Raises `ValueError` for a name or value that would break out of its line."""
    if not _TOKEN.fullmatch(name) or _CONTROL.search(value):
        raise ValueError(f"{name!r}: not a safe header")
    message.headers.set(name, value)


def set_body(message: Message, body: bytes, media_type: str = "application/sdp") -> None:
    """Put a body and the headers that describe it; an empty body has no type."""
    message.body = body
    if body:
        message.headers.set("Content-Type", media_type)
    else:
        message.headers.remove("Content-Type")


def to_wire(message: Message) -> bytes:
    """The bytes of a message, with the right Content-Length."""
    message.headers.remove("Content-Length")
    message.headers.add("Content-Length", str(len(message.body)))
    return bytes(message)


def respond(
    request: Request,
    code: int,
    phrase: str | None = None,
    *,
    local_tag: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A response to `request` (RFC 3261 section 8.2.6.2): Via, From, To, Call-ID and CSeq as they came.

    `local_tag` is put on To unless it has one already or this is a 100. Raises `ValueError` for unsafe text.
    """
    phrase = PHRASES.get(code, "Unknown") if phrase is None else phrase
    if _CONTROL.search(phrase):
        raise ValueError("phrase has control characters")
    response = Response(code, phrase)
    response.headers.setlist("Via", values(request, "Via"))
    for name in ("From", "To", "Call-ID", "CSeq"):
        response.headers.add(name, request.headers[name])
    if local_tag and code > 100 and not to_tag(request):
        response.headers.set("To", f"{request.headers['To']};tag={local_tag}")
    if code < 300:
        for route in request.headers.getlist("Record-Route"):
            response.headers.add("Record-Route", route)
    for name, value in (headers or {}).items():
        set_header(response, name, value)
    return response


def prepend_via(request: Request, via: str) -> None:
    """Put our own Via on top of a request of ours."""
    before, request.headers = request.headers, Headers()
    request.headers.add("Via", via)
    for name in before.keys():  # noqa: SIM118 - `Headers` is no mapping
        for value in before.getlist(name):
            request.headers.add(name, value)


def stamp_via(request: Request, host: str, port: int) -> None:
    """Note where a request really came from in its topmost Via (RFC 3261 section 18.2.1, RFC 3581 section 4)."""
    vias = values(request, "Via")
    via = parse_via(vias[0])
    kept = [part for part in split_outside_quotes(vias[0], ";") if not _is_source_parameter(part)]
    if "rport" in via.parameters:
        kept.append(f"rport={port}")
    if "rport" in via.parameters or via.host != host:
        kept.append(f"received={host}")
    request.headers.setlist("Via", [";".join(kept), *vias[1:]])


def _is_source_parameter(part: str) -> bool:
    return part.partition("=")[0].strip().lower() in ("rport", "received")
