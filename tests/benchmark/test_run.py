"""A whole run with few callers. Whether it was fast enough depends on the machine; whether it was right does not."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mirliton.benchmark.command import bench
from mirliton.benchmark.machine import choose_cores
from mirliton.benchmark.peer import Bench
from mirliton.benchmark.proc import children
from mirliton.benchmark.progress import Screen
from mirliton.benchmark.result import Measurement, Result, Scenario, read
from mirliton.benchmark.server import serve

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),  # it may be the first to compile the engine
    pytest.mark.skipif(shutil.which("sipp") is None, reason="needs Debian's sip-tester"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler"),
]


@pytest.fixture
def application() -> typer.Typer:
    """The command by itself."""
    app = typer.Typer()
    app.command()(bench)
    return app


def the_only(result: Result) -> Measurement:
    """Of a run with one system."""
    assert [failure.why for failure in result.failures] == []
    (made,) = result.measurements
    return made


def check_sound(made: Measurement, callers: int) -> None:
    """Everybody got everything, and heard a talker."""
    # A machine that is busy with other things makes the generator late, and the run says so; nothing else may fail.
    assert all("load generator" in problem for problem in made.problems), made.problems
    traffic = made.measured.traffic
    assert (traffic.calls, traffic.silent, made.measured.hearing) == (callers, 0, callers)
    assert traffic.received == traffic.expected
    assert traffic.fewest > 0.5 * 50 * traffic.seconds
    assert made.measured.delay.packets > 50
    assert made.measured.total > 0


def test_twenty_callers_are_measured(application: typer.Typer, tmp_path: Path) -> None:
    out, keep = tmp_path / "bench.json", tmp_path / "keep"
    words = ["--callers", "20", "--room", "10", "--codec", "pcmu", "--seconds", "3", "--out", str(out)]
    words += ["--keep", str(keep), "--profile", "--system", "floor", "--system", "mirliton"]
    done = CliRunner().invoke(application, words)
    assert done.exit_code in (0, 1), done.output
    result = read(out)
    assert done.exit_code == (0 if result.valid else 1)
    floor, ours = result.measurements
    check_sound(ours, 20)
    assert floor.measured.traffic.silent == 0
    assert ours.set_up is not None
    assert ours.account is not None
    assert (ours.set_up.answered, ours.account.members_at_end, ours.account.restarts) == (20, 20, 0)
    assert set(ours.measured.processes) == {"engine", "control"}
    assert ours.memory.per_call() > 0
    assert ours.account.per_frame["packets out"] == pytest.approx(20, rel=0.5)
    assert [ratio.against for ratio in result.ratios] == ["floor"]
    assert "Ratios of this run" in done.output
    assert (next(keep.iterdir()) / "mirliton-pcmu-rooms-of-10-20" / "server.log").exists()


@pytest.mark.skipif(shutil.which("janus") is None, reason="needs Debian's janus")
@pytest.mark.parametrize("codec", ["pcmu", "opus"])
def test_janus_is_measured_by_the_same_load(application: typer.Typer, tmp_path: Path, codec: str) -> None:
    out = tmp_path / "bench.json"
    words = ["--callers", "6", "--room", "6", "--codec", codec, "--seconds", "2", "--out", str(out)]
    done = CliRunner().invoke(application, [*words, "--system", "janus"])
    assert done.exit_code in (0, 1), done.output
    check_sound(the_only(read(out)), 6)


def test_a_bridge_that_is_missing_is_told_with_what_to_install(
    application: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("gcc", "sipp", "as", "ld"):
        (tools / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("PATH", str(tools))
    words = ["--callers", "5", "--room", "5", "--codec", "pcmu", "--seconds", "1", "--system", "floor"]
    done = CliRunner().invoke(application, [*words, "--system", "janus", "--out", str(tmp_path / "bench.json")])
    assert done.exit_code in (0, 1), done.output
    assert read(tmp_path / "bench.json").absent["janus"] == "not installed: sudo apt-get install janus"


def test_a_bridge_of_somebody_else_is_called_too(application: typer.Typer, tmp_path: Path) -> None:
    scenario, out = Scenario("rooms-of-3", "pcmu", 3, 3, 3), tmp_path / "bench.json"
    place = Bench(Path(), Path(), "", {}, choose_cores(), tmp_path, Screen())
    (tmp_path / "other").mkdir()
    with serve(place, scenario, tmp_path / "other") as other:
        pid, allowed = other.processes["engine"], os.sched_getaffinity(other.processes["engine"])
        words = ["--callers", "3", "--room", "3", "--codec", "pcmu", "--seconds", "2", "--system", "floor"]
        done = CliRunner().invoke(application, [*words, "--against", f"other={other.sip}/{pid}", "--out", str(out)])
        assert os.sched_getaffinity(pid) == allowed
    assert done.exit_code in (0, 1), done.output
    made = next(made for made in read(out).measurements if made.system == "other")
    check_sound(made, 3)
    assert made.set_up is not None
    assert made.set_up.answered == 3


def test_only_the_floor(application: typer.Typer, tmp_path: Path) -> None:
    words = ["--callers", "5", "--room", "5", "--codec", "pcmu", "--seconds", "2", "--system", "floor"]
    before, affinity = children(os.getpid()), os.sched_getaffinity(0)
    done = CliRunner().invoke(application, [*words, "--out", str(tmp_path / "bench.json")])
    assert done.exit_code in (0, 1), done.output
    assert (children(os.getpid()), os.sched_getaffinity(0)) == (before, affinity)
    delay = the_only(read(tmp_path / "bench.json")).measured.delay
    assert delay.packets > 50
    assert delay.p50_ms is not None
    assert 0 <= delay.p50_ms < 20  # an echo: what is added is the sleep of the floor and the machine's own load


def test_where_the_result_goes_is_looked_at_first(application: typer.Typer, tmp_path: Path) -> None:
    done = CliRunner().invoke(application, ["--out", str(tmp_path / "missing" / "bench.json")])
    assert done.exit_code == 2


@pytest.mark.parametrize("words", [["--codec", "mp3"], ["--scenario", "x"], ["--system", "x"], ["--against", "x"]])
def test_an_unknown_word_is_refused(application: typer.Typer, words: list[str]) -> None:
    assert CliRunner().invoke(application, words).exit_code == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_run_that_is_stopped_leaves_no_process(tmp_path: Path, number: signal.Signals, code: int) -> None:
    program = "import typer; from mirliton.benchmark.command import bench; typer.run(bench)"
    words = ["--callers", "5", "--seconds", "60", "--system", "mirliton", "--keep", str(tmp_path)]
    command = [sys.executable, "-u", "-c", program, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path, text=True) as run:
        try:
            assert run.stdout is not None
            assert any("placing" in line for line in run.stdout)
            assert processes_of(tmp_path)
            run.send_signal(number)
            assert run.wait(60) == code
        finally:
            run.kill()
    assert processes_of(tmp_path) == []
    assert not (tmp_path / "bench.json").exists()


def processes_of(folder: Path) -> list[str]:
    """The programs that work in a folder or were told its name."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command, place = (process / "cmdline").read_text(), (process / "cwd").readlink()
        except OSError:  # it ended while we looked
            continue
        if str(folder) in command or place.is_relative_to(folder):
            found.append(command)
    return found
