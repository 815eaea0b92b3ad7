"""Sockets (RFC 3261 section 18): one UDP and one TCP port with the same number, and connections to others.

A shell: bytes in with their source, bytes out to a `Peer`. Nothing that comes from the network raises here.
"""

import asyncio
import socket
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import cast

from mirliton.sip.framing import Framer
from mirliton.sip.grammar import Malformed
from mirliton.sip.peer import Peer

Receive = Callable[[bytes, Peer], None]

_PENDING_MESSAGES = 64
_WRITE_BUFFER_BYTES = 1_000_000
_IDLE_SECONDS = 32.0
_STRANGER_SECONDS = 4.0  # for a first whole message, once connections are scarce
_CONNECT_SECONDS = 8.0
_UDP_BUFFER = 4 << 20


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, receive: Receive, count: Counter[str]) -> None:
        self._receive = receive
        self._count = count

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not data.strip(b"\r\n\x00 "):
            self._count["keep_alives"] += 1  # some phones send two or four bytes to keep their NAT open
            return
        self._receive(data, Peer("udp", addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        self._count["udp_errors"] += 1


class _Connection(asyncio.Protocol):
    def __init__(self, owner: "Transports", max_bytes: int) -> None:
        self._owner = owner
        self._framer = Framer(max_bytes)
        self.transport: asyncio.Transport | None = None
        self.peer: Peer | None = None
        self.used_at = 0.0
        self.proven = False  # has carried a whole message, theirs or ours

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's transports are of no common class
        host, port = transport.get_extra_info("peername")[:2]
        self.peer = Peer("tcp", host, port)
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        if self.transport is None or self.peer is None or self.transport.is_closing():
            return
        try:
            messages = self._framer.feed(data)
        except Malformed as malformed:
            self._owner.garbage(malformed.reason)
            self.transport.abort()
            return
        if messages or self._framer.pings:
            self._owner.used(self)  # not by a part of a message: a trickle of bytes must not hold the connection
        self.proven = self.proven or bool(messages)
        for _ in range(min(self._framer.pings, 8)):
            self.transport.write(b"\r\n")
        self._framer.pings = 0
        for message in messages:
            self._owner.receive(message, self.peer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.lost(self)


class Transports:
    """UDP and TCP together. `receive` gets every message; `unreachable` each peer that could not be connected, `closed`
    each whose connection is gone."""

    def __init__(
        self,
        receive: Receive,
        unreachable: Callable[[Peer], None],
        count: Counter[str],
        *,
        max_connections: int,
        max_message_bytes: int,
        closed: Callable[[Peer], None] | None = None,
    ) -> None:
        self.receive = receive
        self._unreachable = unreachable
        self._closed = closed or (lambda peer: None)
        self._count = count
        self._max_connections = max_connections
        self._max_bytes = max_message_bytes
        self._udp: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._connections: OrderedDict[Peer, _Connection] = OrderedDict()
        self._connecting: dict[Peer, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._local_hosts: dict[str, str] = {}
        self.listening: tuple[str, int] = ("", 0)

    async def start(self, host: str, port: int) -> None:
        """Open both sockets; port 0 takes one that is free for both. Raises `OSError`."""
        for attempt in range(8):
            try:
                await self._open(host, port)
                return
            except OSError:
                self._close_udp()
                if port or attempt == 7:
                    raise

    async def _open(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        udp, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self.receive, self._count), local_addr=(host, port), family=socket.AF_INET
        )
        self._udp = udp
        # bursts of calls must not be lost while one is looked up; the kernel gives what it allows
        udp.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UDP_BUFFER)
        bound: tuple[str, int] = udp.get_extra_info("sockname")[:2]
        self._server = await loop.create_server(
            lambda: _Connection(self, self._max_bytes), host, bound[1], family=socket.AF_INET
        )
        self.listening = bound

    def _close_udp(self) -> None:
        if self._udp is not None:
            self._udp.close()
            self._udp = None

    async def stop(self) -> None:
        """Close everything; what is still in TCP buffers gets a moment to leave."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections.values()):
            if connection.transport is not None:
                connection.transport.close()
        self._close_udp()
        await asyncio.sleep(0)

    def local_host(self, remote: str) -> str:
        """The address of ours that `remote` sees (without NAT): where we listen, or what the routes say."""
        if self.listening[0] not in ("", "0.0.0.0"):  # noqa: S104 - compared, not bound
            return self.listening[0]
        if remote not in self._local_hosts:
            if len(self._local_hosts) >= 4096:
                self._local_hosts.clear()
            self._local_hosts[remote] = _routed_from(remote)
        return self._local_hosts[remote]

    def is_open(self, peer: Peer) -> bool:
        """Whether there is a connection with this remote end (always, for UDP)."""
        return peer.transport == "udp" or peer in self._connections

    def send(self, data: bytes, peer: Peer) -> None:
        """Send now, or after connecting. What cannot be sent is counted; transactions find out by their timers."""
        if peer.transport == "udp":
            self._send_datagram(data, peer)
        elif (connection := self._connections.get(peer)) is not None:
            self._write(connection, data)
        elif (pending := self._connecting.get(peer)) is not None:
            if len(pending) < _PENDING_MESSAGES:
                pending.append(data)
            else:
                self._count["tcp_overflow"] += 1
        else:
            self._connect(peer, data)

    def _send_datagram(self, data: bytes, peer: Peer) -> None:
        if self._udp is None or self._udp.is_closing():
            return
        try:
            self._udp.sendto(data, peer.address)
        except (OSError, ValueError):
            self._count["udp_errors"] += 1

    def _write(self, connection: _Connection, data: bytes) -> None:
        if connection.transport is None or connection.transport.is_closing():
            return
        if connection.transport.get_write_buffer_size() > _WRITE_BUFFER_BYTES:
            self._count["tcp_overflow"] += 1
            connection.transport.abort()
            return
        self.used(connection)
        connection.proven = True
        connection.transport.write(data)

    def _connect(self, peer: Peer, data: bytes) -> None:
        if len(self._connections) + len(self._connecting) >= self._max_connections and not self._evict():
            self._count["rejected_connections"] += 1
            asyncio.get_running_loop().call_soon(self._unreachable, peer)
            return
        self._connecting[peer] = [data]
        task = asyncio.get_running_loop().create_task(self._open_connection(peer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open_connection(self, peer: Peer) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self, self._max_bytes), peer.host, peer.port, family=socket.AF_INET
                )
        except (OSError, TimeoutError):
            self._count["tcp_connect_failed"] += 1
            del self._connecting[peer]
            self._unreachable(peer)
            return
        for data in self._connecting.pop(peer):
            self._write(connection, data)

    # -- called by connections -----------------------------------------------------------------------------------------

    def opened(self, connection: _Connection) -> None:
        """A connection, ours or theirs, is there."""
        if connection.peer is None or connection.transport is None:
            return
        if len(self._connections) >= self._max_connections and not self._evict():
            self._count["rejected_connections"] += 1
            connection.transport.abort()
            return
        self._connections[connection.peer] = connection
        self.used(connection)
        self._count["connections"] += 1

    def used(self, connection: _Connection) -> None:
        """Keep it longest."""
        connection.used_at = asyncio.get_running_loop().time()
        if connection.peer is not None and connection.peer in self._connections:
            self._connections.move_to_end(connection.peer)

    def _evict(self) -> bool:
        now = asyncio.get_running_loop().time()
        connection = next((found for found in self._connections.values() if _dispensable(found, now)), None)
        if connection is None or connection.transport is None or connection.peer is None:
            return False
        self._count["idle_connections_closed"] += 1
        del self._connections[connection.peer]
        connection.transport.abort()
        self._closed(connection.peer)
        return True

    def garbage(self, reason: str) -> None:
        """A stream that is not SIP."""
        self._count["garbage"] += 1
        self._count[f"garbage: {reason}"] += 1

    def close(self, peer: Peer) -> None:
        """Drop a connection that sent garbage."""
        connection = self._connections.get(peer)
        if connection is not None and connection.transport is not None:
            connection.transport.abort()

    def lost(self, connection: _Connection) -> None:
        """It is closed."""
        if connection.peer is not None and self._connections.get(connection.peer) is connection:
            del self._connections[connection.peer]
            self._closed(connection.peer)

    @property
    def connection_count(self) -> int:
        """Open connections."""
        return len(self._connections)


def _dispensable(connection: _Connection, now: float) -> bool:
    return now - connection.used_at >= (_IDLE_SECONDS if connection.proven else _STRANGER_SECONDS)


def _routed_from(remote: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((remote, 9))  # sends nothing for UDP
        except OSError:
            return "127.0.0.1"
        host: str = probe.getsockname()[0]
        return host
