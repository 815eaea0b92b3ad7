"""A byte stream is cut into the same messages, wherever TCP splits it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirliton.sip.framing import Framer
from mirliton.sip.grammar import Malformed

from .messages import request_text

FIRST = request_text(body=b"v=0\r\n\r\nbody with a blank line")
SECOND = request_text("BYE", cseq=2)


def feed(pieces: list[bytes], limit: int = 65_535) -> tuple[list[bytes], bool]:
    """All messages, and whether the stream broke."""
    framer, messages = Framer(limit), []
    for piece in pieces:
        try:
            messages += framer.feed(piece)
        except Malformed:
            return messages, True
    return messages, False


@given(st.lists(st.integers(0, len(FIRST) + len(SECOND) + 12)))
def test_splits_anywhere_give_the_same_messages(cuts: list[int]) -> None:
    stream = b"\r\n\r\n" + FIRST + b"\r\n\r\n" + SECOND + b"\r\n"
    places = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(places)]
    assert feed(pieces) == ([FIRST, SECOND], False)


def test_single_bytes_give_the_same_messages() -> None:
    assert feed([bytes([byte]) for byte in FIRST + SECOND]) == ([FIRST, SECOND], False)


@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([FIRST, SECOND, b"\r\n", b"\r\n\r\n", FIRST[:50]]))))
def test_arbitrary_streams_break_or_go_on(pieces: list[bytes]) -> None:
    whole, whole_broke = feed([b"".join(pieces)])
    messages, broke = feed(pieces)
    assert broke == whole_broke
    if not broke:
        assert messages == whole


def test_pings_are_counted_wherever_they_are_cut() -> None:
    for pieces in ([b"\r\n\r\n"], [b"\r", b"\n\r", b"\n"]):
        framer = Framer(1000)
        assert [message for piece in pieces for message in framer.feed(piece)] == []
        assert framer.pings == 1


@pytest.mark.parametrize(
    "stream",
    [
        SECOND.replace(b"Content-Length: 0\r\n", b""),
        SECOND.replace(b"Content-Length: 0", b"Content-Length: 0\r\nl: 9"),
        SECOND.replace(b"Content-Length: 0", b"Content-Length: -1"),
        SECOND.replace(b"Content-Length: 0", b"Content-Length: 99999999"),
        b"x" * 70_000,
    ],
)
def test_a_stream_that_cannot_be_followed_is_malformed(stream: bytes) -> None:
    assert feed([stream]) == ([], True)
