"""What the measuring programs and the kernel say is read as it was meant."""

import os
import socket
import subprocess

import msgspec
import pytest

from mirliton.benchmark.children import ProgramFailed
from mirliton.benchmark.foreign import parse_foreign
from mirliton.benchmark.load import parse_line
from mirliton.benchmark.machine import are_threads_of_one, cpu_model, parse_cores_list
from mirliton.benchmark.proc import Used, dropped, parse_cores, parse_drops, parse_process, process_used, udp_ports_of
from mirliton.benchmark.scenario import CODECS, hearing_expected, probe_pairs
from mirliton.benchmark.server import parse_buckets, parse_metrics
from mirliton.benchmark.sipp import parse_set_up, percentile, scenario_of

from .results import SCENARIO

LOAD_LINE = (
    b'{"calls": 20, "seconds": 3.000, "sent": 3000, "received": 2997, "expected": 3000, "due": 2999, '
    b'"fewest": 147, "silent": 1, "unkept": 0, '
    b'"gap_p50_ms": 20.0, "gap_p99_ms": 23.9, "gap_p999_ms": 24.0, "gap_max_ms": 24.1, '
    b'"slots": 3001, "late_slots": 2, "latest_ms": 23.5, "gaps": {"199": 7, "200": 2900}}\n'
)
TRACE = """Date_ms;response_time_ms;rtd_no
100.001;10;1
150.001;30;1
200.001;20;1
600.001;40;1
"""


def test_the_loads_line_becomes_traffic() -> None:
    traffic, gaps = parse_line(LOAD_LINE)
    assert (traffic.calls, traffic.sent, traffic.silent, traffic.late_slots) == (20, 3000, 1, 2)
    assert traffic.loss == pytest.approx(0.001)
    assert gaps == {199: 7, 200: 2900}


@pytest.mark.parametrize("line", [b"", b"ready\n", LOAD_LINE[:100], LOAD_LINE.replace(b"2997", b'"many"')])
def test_anything_else_from_the_load_is_a_failure(line: bytes) -> None:
    with pytest.raises(ProgramFailed, match="no result"):
        parse_line(line)


def test_nothing_expected_is_all_lost() -> None:
    assert msgspec.structs.replace(parse_line(LOAD_LINE)[0], expected=0, due=0, received=0).loss == 1


def test_response_times_become_rate_and_percentiles() -> None:
    found = parse_set_up(TRACE, 5, 20.0)
    assert (found.calls, found.answered, found.offered) == (5, 4, 20.0)
    assert found.reached == pytest.approx(6.0)  # three intervals in half a second
    assert (found.p50_ms, found.p99_ms, found.max_ms) == (20.0, 40.0, 40.0)


def test_a_response_that_is_not_written_whole_does_not_count() -> None:
    assert parse_set_up(TRACE + "700.00", 5, 20.0) == parse_set_up(TRACE, 5, 20.0)


@pytest.mark.parametrize("trace", ["", "Date_ms;response_time_ms;rtd_no\n"])
def test_no_answered_call_has_no_times(trace: str) -> None:
    found = parse_set_up(trace, 5, 20.0)
    assert (found.answered, found.reached, found.p50_ms, found.max_ms) == (0, 0.0, None, None)


def test_a_percentile_is_a_value_that_was_seen() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, fraction) for fraction in (0.0, 0.5, 0.99, 1.0)] == [1.0, 50.0, 99.0, 100.0]
    assert percentile([], 0.5) is None


def test_a_process_name_may_hold_spaces_and_brackets() -> None:
    numbers = " ".join(str(field) for field in range(3, 53))
    status = parse_process(f"4711 (a (very) odd) S 12 {numbers.split(' ', 2)[2]}")
    assert (status.state, status.parent) == ("S", 12)
    assert (status.used.user, status.used.system) == (0.14, 0.15)  # fields 14 and 15, in hundredths of a second
    assert status.started == 22


