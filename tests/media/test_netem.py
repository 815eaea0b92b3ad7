"""The network emulator does what it says, and the same again."""

import itertools

import numpy as np
import pytest

from tests.media.netem import Network, constant, stalls, uniform


def through(network: Network, packets: int = 5000) -> list[tuple[float, int]]:
    """(time of arrival to 1 ms, number) of packets sent every 20 ms."""
    came, sent = [], 0
    for at in range(packets * 20 + 1000):
        if at % 20 == 0 and sent < packets:
            network.send(sent.to_bytes(4, "big"), float(at))
            sent += 1
        came += [(float(at), int.from_bytes(packet, "big")) for packet in network.arrived(float(at))]
    return came


def test_the_same_seed_is_the_same_network() -> None:
    first, second, other = (
        through(Network(uniform(0, 60), loss=0.1, repeated=0.1, seed=seed), 500) for seed in (3, 3, 4)
    )
    assert first == second
    assert first != other


def test_a_perfect_network_only_delays() -> None:
    assert through(Network(constant(40)), 100) == [(20.0 * n + 40, n) for n in range(100)]


def test_delays_lie_where_they_should() -> None:
    delays = [at - 20 * number for at, number in through(Network(uniform(10, 70), in_order=False))]
    assert min(delays) >= 10
    assert max(delays) <= 71
    assert np.mean(delays) == pytest.approx(40.5, abs=2)


def test_packets_overtake_each_other_only_where_they_may() -> None:
    in_order = [number for _, number in through(Network(uniform(0, 60)))]
    overtaking = [number for _, number in through(Network(uniform(0, 60), in_order=False))]
    assert in_order == sorted(in_order)
    assert overtaking != sorted(overtaking)


def test_random_loss_and_repetition_are_as_frequent_as_said() -> None:
    numbers = [number for _, number in through(Network(loss=0.1, repeated=0.2))]
    assert len(set(numbers)) == pytest.approx(4500, abs=100)
    assert len(numbers) - len(set(numbers)) == pytest.approx(900, abs=100)


def test_bursts_are_as_long_as_said() -> None:
    network = Network(burst_begins=0.02, burst_ends=0.25)
    numbers = [number for _, number in through(network)]
    runs = [b - a - 1 for a, b in itertools.pairwise(numbers) if b - a > 1]
    assert np.mean(runs) == pytest.approx(4, abs=1)
    assert network.lost == pytest.approx(5000 * 0.02 / 0.27, rel=0.3)


def test_after_a_stall_everything_comes_at_once() -> None:
    arrivals = [at for at, _ in through(Network(stalls(every=2000, lasts=200)), 300)]
    assert max(arrivals.count(at) for at in set(arrivals)) >= 9
