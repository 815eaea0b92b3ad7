"""The programs of a run end with it, and what they say is read as they say it."""

import subprocess
from pathlib import Path

import pytest

from mirliton.benchmark import children
from mirliton.benchmark.children import running, stop, wait_for_line

pytestmark = pytest.mark.slow
_STUBBORN = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"]


def test_a_second_interrupt_leaves_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_words: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with subprocess.Popen(_STUBBORN, stdout=subprocess.PIPE, bufsize=0) as process:
        wait_for_line(process, "ready", 10.0, tmp_path / "errors")
        with monkeypatch.context() as patched:
            patched.setattr(process, "communicate", interrupted)
            with pytest.raises(KeyboardInterrupt):
                stop(process)
        assert process.wait(10.0) != 0


def test_a_line_that_came_with_others_is_found(tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    with running(["sh", "-c", "printf 'one\\ntwo\\nready 3\\n'; exec sleep 60"], 0, errors) as process:
        assert wait_for_line(process, "ready", 10.0, errors) == "ready 3"


def test_what_a_program_started_does_not_outlive_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "STOP_SECONDS", 0.3)
    errors = tmp_path / "errors"
    with running(["sh", "-c", "sleep 600 & echo ready $!; wait"], 0, errors) as process:
        grandchild = int(wait_for_line(process, "ready", 10.0, errors).split()[1])
    stat = Path(f"/proc/{grandchild}/stat")
    assert not stat.exists() or stat.read_text().split()[2] == "Z"
