"""What a step of the engine costs: CPU time of rooms of ten with three talkers, in virtual time on loopback sockets.

Run by hand, two versions one after the other: `python -m tests.media.cost [legs] [seconds] [codec]`.
The share of the kernel's network calls is in it, as they are in life.
"""

import sys
import time

import numpy as np

from mirliton.media import messages as m
from tests.media.bench import MS, EngineBench, FakeCaller, tone

ROOM, TALKERS, ROUNDS = 10, 3, 5


def measure(legs: int, seconds: int, codec: str) -> list[float]:
    """Microseconds of CPU for each leg and 20 ms tick, one figure a round."""
    bench = EngineBench(legs=legs, mixes=6 + legs // ROOM)
    packets = _packets(codec)
    for leg in range(legs):
        bench.add(FakeCaller(codec=codec))
        if leg % ROOM == 0:
            bench.open_mix(5 + leg // ROOM)
        bench.apply(m.JoinMix(leg, 5 + leg // ROOM))
    figures = [_round(bench, packets, seconds) for _ in range(ROUNDS + 1)]
    bench.close()
    return figures[1:]


def _packets(codec: str) -> tuple[list[bytes], list[bytes]]:
    """A second of payloads of a talker, and of a listener in a quiet room."""
    talker = FakeCaller(tone(440), codec)
    noise = np.random.default_rng(1)
    listener = FakeCaller(lambda t: noise.normal(0, 8, len(t)), codec)
    payloads = [talker.payload() for _ in range(50)], [listener.payload() for _ in range(50)]
    for caller in (talker, listener):
        caller.socket.close()
    return payloads


def _round(bench: EngineBench, packets: tuple[list[bytes], list[bytes]], seconds: int) -> float:
    spent, ticks = 0, seconds * 50
    for tick in range(ticks):
        bench.now += 20 * MS
        for leg, caller in enumerate(bench.callers):
            bench.send_to(leg, caller.next_packet(packets[leg % ROOM >= TALKERS][tick % 50]))
        before = time.thread_time_ns()
        bench.engine.step(bench.now)
        spent += time.thread_time_ns() - before
        for caller in bench.callers:
            caller.collect()
            caller.packets.clear()
    return spent / 1000 / ticks / len(bench.callers)


if __name__ == "__main__":
    given = sys.argv[1:]
    result = measure(int(given[0]) if given else 300, int(given[1]) if given[1:] else 2, (given[2:] or ["PCMU"])[0])
    print(f"{min(result):.3f} us a leg and tick at best, {np.median(result):.3f} in the middle of {ROUNDS} rounds")
