"""Requests and responses written by hand, for tests of the pure layers."""

from sipmessage import Request, Response

from mirliton.sip.message import prepend_via, read_message, respond

from .conftest import OFFER


def request_text(
    method: str = "INVITE",
    *,
    uri: str = "sip:1000@127.0.0.1",
    cseq: int = 1,
    branch: str = "z9hG4bK1",
    to_tag: str = "",
    from_tag: str = "caller",
    call: str = "call-1",
    body: bytes = b"",
    headers: tuple[str, ...] = (),
    via: str = "SIP/2.0/UDP 192.0.2.1:5060",
    contact: str = "sip:alice@192.0.2.1:5060",
) -> bytes:
    """A request as bytes."""
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: {via};branch={branch}",
        f"From: <sip:alice@192.0.2.1>;tag={from_tag}",
        "To: <sip:1000@127.0.0.1>" + (f";tag={to_tag}" if to_tag else ""),
        f"Call-ID: {call}",
        f"CSeq: {cseq} {method}",
        f"Contact: <{contact}>",
        *headers,
        *(["Content-Type: application/sdp"] if body and not any("Content-Type" in line for line in headers) else []),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def request(method: str = "INVITE", **fields: object) -> Request:
    """A request as the network would give it."""
    message = read_message(request_text(method, **fields))  # type: ignore[arg-type]
    assert isinstance(message, Request)
    return message


def invite(**fields: object) -> Request:
    """An INVITE with an offer."""
    return request("INVITE", **({"body": OFFER} | fields))


def answer_to(
    asked: Request, code: int, *, tag: str = "callee", body: bytes = b"", headers: dict[str, str] | None = None
) -> Response:
    """A response of the other side to a request of ours, which gets a Via first when it has none."""
    if asked.headers.get("Via") is None:
        prepend_via(asked, "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKours")
    response = respond(asked, code, local_tag=tag, headers=headers)
    response.headers.set("Contact", "<sip:bob@192.0.2.9:5070>")
    response.body = body
    return response
