"""The callers' voices and ears: the program `rtpload`, which sends and judges the RTP of all calls."""

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from mirliton.benchmark.children import ProgramFailed, last_words, running, stop, wait_for_line
from mirliton.benchmark.result import Task, Traffic

_READY_SECONDS = 30.0
STRIDE = 2
"""Between two calls' ports: the odd ones are RTCP's (RFC 3550 section 11)."""


class Load:
    """A running generator. Its measurement begins and ends when it is told to."""

    def __init__(self, process: subprocess.Popen[bytes], ports: range, errors: Path) -> None:
        self._process = process
        self._errors = errors
        self.ports = ports

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def begin(self) -> None:
        """Forget what was before; measure from now on."""
        self._process.send_signal(signal.SIGUSR1)

    def finish(self) -> Traffic:
        """End it; what it measured. Raises `ProgramFailed`."""
        said = stop(self._process)
        if self._process.returncode != 0:
            raise ProgramFailed(f"rtpload ended with code {self._process.returncode}: {last_words(self._errors)}")
        return parse_traffic(said)


def parse_traffic(line: bytes) -> Traffic:
    """The line that `rtpload` prints at its end. Raises `ProgramFailed`."""
    try:
        return msgspec.json.decode(line, type=Traffic)
    except msgspec.DecodeError as error:
        raise ProgramFailed(f"rtpload printed what is no result ({error}): {line[:200]!r}") from error


@contextmanager
def voices(
    program: Path, task: Task, ports: range, core: int, folder: Path, *, peers: Sequence[int] | None = None
) -> Iterator[Load]:
    """Start the generator for as many calls as there are `ports`, and stop it at the end.

    `peers`: the bridge's port for each call, where the bridge does not send first.
    """
    errors = folder / "rtpload.log"
    command: list[str | Path] = [
        program, str(len(ports)), str(ports.start), str(ports.step), str(task.room), str(task.talkers),
    ]  # fmt: skip
    if peers is not None:
        listed = folder / "peers.txt"
        listed.write_text("\n".join(map(str, peers)) + "\n")
        command.append(listed)
    with running(command, core, errors) as process:
        wait_for_line(process, "ready", _READY_SECONDS, errors)
        yield Load(process, ports, errors)


def hearing_expected(task: Task) -> int:
    """How many callers shall hear somebody: all who share a room with a talker other than themselves."""
    expected = 0
    for first in range(0, task.callers, task.room):
        people = min(task.room, task.callers - first)
        talkers = min(task.talkers, people)
        expected += 0 if talkers == 0 else people - 1 if talkers == 1 else people
    return expected
