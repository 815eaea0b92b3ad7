"""`make test`: what is in real time goes first, and beside it, at a lower priority, everything else on two processes.

A phone that is held up says and hears things late, and so does the benchmark: they go one after the other, and what
they leave of two cores is enough for the others. Of these the files with the fewest tests come last, so that the hours
of the engine, which leave nothing of a core, are not beside the calls. Before all that the engine's kernels are
compiled, once: every process that finds them missing would compile them for itself, all at the same time. It takes one
core a minute or two, in which the other one runs the tests that need no kernels.
"""

import subprocess
import sys
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO

COMPILE = "from mirliton.media.process import load_kernels; load_kernels()"
PYTEST = (sys.executable, "-m", "pytest")
REAL_TIME = ("tests/calls", "tests/benchmark/test_run.py")
NO_KERNELS = tuple(
    f"tests/{name}"
    for name in (
        "callflow", "calls_unit", "check", "conference", "links", "outbound_http", "recording", "schemas", "server",
        "sip", "sounds", "store", "webhooks", "test_command_line.py", "test_sample_settings.py",
    )
)  # fmt: skip
BESIDE = ("-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider", "--durations=15")


def main() -> int:
    """0 when all tests passed. What is in real time is shown as it goes, the others when all have ended."""
    with tempfile.TemporaryFile("w+") as said, ThreadPoolExecutor() as threads:
        kernels = threads.submit(_compile)
        others = threads.submit(_others, kernels, said)
        kernels.result()
        failed = [_pytest(part) for part in REAL_TIME] + [others.result()]
        said.seek(0)
        print(said.read(), flush=True)
    return int(any(failed))


def _compile() -> None:
    print("compiling the audio engine, unless that was done: one or two minutes", flush=True)
    subprocess.run([sys.executable, "-c", COMPILE], check=True)


def _pytest(*arguments: str) -> int:
    return subprocess.run([*PYTEST, *arguments], check=False).returncode


def _others(kernels: Future[None], said: IO[str]) -> int:
    """All other tests: those without kernels at once, the rest when there are kernels."""
    first = _beside(said, *NO_KERNELS)
    kernels.result()
    return _beside(said, *(f"--ignore={part}" for part in REAL_TIME), *_rest()) or first


def _rest() -> list[str]:
    """Every folder and file of tests that has not run, so that a new one cannot be forgotten."""
    parts = {str(part) for part in Path("tests").glob("*") if part.is_dir() or part.match("test_*.py")}
    return sorted(parts - {"tests/__pycache__", "tests/calls", *NO_KERNELS})


def _beside(said: IO[str], *arguments: str) -> int:
    command = ["nice", "-n", "15", *PYTEST, *BESIDE, *arguments]
    return subprocess.run(command, stdout=said, stderr=subprocess.STDOUT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
