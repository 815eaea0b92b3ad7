"""Free ports of 127.0.0.1, below those that the kernel hands out to others."""

import random
import socket
from pathlib import Path

HOST = "127.0.0.1"
_LOWEST = 10_000


class NoPorts(Exception):
    """There are not enough free ports on this machine."""


def free_range(count: int, stride: int = 1, *, above: int | None = None) -> range:
    """`count` UDP ports, `stride` apart, the first one even. Raises `NoPorts`.

    Looked for from anywhere in the lower half of what there is, as others may be looking just now; or `above` a port.
    """
    span = count * stride
    highest = _first_ephemeral()
    if above is None:
        above = _LOWEST + random.randrange(max(1, (highest - _LOWEST - 2 * span) // 2))
    first = above + above % 2
    while first + span <= highest:
        ports = range(first, first + span, stride)
        taken = next((port for port in ports if not is_free(port)), None)
        if taken is None:
            return ports
        first = taken + 2 - taken % 2
    raise NoPorts(f"there are no {count} free UDP ports between {above} and {highest}")


def free_port() -> int:
    """One that is free for UDP and TCP at this moment."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            tcp.bind((HOST, 0))
            port = int(tcp.getsockname()[1])
            if is_free(port):
                return port


def is_free(port: int) -> bool:
    """For UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        try:
            udp.bind((HOST, port))
        except OSError:
            return False
    return True


def _first_ephemeral() -> int:
    return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
