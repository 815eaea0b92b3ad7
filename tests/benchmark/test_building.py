"""The measuring tools are compiled once, and what is missing is named."""

import subprocess
from pathlib import Path

import pytest

from mirliton.benchmark.building import ToolMissing, build, cache_folder, find_program

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["floor", "rtpload"])
def test_a_tool_is_compiled_once_and_tells_its_usage(name: str, tmp_path: Path) -> None:
    program = build(name, tmp_path)
    compiled = program.stat().st_mtime_ns
    assert build(name, tmp_path).stat().st_mtime_ns == compiled
    assert [path.name for path in tmp_path.iterdir()] == [program.name]
    asked = subprocess.run([program], capture_output=True, check=False)
    assert (asked.returncode, asked.stderr.split()[0]) == (2, name.encode())


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="sipp is not installed: sudo apt-get install sip-tester"):
        find_program("sipp", "sip-tester")
    with pytest.raises(ToolMissing, match="gcc"):
        build("floor", tmp_path)


def test_the_cache_is_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "mirliton" / "bench"
