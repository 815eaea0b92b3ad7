"""The engine's loop, in real time: it goes on by itself, and comes back when somebody should know or says something."""

import socket
import time
from collections.abc import Iterator

import pytest

from mirliton.media import counting
from mirliton.media import messages as m
from tests.media.bench import MS, EngineBench, FakeCaller, silence

_LONG = 60_000 * MS


@pytest.fixture
def control() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Where commands come in, and the end that they are sent from."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far:
        yield near, far


def run(bench: EngineBench, control: socket.socket, due: int, most: int) -> int:
    now = time.monotonic_ns()
    return bench.engine.run(control.fileno(), due, now, now + most)


def test_it_comes_back_when_it_should(bench: EngineBench, control: tuple[socket.socket, socket.socket]) -> None:
    began = time.monotonic_ns()
    assert run(bench, control[0], -1, 30 * MS) == -1, "nothing is ever due"
    assert time.monotonic_ns() - began >= 30 * MS


def test_it_steps_whenever_a_tick_is_due(bench: EngineBench, control: tuple[socket.socket, socket.socket]) -> None:
    bench.now = time.monotonic_ns()
    bench.add(FakeCaller(silence))
    bench.join_all(bench.open_mix())
    sent = int(bench.tables.legs[0].packets_sent)
    ticks = int(bench.tables.counters[counting.LATE_TICKS : counting.LATE_SUM].sum())
    due = run(bench, control[0], bench.now, 300 * MS)
    assert due > bench.now + 280 * MS
    assert bench.tables.legs[0].packets_sent - sent >= 14
    assert bench.tables.counters[counting.LATE_TICKS : counting.LATE_SUM].sum() - ticks >= 14
    assert bench.tables.counters[counting.LATE_MOST] <= bench.tables.counters[counting.LATE_SUM]


def test_a_command_ends_a_run(bench: EngineBench, control: tuple[socket.socket, socket.socket]) -> None:
    near, far = control
    far.send(b"anything")
    run(bench, near, -1, _LONG)
    assert near.recv(100) == b"anything"


def test_so_does_the_end_of_the_control_process(
    bench: EngineBench, control: tuple[socket.socket, socket.socket]
) -> None:
    control[1].close()
    run(bench, control[0], -1, _LONG)


def test_news_end_a_run(bench: EngineBench, control: tuple[socket.socket, socket.socket]) -> None:
    bench.now = time.monotonic_ns()
    bench.add(FakeCaller(silence))
    bench.send_to(0, bench.callers[0].next_packet())
    run(bench, control[0], bench.now, _LONG)
    assert any(isinstance(event, m.SourceLatched) for event in bench.engine.events())
