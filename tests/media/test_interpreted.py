"""The kernels as plain Python: what a debugger steps through is the engine, too."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_calls_are_mixed_without_a_compiler() -> None:
    chosen = [HERE / "test_sources.py::test_a_caller_behind_nat_is_heard_from_another_port", HERE / "test_digits.py"]
    left_out = ["-k", "not G722"]  # half of the time
    outcome = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-x", *left_out, *map(str, chosen)],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
