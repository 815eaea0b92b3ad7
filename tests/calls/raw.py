"""A caller without a phone: SIP written by hand on a bare socket, to do what no phone does, and RTP beside it."""

import asyncio
import re
import secrets
import socket
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from sipmessage import Message, Request, Response

from mirliton.phone.codecs import open_codec
from mirliton.phone.hearing import Hearer, Samples
from mirliton.phone.playing import load
from mirliton.phone.rtp import Packet, read_packet
from mirliton.phone.talking import Talker
from mirliton.sip.message import read_message

HOST = "127.0.0.1"
PATIENCE = 10.0


class RawAudio(asyncio.DatagramProtocol):
    """An RTP socket that sends a tone wherever `remote` points, and keeps what comes. Times: s since it opened."""

    def __init__(
        self, tone: int | None, codec: str = "PCMU", host: str = HOST, payload_type: int | None = None
    ) -> None:
        self._host = host
        self.remote: tuple[str, int] | None = None
        self.packets: list[Packet] = []
        self.sent = 0
        self._start = asyncio.get_running_loop().time()
        self.speak(tone, codec, payload_type)
        self._transport: asyncio.DatagramTransport | None = None
        self._ticking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self._host, 0))
        self._ticking = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
        if self._transport is not None:
            self._transport.close()

    @property
    def port(self) -> int:
        """Of the socket."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    @property
    def seconds(self) -> float:
        """Since it opened."""
        return asyncio.get_running_loop().time() - self._start

    def speak(self, tone: int | None, codec: str, payload_type: int | None = None) -> None:
        """A tone in a codec from now on; what was heard in another one is forgotten."""
        self.rate = open_codec(codec).rate
        self._talker = Talker(open_codec(codec, payload_type), 20, 101, event_clock=8000)
        if tone is not None:
            self._talker.say(load(f"tone:{tone}", self.rate).samples, forever=True)
        self._hearer = Hearer(open_codec(codec, payload_type), 101)

    def heard(self, start: float = 0.0, end: float | None = None) -> Samples:
        """The sound heard between two times."""
        end = self.seconds if end is None else end
        return self._hearer.recording(end)[round(start * self.rate) : round(end * self.rate)]

    def press(self, digits: str) -> None:
        """Send keys by RFC 4733."""
        self._talker.press(digits, 0.0)

    def datagram_received(self, data: bytes, addr: tuple[str | int, int]) -> None:
        """A datagram from the server."""
        if (packet := read_packet(data)) is not None:
            self.packets.append(packet)
        self._hearer.receive(data, self.seconds)

    async def _tick(self) -> None:
        count = 0
        while True:
            count += 1
            await asyncio.sleep(max(0.0, count * 0.02 - self.seconds))
            for data in self._talker.next():
                if self.remote is not None and self._transport is not None:
                    self.sent += 1
                    self._transport.sendto(data, self.remote)


def offer(
    port: int,
    codecs: str = "0 101",
    *,
    host: str = HOST,
    direction: str = "sendrecv",
    version: int = 1,
    rtpmap: Mapping[int, str] | None = None,
) -> str:
    """A session description; the numbers of `codecs` stand for what RFC 3551 or `rtpmap` says, 101 for events."""
    lines = [
        "v=0", f"o=raw 77 {version} IN IP4 {HOST}", "s=-", f"c=IN IP4 {host}", "t=0 0",
        f"m=audio {port} RTP/AVP {codecs}", "a=rtpmap:101 telephone-event/8000", f"a={direction}",
        *(f"a=rtpmap:{number} {coding}" for number, coding in (rtpmap or {}).items()),
    ]  # fmt: skip
    return "".join(f"{line}\r\n" for line in lines)


class RawCaller:
    """One call over UDP, with the numbers of a dialog kept by hand."""

    def __init__(self, server: tuple[str, int], number: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((HOST, 0))
        self._socket.connect(server)
        self.port: int = self._socket.getsockname()[1]
        self._target = f"sip:{number}@{server[0]}:{server[1]}"
        self.call_id, self.from_tag, self.to = secrets.token_hex(8), secrets.token_hex(4), f"<{self._target}>"
        self._branches: dict[int, str] = {}
        self._connected = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connected:  # a test that failed must not leave its call behind
            self._socket.send(self.request("BYE", 99))
        self._socket.close()

    def request(self, method: str, cseq: int, body: str = "", headers: Sequence[str] = ()) -> bytes:
        """A request of this call. An INVITE keeps its branch however often it is written; so does its CANCEL."""
        invite = method in ("INVITE", "CANCEL")
        branch = self._branches.setdefault(cseq, secrets.token_hex(8)) if invite else secrets.token_hex(8)
        kind = [] if not body or any("Content-Type" in line for line in headers) else ["Content-Type: application/sdp"]
        lines = [
            f"{method} {self._target} SIP/2.0", f"Via: SIP/2.0/UDP {HOST}:{self.port};branch=z9hG4bK{branch}",
            f"From: <sip:raw@{HOST}>;tag={self.from_tag}", f"To: {self.to}", f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}", f"Contact: <sip:raw@{HOST}:{self.port}>", "Max-Forwards: 70", *kind, *headers,
            f"Content-Length: {len(body)}",
        ]  # fmt: skip
        return ("\r\n".join([*lines, "", ""]) + body).encode()

    async def send(self, method: str, cseq: int, body: str = "", headers: Sequence[str] = ()) -> None:
        """Send one request."""
        await asyncio.get_running_loop().sock_sendall(self._socket, self.request(method, cseq, body, headers))

    async def receive(self) -> Message:
        """The next message of the server."""
        async with asyncio.timeout(PATIENCE):
            data = await asyncio.get_running_loop().sock_recv(self._socket, 65_535)
            return read_message(data)

    async def final(self, method: str) -> Response:
        """The next final response to a request of this method; others are passed over."""
        while True:
            message = await self.receive()
            if isinstance(message, Response) and message.code >= 200 and cseq_method(message) == method:
                return message

    async def requested(self, method: str) -> Request:
        """The next request of the server with this method, answered with 200."""
        while True:
            message = await self.receive()
            if isinstance(message, Request) and message.method == method:
                self._connected &= method != "BYE"
                await self.answer(message)
                return message

    async def answer(self, request: Request) -> None:
        """200 without a body."""
        copied = [f"{name}: {request.headers.get(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
        text = "\r\n".join(["SIP/2.0 200 OK", *copied, "Content-Length: 0", "", ""])
        await asyncio.get_running_loop().sock_sendall(self._socket, text.encode())

    def confirm(self, answered: Response) -> None:
        """Take the dialog from a 200: what follows goes into it."""
        self.to = str(answered.headers.get("To"))
        contact = re.search(r"<([^>]+)>", str(answered.headers.get("Contact")))
        assert contact is not None
        self._target = contact.group(1)
        self._connected = True

    async def invite(self, body: str, cseq: int = 1) -> Response:
        """INVITE, its final response, and the ACK when that is a 200."""
        await self.send("INVITE", cseq, body)
        answered = await self.final("INVITE")
        if answered.code == 200:
            self.confirm(answered)
            await self.send("ACK", cseq)
        return answered

    async def bye(self, cseq: int = 90) -> None:
        """End the call, and see that the server agrees."""
        self._connected = False
        await self.send("BYE", cseq)
        assert (await self.final("BYE")).code == 200


def cseq_method(message: Message) -> str:
    """The method of a message's CSeq."""
    return str(message.headers.get("CSeq")).split()[-1]


def audio_address(answer: Message) -> tuple[str, int]:
    """Where an SDP wants its audio."""
    text = answer.body.decode()
    port, host = re.search(r"^m=audio (\d+) ", text, re.M), re.search(r"^c=IN IP4 (\S+)", text, re.M)
    assert port is not None
    assert host is not None
    return host.group(1), int(port.group(1))
