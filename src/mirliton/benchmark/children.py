"""The programs that a run starts: each on its own core, each ended by its process id, whatever happens."""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

STOP_SECONDS = 10.0


class ProgramFailed(Exception):
    """A program of the run did not do its part; the text says which, and its last words."""


@contextmanager
def running(
    command: Sequence[str | Path], core: int, errors: Path, *, folder: Path | None = None, said: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program on a core, and stop it at the end. Its stdout is a pipe, its stderr goes to the file `errors`.

    `said`: a file for its stdout instead, for a program that talks more than anybody reads.

    In a session of its own, so that Ctrl-C reaches only the benchmark, which then ends everything in order.
    """
    with errors.open("wb") as log, (said or Path(os.devnull)).open("wb") as talk:
        process = subprocess.Popen(  # noqa: S603 - our own tools, SIPp and ourselves
            [str(word) for word in command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=talk if said else subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            bufsize=0,  # a line that waits in a buffer of ours would not wake `wait_for_line`
        )
    try:
        with contextlib.suppress(ProcessLookupError):  # if it has failed already, the first read says so
            os.sched_setaffinity(process.pid, {core})
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> bytes:
    """End it by SIGTERM, then it and its own children by SIGKILL; returns what it still had to say on stdout."""
    if process.poll() is None:
        process.terminate()
    try:
        said, _ = process.communicate(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with what it started, which may hold its stdout open
        said, _ = process.communicate()
    except ValueError:  # stopped before: its stdout is closed
        return b""
    except BaseException:  # told to hurry (a second Ctrl-C): it must not outlive us
        process.kill()
        raise
    return said or b""


def wait_for_line(process: subprocess.Popen[bytes], start: str, seconds: float, errors: Path) -> str:
    """The first line of its stdout that begins so. Raises `ProgramFailed` when it does not come in time."""
    if process.stdout is None:
        raise ProgramFailed("the program was started without a pipe")
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            line = process.stdout.readline().decode("utf-8", "replace")
            if line.startswith(start):
                return line.strip()
            if not line:
                raise ProgramFailed(f"{name_of(process)} ended before it was ready: {last_words(errors)}")
    raise ProgramFailed(f"{name_of(process)} was not ready after {seconds:g} s: {last_words(errors)}")


def name_of(process: subprocess.Popen[bytes]) -> str:
    """For messages."""
    words = process.args if isinstance(process.args, list) else [process.args]
    return " ".join(Path(str(word)).name for word in words[:4])


def last_words(log: Path, lines: int = 8) -> str:
    """The end of a log, for a message."""
    text = log.read_text("utf-8", "replace").strip() if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:]) or "it said nothing"