def test_what_is_left_of_a_process_has_no_figures() -> None:
    with subprocess.Popen(["true"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(ProcessLookupError, match="has ended"):
            process_used(ended.pid)


def test_packets_are_missed_on_sockets_of_both_families() -> None:
    with (
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as full,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out,
    ):
        full.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        full.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        full.bind(("::", 0))
        port = full.getsockname()[1]
        for _ in range(1000):
            out.sendto(bytes(172), ("127.0.0.1", port))
        assert dropped([port]) > 0
        assert port in udp_ports_of(os.getpid())


def test_a_set_of_cores_is_read() -> None:
    assert parse_cores_list("0,4-6\n") == {0, 4, 5, 6}
    assert parse_cores_list("3\n") == {3}
    assert not are_threads_of_one(0, 0)


def test_interrupts_count_as_system_time_of_a_core() -> None:
    text = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 100 10 50 900 7 20 30 40 5 5\ncpu1 1 0 0 0 0 0 0 0 0 0\nintr 5 6\n"
    cores = parse_cores(text)
    assert cores == {0: Used(1.1, 1.0, 0.4), 1: Used(0.01, 0.0, 0.0)}
    assert cores[0].share_since(Used(0.1, 0.5), 2.0).total == pytest.approx(0.75)


def test_drops_are_found_by_local_port() -> None:
    text = (
        "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer "
        "drops             \n"
        "  100: 0100007F:2710 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 11 2 00000000 7\n"
        "  101: 0100007F:2712 0100007F:4E20 01 00000000:00000000 00:00000000 00000000     0        0 12 2 00000000 0\n"
    )
    assert parse_drops(text) == {10_000: 7, 10_002: 0}


def test_metrics_lose_prefix_and_suffix_and_those_with_labels_are_left_out() -> None:
    text = (
        "# HELP mirliton_media_legs legs (media)\n# TYPE mirliton_media_legs gauge\nmirliton_media_legs 3.0\n"
        "mirliton_media_packets_in_total 1.5e+06\n"
        'mirliton_http_requests_total{code="200",route="/x"} 4.0\nprocess_threads 9\n'
    )
    assert parse_metrics(text) == {"media_legs": 3.0, "media_packets_in": 1_500_000.0}


def test_the_processor_is_named() -> None:
    assert cpu_model("processor\t: 0\nmodel\t\t: 17\nmodel name\t: A CPU @ 2 GHz\n") == "A CPU @ 2 GHz"


@pytest.mark.parametrize(
    ("callers", "talkers", "expected"),
    [
        (20, 3, 20),
        (20, 0, 0),
        (20, 1, 18),  # the talker of each room is alone with the silence of the others
        (11, 3, 10),  # the last room holds one person
        (12, 1, 10),
        (12, 3, 12),
    ],
)
def test_who_should_hear_somebody(callers: int, talkers: int, expected: int) -> None:
    assert hearing_expected(msgspec.structs.replace(SCENARIO, callers=callers, talkers=talkers)) == expected


def test_the_histogram_of_late_ticks_is_found_by_its_bounds() -> None:
    text = (
        "# TYPE mirliton_media_tick_late_seconds histogram\n"
        'mirliton_media_tick_late_seconds_bucket{le="0.001"} 90.0\n'
        'mirliton_media_tick_late_seconds_bucket{le="+Inf"} 1e+02\n'
        "mirliton_media_tick_late_seconds_count 100.0\n"
        'mirliton_other_bucket{le="0.1"} 3.0\n'
    )
    assert parse_buckets(text) == {0.001: 90.0, float("inf"): 100.0}
    assert parse_buckets("mirliton_media_tick_late_seconds_max 0.1\n") == {}


@pytest.mark.parametrize("codec", CODECS)
def test_a_call_offers_one_codec(codec: str) -> None:
    text = scenario_of(codec)
    assert "MEDIA" not in text
    assert text.count("a=rtpmap:") == 2


@pytest.mark.parametrize(
    ("callers", "room", "expected"),
    [
        (20, 10, [(0, 9), (10, 19)]),
        (11, 10, [(0, 1), (0, 2)]),  # who is alone in the last room hears nobody
        (5, 5, [(0, 1), (0, 2), (0, 3), (0, 4)]),
        (1, 10, []),
    ],
)
def test_probes_are_a_talker_and_a_listener_of_a_room(callers: int, room: int, expected: list[tuple[int, int]]) -> None:
    found = probe_pairs(msgspec.structs.replace(SCENARIO, callers=callers, room=room))
    assert found[: len(expected)] == expected
    assert bool(found) == bool(expected)


def test_the_probes_of_a_large_room_are_few_and_spread() -> None:
    found = probe_pairs(msgspec.structs.replace(SCENARIO, callers=1003, room=1003))
    assert len(found) == 8
    assert found[-1][1] - found[0][1] > 800


@pytest.mark.parametrize("text", ["", "x", "x=127.0.0.1:5060", "=127.0.0.1:5060/1", "x=127.0.0.1:5060/one", "x=a:1/0"])
def test_a_foreign_bridge_needs_name_place_and_process(text: str) -> None:
    with pytest.raises(ValueError, match=r"NAME=HOST:PORT/PID|no process"):
        parse_foreign(text)
