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
from mirliton.benchmark.proc import children
from mirliton.benchmark.result import read

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


def test_twenty_callers_are_measured(application: typer.Typer, tmp_path: Path) -> None:
    out, keep = tmp_path / "bench.json", tmp_path / "keep"
    words = ["--callers", "20", "--seconds", "3", "--out", str(out), "--keep", str(keep), "--profile"]
    done = CliRunner().invoke(application, words)
    assert done.exit_code in (0, 1), done.output
    result = read(out)
    assert done.exit_code == (0 if result.valid else 1)
    # A machine that is busy with other things makes the generator late, and the run says so; nothing else may fail.
    assert all("load generator" in problem for problem in result.problems), result.problems
    bridge = result.bridge
    assert bridge is not None
    assert (bridge.set_up.answered, bridge.members_at_end, bridge.restarts) == (20, 20, 0)
    traffic = bridge.measured.traffic
    assert (traffic.calls, traffic.silent, traffic.hearing) == (20, 0, 20)
    assert traffic.loss == 0
    assert traffic.fewest > 0.5 * 50 * traffic.seconds
    assert set(bridge.measured.processes) == {"engine", "control"}
    assert bridge.engine.total > 0
    assert bridge.memory.loaded > bridge.memory.idle > 0
    assert bridge.per_frame["packets out"] == pytest.approx(20, rel=0.5)
    assert result.floor.traffic.silent == 0
    assert "engine / floor" in done.output
    assert (next(keep.iterdir()) / "bridge" / "server.log").exists()


def test_only_the_floor(application: typer.Typer, tmp_path: Path) -> None:
    words = ["--callers", "5", "--seconds", "1", "--floor-only", "--out", str(tmp_path / "bench.json")]
    before, affinity = children(os.getpid()), os.sched_getaffinity(0)
    done = CliRunner().invoke(application, words)
    assert done.exit_code in (0, 1), done.output
    assert (children(os.getpid()), os.sched_getaffinity(0)) == (before, affinity)
    assert read(tmp_path / "bench.json").bridge is None


def test_where_the_result_goes_is_looked_at_first(application: typer.Typer, tmp_path: Path) -> None:
    done = CliRunner().invoke(application, ["--out", str(tmp_path / "missing" / "bench.json")])
    assert done.exit_code == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_leaves_no_process(tmp_path: Path, number: signal.Signals, code: int) -> None:
    program = "import typer; from mirliton.benchmark.command import bench; typer.run(bench)"
    command = [sys.executable, "-u", "-c", program, "--callers", "5", "--seconds", "60", "--keep", str(tmp_path)]
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
