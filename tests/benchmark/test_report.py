"""Results survive their file, and are printed for people."""

import json
from pathlib import Path

import msgspec
import pytest

from mirliton.benchmark.report import main, markdown, profile_rows, rows
from mirliton.benchmark.result import FORMAT, UnreadableResult, read, write

from .results import RESULT, SET_UP, bridge

replace = msgspec.structs.replace


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    write(RESULT, file)
    assert read(file) == RESULT
    document = json.loads(file.read_text())
    assert document["valid"] is True
    assert document["ratio"] == pytest.approx(2.0)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "one"}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bench.json"
    file.write_text(text)
    with pytest.raises(UnreadableResult, match=r"bench\.json"):
        read(file)


def test_a_result_of_another_format_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    write(replace(RESULT, format=FORMAT + 1), file)
    with pytest.raises(UnreadableResult, match="this version reads"):
        read(file)


def test_the_markdown_has_a_column_for_each_result_and_tells_the_commands() -> None:
    other = replace(RESULT, task=replace(RESULT.task, callers=40), problems=["the load was late"])
    lines = markdown([RESULT, other]).splitlines()
    assert lines[1] == "|---|---|---|"
    assert "| callers, room, talkers | 20, 10, 3 | 40, 10, 3 |" in lines
    assert "| engine / floor | 2.00 | 2.00 |" in lines
    assert "| valid | yes | NO: the load was late |" in lines
    assert {line.count("|") for line in lines if line.startswith("|")} == {4}
    assert lines[-1].startswith("2. `mirliton bench`, 2026-03-04 05:06 UTC: A CPU, 2 cores")


def test_without_a_bridge_only_the_floor_is_reported() -> None:
    alone = replace(RESULT, bridge=None)
    assert alone.ratio is None
    assert not any(name.startswith("engine") for name, _ in rows(alone))
    assert list(profile_rows(alone)) == []


def test_a_burst_that_nobody_answered_has_no_times() -> None:
    silent = replace(SET_UP, offered=150.0, answered=0, p50_ms=None, p99_ms=None, max_ms=None)
    shown = dict(rows(replace(RESULT, bridge=bridge(burst=silent))))
    assert shown["set-up at 150 calls/s"] == "no call was answered"


def test_the_profile_divides_time_by_callers() -> None:
    shown = dict(profile_rows(RESULT))
    assert shown["decodes in 20 ms"] == "20.0"
    assert shown["time for a caller and 20 ms"] == "120.00 µs"  # 12 % of 20 ms, for 20 callers
    assert shown["of it beyond the floor"] == "60.00 µs"


def test_the_report_is_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bench.json"
    write(RESULT, file)
    assert main([str(file)]) == 0
    assert capsys.readouterr().out == markdown([RESULT])
    assert main([]) == 2
    assert main([str(tmp_path / "missing.json")]) == 2
    assert "missing.json" in capsys.readouterr().err
