"""The kernel's floor: what receiving and sending the packets costs a program that does nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mirliton.benchmark.children import running, wait_for_line
from mirliton.benchmark.load import STRIDE, voices
from mirliton.benchmark.peer import Bench, Crowd, Peer, Seated
from mirliton.benchmark.ports import free_range
from mirliton.benchmark.result import FLOOR, Scenario

SOCKETS = 16
"""As many as the engine's legs share by default (`rtp.listen`)."""
_READY_SECONDS = 10.0


@contextmanager
def floor(bench: Bench, _scenario: Scenario, folder: Path) -> Iterator[Peer]:
    """As many streams as there are callers, on as many sockets as the engine has; see `peer.StartPeer`.

    Raises `ProgramFailed` and `NoPorts`.
    """
    ports = free_range(SOCKETS)
    errors = folder / "floor.log"
    with running([bench.floor, str(ports.start), str(SOCKETS)], bench.cores[0], errors) as process:
        wait_for_line(process, "ready", _READY_SECONDS, errors)

        @contextmanager
        def seat(crowd: Crowd, own: Path) -> Iterator[Seated]:
            callers = free_range(crowd.callers, STRIDE, above=ports.stop)
            said = bench.said[crowd.scenario.codec]
            with voices(bench.rtpload, said, crowd.scenario, callers, crowd.probed, bench.cores[1], own) as load:
                load.connect([ports[call % SOCKETS] for call in range(crowd.callers)])
                yield Seated(load, ports, crowd.callers)

        yield Peer(FLOOR, {FLOOR: process.pid}, seat)
