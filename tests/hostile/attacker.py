"""What no phone says: SIP and RTP by hand on blocking sockets, with a deadline on every wait."""

import itertools
import re
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

HOST = "127.0.0.1"
PATIENCE = 15.0  # s
REPEAT = 0.5  # s

_serial = itertools.count(1)


def sdp(port: int = 4000, *, address: str = "127.0.0.1", formats: str = "0 101", attributes: str = "") -> bytes:
    """An offer of one audio line, with whatever is asked for in it. `attributes`: whole lines with CRLF."""
    return (
        f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {formats}\r\n{attributes}"
    ).encode()


def wire(text: str | bytes) -> bytes:
    """Text as UTF-8; bytes, which may be none, as they are."""
    return text if isinstance(text, bytes) else text.encode()


@dataclass(frozen=True, slots=True)
class Dialog:
    """An answered call of the attacker: how its requests name it, and where the bridge takes its audio."""

    call_id: str
    tag: str
    media_port: int


class Attacker:
    """One UDP socket that talks to the SIP port of a server."""

    def __init__(self, sip: tuple[str, int]) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self._socket.connect(sip)
        self._socket.settimeout(REPEAT)
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def request(
        self,
        method: str,
        number: str | bytes = "1",
        *,
        body: bytes = b"",
        dialog: Dialog | None = None,
        call_id: str = "",
        to_tag: str = "",
        from_tag: str = "attacker",
        sequence: int = 1,
        headers: tuple[str | bytes, ...] = (),
        name: str | bytes = "",
        content_type: str = "application/sdp",
        length: int | str | None = None,
        transport: str = "UDP",
    ) -> bytes:
        """A request with a Call-ID and a branch of its own, unless it is for a dialog. Nothing in it is escaped."""
        serial = next(_serial)
        call_id = call_id or (dialog.call_id if dialog else f"attack-{serial}")
        tag = to_tag or (dialog.tag if dialog else "")
        lines: list[str | bytes] = [
            wire(method) + b" sip:" + wire(number) + b"@127.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/{transport} 127.0.0.1:{self.port};branch=z9hG4bKattack{serial};rport",
            b"From: " + wire(name) + wire(f"<sip:attacker@127.0.0.1>;tag={from_tag}"),
            "To: <sip:victim@127.0.0.1>" + (f";tag={tag}" if tag else ""),
            f"Call-ID: {call_id}",
            f"CSeq: {sequence} {method}",
            f"Contact: <sip:attacker@127.0.0.1:{self.port}>",
            *headers,
            *([f"Content-Type: {content_type}"] if body else []),
            f"Content-Length: {len(body) if length is None else length}",
        ]
        return b"\r\n".join(map(wire, lines)) + b"\r\n\r\n" + body

    def send(self, message: bytes) -> None:
        """Send, and wait for nothing."""
        self._socket.send(message)

    def ask(self, message: bytes) -> str:
        """Send a request; returns its final response. Fails when there is none in time."""
        branch = re.search(rb"branch=z9hG4bK\w+", message)
        assert branch is not None
        deadline, repeat = time.monotonic() + PATIENCE, 0.0
        while (now := time.monotonic()) < deadline:
            if now >= repeat:  # a flood fills the server's buffer, and then the kernel drops what comes
                self.send(message)
                repeat = now + REPEAT
            with suppress(TimeoutError):
                answer = self._socket.recv(65_535)
                if branch[0] in answer and not answer.startswith(b"SIP/2.0 1"):
                    return answer.decode()
        raise AssertionError(f"no answer to {message[:60]!r}")

    def code(self, message: bytes) -> int:
        """The code of the final response."""
        return int(self.ask(message).split(" ", 2)[1])

    def alive(self) -> bool:
        """Whether the server still answers."""
        return self.code(self.request("OPTIONS")) == 200

    def call(self, number: str, body: bytes | None = None, **how: Any) -> Dialog:
        """Call and acknowledge; fails unless the call is answered."""
        request = self.request("INVITE", number, body=sdp() if body is None else body, **how)
        answer = self.ask(request)
        assert answer.startswith("SIP/2.0 200"), answer
        found = [
            re.search(rf"\r\n{pattern}", answer)
            for pattern in (r"Call-ID: (\S+)", r"To:.*;tag=(\w+)", r"m=audio (\d+)")
        ]
        call_id, tag, port = (match[1] for match in found if match)
        dialog = Dialog(call_id, tag, int(port))
        if body != b"":
            self.send(self.request("ACK", dialog=dialog))
        return dialog

    def expect(self, method: str) -> None:
        """Wait for a request of the server and say 200 to it."""
        deadline, request = time.monotonic() + PATIENCE, b""
        while not request.startswith(method.encode()):
            assert time.monotonic() < deadline, f"no {method} came"
            with suppress(TimeoutError):
                request = self._socket.recv(65_535)
        copied = [
            line
            for line in request.split(b"\r\n")
            if line.startswith((b"Via:", b"From:", b"To:", b"Call-ID:", b"CSeq:"))
        ]
        self.send(b"\r\n".join([b"SIP/2.0 200 OK", *copied, b"Content-Length: 0", b"", b""]))

    def hang_up(self, dialog: Dialog, sequence: int = 2**31 - 1) -> int:
        """BYE; returns the code of its answer."""
        return self.code(self.request("BYE", dialog=dialog, sequence=sequence))
