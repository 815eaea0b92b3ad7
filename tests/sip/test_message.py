"""Reading what the network sends: good, folded, compact, truncated and hostile messages."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sipmessage import Request, Response

from mirliton.sip.grammar import Malformed, parse_name_address, parse_uri, parse_via
from mirliton.sip.message import (
    call_id,
    contact,
    from_address,
    from_tag,
    number,
    read_message,
    respond,
    set_header,
    stamp_via,
    to_tag,
    to_wire,
    tokens,
    top_via,
    values,
)

from .messages import request, request_text

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("file", sorted(CORPUS.glob("good-*.bin")), ids=lambda path: path.stem)
def test_good_messages_are_read_and_written_again(file: Path) -> None:
    message = read_message(file.read_bytes())
    again = read_message(to_wire(message))
    assert type(again) is type(message)
    assert (call_id(again), from_tag(again), to_tag(again), again.body) == (
        call_id(message), from_tag(message), to_tag(message), message.body,
    )  # fmt: skip
    assert values(again, "Via") == values(message, "Via")


@pytest.mark.parametrize("file", sorted(CORPUS.glob("bad-*.bin")), ids=lambda path: path.stem)
def test_bad_messages_are_malformed(file: Path) -> None:
    with pytest.raises(Malformed):
        read_message(file.read_bytes())


@pytest.mark.parametrize("file", sorted(CORPUS.glob("good-*.bin")), ids=lambda path: path.stem)
def test_no_beginning_of_a_good_message_is_taken_for_it(file: Path) -> None:
    data = file.read_bytes()
    whole = read_message(data)
    for end in range(len(data)):
        try:
            part = read_message(data[:end])
        except Malformed:
            continue
        assert part.headers.get("Content-Length") is None or part.body == whole.body


def test_compact_names_and_folded_lines() -> None:
    message = read_message((CORPUS / "good-compact-folded.bin").read_bytes())
    assert isinstance(message, Request)
    assert top_via(message).parameters["branch"] == "z9hG4bKkdjuw"
    assert from_address(message).name == 'The "Caller" <with> ; tricks'
    assert message.headers["Subject"] == "one two"
    assert message.body == b"v=0\r\n"


def test_the_body_ends_at_content_length() -> None:
    data = request_text(body=b"12345")
    assert read_message(data + b"more").body == b"12345"
    with pytest.raises(Malformed):
        read_message(data[:-1])


def test_a_message_beyond_the_limit_is_malformed() -> None:
    with pytest.raises(Malformed):
        read_message(request_text(body=b"x" * 1000), max_bytes=1000)


@given(st.binary(max_size=500))
def test_arbitrary_bytes_are_malformed_or_read(data: bytes) -> None:
    for text in (data, b"INVITE sip:a SIP/2.0\r\n" + data + b"\r\n\r\n", b"SIP/2.0 200 OK\r\n" + data + b"\r\n\r\n"):
        try:
            read_message(text)
        except Malformed:
            continue


@given(st.integers(0, 400), st.binary(min_size=1, max_size=6), st.sampled_from(sorted(CORPUS.glob("good-*.bin"))))
def test_damaged_messages_never_raise_later(at: int, damage: bytes, file: Path) -> None:
    data = file.read_bytes()
    try:
        message = read_message(data[:at] + damage + data[at + len(damage) :])
    except Malformed:
        return
    contact(message), number(message, "Expires"), tokens(message, "Require"), to_tag(message)
    to_wire(message)
    if isinstance(message, Request):
        stamp_via(message, "192.0.2.200", 6000)
        read_message(to_wire(respond(message, 200, local_tag="x")))


@pytest.mark.parametrize(
    "text",
    [
        '"' + '\\"' * 30_000,
        "<sip:a@b>" + ';a="x",' * 5_000,
        '"a" <sip:a@' + "a-" * 20_000 + ">",
        "<" * 30_000,
        "sip:" + "a" * 60_000 + "@",
    ],
)
def test_hostile_addresses_take_no_time(text: str) -> None:
    before = time.process_time()
    for read in (parse_name_address, parse_uri, parse_via):
        try:
            read(text)
        except Malformed:
            continue
    assert time.process_time() - before < 2  # exponential or quadratic reading would take minutes


@pytest.mark.parametrize(
    ("text", "user", "host", "port"),
    [
        ("sip:1000@mirliton.local", "1000", "mirliton.local", None),
        ("sip:pbx1:5080;transport=tcp", None, "pbx1", 5080),
        ("SIP:a%20b:secret@192.0.2.1", "a b", "192.0.2.1", None),
        ("sip:+1;phone-context=x@[2001:db8::1]:5061?subject=y", "+1;phone-context=x", "[2001:db8::1]", 5061),
        ("tel:+3160", "+3160", "", None),
        ("http:x", None, "", None),
    ],
)
def test_uris(text: str, user: str | None, host: str, port: int | None) -> None:
    uri = parse_uri(text)
    assert (uri.user, uri.host, uri.port, str(uri)) == (user, host, port, text)


@pytest.mark.parametrize(
    "text", ["", "sip:", "sip:@", "1000@host", "sip:a@b:0", "sip:a@b:65536", "sip:a@b c", "sip:<x>"]
)
def test_bad_uris(text: str) -> None:
    with pytest.raises(Malformed):
        parse_uri(text)


def test_the_real_source_is_noted_in_the_via() -> None:
    asked = request(via="SIP/2.0/UDP 10.0.0.1:5060;rport;received=1.2.3.4")
    stamp_via(asked, "192.0.2.200", 6000)
    via = top_via(asked)
    assert (via.parameters["received"], via.parameters["rport"]) == ("192.0.2.200", "6000")
    honest = request()
    stamp_via(honest, "192.0.2.1", 5060)
    assert "received" not in top_via(honest).parameters


def test_a_response_copies_what_belongs_to_the_request() -> None:
    asked = request(headers=("Record-Route: <sip:proxy;lr>",))
    response = read_message(to_wire(respond(asked, 200, local_tag="mine")))
    assert isinstance(response, Response)
    assert (response.code, response.phrase, to_tag(response)) == (200, "OK", "mine")
    assert response.headers["Record-Route"] == "<sip:proxy;lr>"
    assert to_tag(respond(asked, 100, local_tag="mine")) == ""


@pytest.mark.parametrize("value", ["a\r\nB: c", "a\nb", "\x00"])
def test_headers_of_ours_cannot_be_broken_out_of(value: str) -> None:
    with pytest.raises(ValueError, match="not a safe header"):
        set_header(request(), "X-Test", value)
    with pytest.raises(ValueError, match="control characters"):
        respond(request(), 400, value)
