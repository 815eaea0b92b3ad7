"""Processor time, memory and lost packets, as Linux tells them in /proc (proc(5))."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mirliton.benchmark.result import Share

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_ENDED = "ZX"


@dataclass(frozen=True, slots=True)
class Used:
    """Processor seconds since the start of a process or a core. `stolen`: of a core, by the machine's host."""

    user: float
    system: float
    stolen: float = 0.0

    def share_since(self, before: "Used", seconds: float) -> Share:
        """As a share of one core over the time between."""
        return Share((self.user - before.user) / seconds, (self.system - before.system) / seconds)


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """What `/proc/PID/stat` says. `state`: a letter. `started`: clock ticks since the machine's start."""

    state: str
    parent: int
    used: Used
    started: int


def parse_process(text: str) -> ProcessStatus:
    """`/proc/PID/stat`. The program's name stands in brackets and may itself hold brackets and spaces."""
    fields = text.rpartition(")")[2].split()
    used = Used(int(fields[11]) / _TICKS, int(fields[12]) / _TICKS)
    return ProcessStatus(fields[0], int(fields[1]), used, int(fields[19]))


def parse_cores(text: str) -> dict[int, Used]:
    """The busy time of each core from `/proc/stat`; interrupts count as system."""
    cores: dict[int, Used] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        if name.startswith("cpu") and name[3:].isdigit():
            user, nice, system, _idle, _wait, hard, soft, stolen = map(int, rest.split()[:8])
            cores[int(name[3:])] = Used((user + nice) / _TICKS, (system + hard + soft) / _TICKS, stolen / _TICKS)
    return cores


def parse_drops(text: str) -> dict[int, int]:
    """`/proc/net/udp`: by local port, how many packets did not fit into the socket's buffer."""
    drops: dict[int, int] = {}
    for line in text.splitlines()[1:]:
        fields = line.split()
        port = int(fields[1].rpartition(":")[2], 16)
        drops[port] = drops.get(port, 0) + int(fields[-1])
    return drops


def process_used(pid: int) -> Used:
    """Raises `OSError` when there is no such process, or only what is left of one that has ended."""
    status = parse_process((PROC / str(pid) / "stat").read_text())
    if status.state in _ENDED:
        raise ProcessLookupError(f"process {pid} has ended")
    return status.used


def cores_used() -> dict[int, Used]:
    """Of each core, by everybody."""
    return parse_cores((PROC / "stat").read_text())


def resident_bytes(pid: int) -> int:
    """Raises `OSError` when there is no such process."""
    return int((PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE


def dropped(ports: Iterable[int]) -> int:
    """Packets that the UDP sockets on these local ports had no room for."""
    wanted = list(ports)
    tables = [parse_drops(text) for text in _udp_tables()]
    return sum(drops.get(port, 0) for drops in tables for port in wanted)


def _udp_tables() -> list[str]:
    """Of IPv4 and, where the machine has it, IPv6: a socket for both stands in the latter."""
    return [table.read_text() for table in (PROC / "net/udp", PROC / "net/udp6") if table.exists()]


def children(pid: int) -> list[int]:
    """Children of a process, the first started first."""
    found: list[tuple[int, int]] = []
    for folder in PROC.glob("[0-9]*"):
        try:
            status = parse_process((folder / "stat").read_text())
        except OSError:  # it ended while we looked
            continue
        if status.parent == pid:
            found.append((status.started, int(folder.name)))
    return [child for _, child in sorted(found)]


def command_line(pid: int) -> list[str]:
    """Its words; empty for one that has ended."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return []


def udp_ports_of(pid: int) -> list[int]:
    """The local ports of a process' UDP sockets at this moment. Raises `OSError` when there is no such process."""
    held = set()
    for link in (PROC / str(pid) / "fd").iterdir():
        try:
            target = str(link.readlink())
        except OSError:  # closed while we looked
            continue
        held.add(target.removeprefix("socket:[").removesuffix("]"))
    rows = [line.split() for text in _udp_tables() for line in text.splitlines()[1:]]
    return [int(fields[1].rpartition(":")[2], 16) for fields in rows if fields[9] in held]
