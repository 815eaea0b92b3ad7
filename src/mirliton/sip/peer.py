"""The other end of a SIP hop."""

from dataclasses import dataclass
from typing import Literal

TransportName = Literal["udp", "tcp"]


@dataclass(frozen=True, slots=True)
class Peer:
    """An IP address and port, and how it is spoken to. For TCP it also names the connection with that remote end."""

    transport: TransportName
    host: str
    port: int

    @property
    def reliable(self) -> bool:
        """TCP repeats lost bytes itself, so the transaction layer need not (RFC 3261 section 17)."""
        return self.transport == "tcp"

    @property
    def address(self) -> tuple[str, int]:
        """As sockets take it."""
        return self.host, self.port
