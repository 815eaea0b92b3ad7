"""Messages out of a byte stream (RFC 3261 section 18.3) and keep-alives between them (RFC 5626 section 3.5.1). Pure."""

import re

from mirliton.sip.grammar import Malformed

_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:[ \t]*([0-9]{1,8})[ \t]*(?=\r\n)", re.IGNORECASE)
_PING = b"\r\n\r\n"


class Framer:
    """Cuts a stream into messages, wherever it was split on its way.

    `pings` counts the keep-alives that want a CRLF back. After `Malformed` the stream cannot be followed any more.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._buffer = bytearray()
        self._searched = 0
        self._expected: int | None = None  # bytes of the message at the front, once its head is whole
        self.pings = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Whole messages, in order. Raises `Malformed` for a message that is too long or has no length."""
        self._buffer += data
        messages: list[bytes] = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def _next(self) -> bytes | None:
        if self._expected is None:
            self._skip_keep_alives()
            self._expected = self._measure()
        if self._expected is None or len(self._buffer) < self._expected:
            return None
        message = bytes(self._buffer[: self._expected])
        del self._buffer[: self._expected]
        self._searched, self._expected = 0, None
        return message

    def _measure(self) -> int | None:
        end = self._buffer.find(b"\r\n\r\n", self._searched)
        if end < 0:
            # A separator may be cut at its third byte, so those three are looked at again.
            self._searched = max(0, len(self._buffer) - 3)
            self._limit(len(self._buffer))
            return None
        length = end + 4 + self._content_length(bytes(self._buffer[: end + 2]))
        self._limit(length)
        return length

    def _skip_keep_alives(self) -> None:
        while self._buffer.startswith(_PING):
            del self._buffer[:4]
            self.pings += 1
        # A lone CRLF is a pong or a slip of the sender; one at the very end may be the first half of a ping.
        if (
            self._buffer.startswith(b"\r\n")
            and len(self._buffer) > 2
            and bytes(self._buffer[2:4]) not in (b"\r", b"\r\n")
        ):
            del self._buffer[:2]
            self._skip_keep_alives()

    def _content_length(self, head: bytes) -> int:
        lengths = set(_LENGTH.findall(head))
        if len(lengths) != 1:
            raise Malformed("no Content-Length on a stream")
        return int(lengths.pop())

    def _limit(self, length: int) -> None:
        if length > self._max:
            raise Malformed("too long")
