"""Results survive their file, and are printed and drawn for people."""

import json
from pathlib import Path

import msgspec
import pytest

from mirliton.benchmark.plot import draw
from mirliton.benchmark.report import grids, main, markdown, profile, rows
from mirliton.benchmark.result import FORMAT, Failure, UnreadableResult, read, write

from .results import FLOOR, JANUS, RESULT, SCENARIO, SET_UP, measurement, result

replace = msgspec.structs.replace


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    write(RESULT, file)
    assert read(file) == RESULT
    assert json.loads(file.read_text())["valid"] is True


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


def test_one_spoilt_measurement_or_failure_spoils_the_run() -> None:
    assert not result(FLOOR, measurement(problems=["the load was late"])).valid
    assert not result(FLOOR, failures=[Failure("janus", SCENARIO, "it did not start")]).valid


def test_the_systems_stand_side_by_side_in_the_markdown() -> None:
    late = measurement(problems=["the load was late"])
    lines = markdown(result(FLOOR, late, JANUS)).splitlines()
    assert lines[0] == "### 20 x pcmu, rooms-of-10 (3 of each room talk)"
    assert lines[2] == "|  | floor | mirliton | janus |"
    assert "| share of a core | 6.0% | 12.0% | 60.0% |" in lines
    assert "| a caller | 0.3000% of a core | 0.6000% of a core | 3.0000% of a core |" in lines
    assert "| valid | yes | NO: the load was late | yes |" in lines
    assert "| memory a leg |  | 50 KiB | 50 KiB |" in lines
    assert lines[-1].startswith("`mirliton bench`, 2026-03-04 05:06 UTC: A CPU, 2 cores")


def test_capacities_ratios_and_what_is_missing_have_tables() -> None:
    whole = replace(RESULT, absent={"asterisk": "not there"}, failures=[Failure("janus", SCENARIO, "it did not start")])
    found = {title: body for title, _, body in grids(whole)}
    assert found["Capacity"][0][3:] == ["at least 2000", "load", "2000: carried, 2400: x"]
    assert found["Capacity"][1][3:5] == ["400", "bridge"]
    assert [row[0] for row in found["Not measured"]] == ["asterisk", "janus, 20 x pcmu, rooms-of-10"]
    assert ["callers on a core", "janus", "pcmu, rooms of 10", "at least 5.00"] in found["Ratios of this run"]


def test_a_burst_that_nobody_answered_has_no_times() -> None:
    silent = replace(SET_UP, offered=150.0, answered=0, p50_ms=None, p99_ms=None, max_ms=None)
    assert dict(rows(measurement(burst=silent)))["set-up at 150 calls/s"] == "no call was answered"


def test_the_profile_divides_time_by_callers() -> None:
    shown = dict(profile(measurement()))
    assert shown["decodes in 20 ms"] == "20.0"
    assert shown["time for a caller and 20 ms"] == "120.00 µs"  # 12 % of 20 ms, for 20 callers


def test_the_report_is_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bench.json"
    write(RESULT, file)
    assert main([str(file)]) == 0
    assert capsys.readouterr().out == markdown(RESULT)
    assert main([]) == 2
    assert main([str(tmp_path / "missing.json")]) == 2
    assert "missing.json" in capsys.readouterr().err


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "bench.svg"
    draw(RESULT, file)
    text = file.read_text()
    assert text.startswith("<?xml")
    assert len(text) > 10_000
