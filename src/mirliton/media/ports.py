"""RTP ports: a handful of sockets that all legs share, and which leg gets which (design 4.2).

A new leg goes to the socket on which the fewest others still wait for their first packet, then to the one with the
fewest legs. Of several that wait on one socket only one may accept packets from a given address whose port is unknown.
"""

import contextlib
import socket
from dataclasses import dataclass, field

import structlog

_BUFFER = 8 << 20
_SO_TIMESTAMPNS = 35
Socket = socket.socket
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Port:
    """One bound socket."""

    socket: socket.socket
    number: int
    odd: Socket | None = None
    legs: set[int] = field(default_factory=set)
    waiting: dict[int, set[int]] = field(default_factory=dict)  # leg -> addresses it would accept


def _bind(host: str, port: int) -> socket.socket:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setblocking(False)
    for plain, force in ((socket.SO_RCVBUF, 33), (socket.SO_SNDBUF, 32)):
        s.setsockopt(socket.SOL_SOCKET, plain, _BUFFER)
        with contextlib.suppress(PermissionError):  # beyond the system's limit only for root; then the limit holds
            s.setsockopt(socket.SOL_SOCKET, force, _BUFFER)
    s.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    try:
        s.bind((host, port))
    except OSError as problem:
        s.close()
        raise OSError(
            problem.errno, f"RTP on {host}:{port}: {problem.strerror}; choose other ports with --rtp"
        ) from problem
    return s


def _bind_odd(host: str, port: int) -> socket.socket | None:
    try:
        return _bind(host, port)
    except (OSError, OverflowError) as problem:
        _log.warning("rtcp.port", port=port, why=str(problem), what="callers of this port without rtcp-mux: no reports")
        return None


class Ports:
    """The even ports of a range, and the odd ones above them for RTCP (RFC 3550 section 11)."""

    def __init__(self, host: str, first: int, last: int) -> None:
        """Binds all of them. Raises `OSError` when an even one is taken.

        Sound goes without reports where an odd one is, and the log tells.
        """
        self.all: list[Port] = []
        try:
            for number in range(first + first % 2, last + 1, 2):
                self.all.append(Port(_bind(host, number), number))
                self.all[-1].odd = _bind_odd(host, number + 1)
        except OSError:
            self.close()
            raise

    def choose(self, leg: int) -> int:
        """The index of the port for a new leg."""
        index = min(range(len(self.all)), key=lambda i: (len(self.all[i].waiting), len(self.all[i].legs)))
        self.all[index].legs.add(leg)
        self.all[index].waiting[leg] = set()
        return index

    def may_wait(self, index: int, leg: int, addresses: set[int]) -> bool:
        """Whether a packet from one of these addresses can only be meant for this leg; notes what it waits for."""
        waiting = self.all[index].waiting
        waiting[leg] = set()
        if any(addresses & taken for taken in waiting.values()):
            return False
        waiting[leg] = addresses
        return True

    def latched(self, index: int, leg: int) -> None:
        """The leg's first packet came."""
        self.all[index].waiting.pop(leg, None)

    def release(self, index: int, leg: int) -> None:
        """The leg is gone."""
        self.all[index].legs.discard(leg)
        self.latched(index, leg)

    def close(self) -> None:
        """Close all sockets."""
        for port in self.all:
            port.socket.close()
            if port.odd is not None:
                port.odd.close()
