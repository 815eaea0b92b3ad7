"""The callers' voices and ears: the program `rtpload`, which sends and judges the RTP of all calls."""

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mirliton.benchmark.children import ProgramFailed, last_words, running, stop, wait_for_line
from mirliton.benchmark.probes import Probe, UnreadableProbes, read_probes
from mirliton.benchmark.result import Scenario, Traffic

_READY_SECONDS = 30.0
STRIDE = 2
"""Between two calls' ports: the odd ones are RTCP's (RFC 3550 section 11)."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the callers' side says at its end. `probes`: some calls over all the time, all calls at the end.

    `gaps`: how many gaps between two packets lasted so many tenths of a millisecond.
    """

    traffic: Traffic
    gaps: Mapping[int, int]
    probes: dict[int, Probe]


class _Gaps(msgspec.Struct):
    """The part of the generator's line that is no figure by itself."""

    gaps: dict[int, int]


class Load:
    """A running generator. Its measurement begins and ends when it is told to."""

    def __init__(self, process: subprocess.Popen[bytes], ports: range, folder: Path) -> None:
        self._process = process
        self._folder = folder
        self.ports = ports

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def connect(self, peers: Sequence[int]) -> None:
        """Where the bridge does not send first: its port for each call."""
        (self._folder / "peers.txt").write_text("\n".join(map(str, peers)) + "\n")
        self._process.send_signal(signal.SIGUSR2)

    def begin(self) -> None:
        """Forget what was before; measure from now on."""
        self._process.send_signal(signal.SIGUSR1)

    def finish(self) -> Heard:
        """End it; what it measured. Raises `ProgramFailed`."""
        said = stop(self._process)
        if self._process.returncode != 0:
            errors = self._folder / "rtpload.log"
            raise ProgramFailed(f"rtpload ended with code {self._process.returncode}: {last_words(errors)}")
        try:
            return Heard(*parse_line(said), read_probes((self._folder / "probes.bin").read_bytes()))
        except UnreadableProbes as error:
            raise ProgramFailed(f"rtpload wrote probes that cannot be read: {error}") from error


def parse_line(line: bytes) -> tuple[Traffic, dict[int, int]]:
    """What `rtpload` prints at its end: traffic, and its gaps, see `Heard`. Raises `ProgramFailed`."""
    try:
        return msgspec.json.decode(line, type=Traffic), msgspec.json.decode(line, type=_Gaps).gaps
    except msgspec.DecodeError as error:
        raise ProgramFailed(f"rtpload printed what is no result ({error}): {line[:200]!r}") from error


@contextmanager
def voices(
    program: Path, said: Path, scenario: Scenario, ports: range, probed: Sequence[int], core: int, folder: Path
) -> Iterator[Load]:
    """Start the generator for as many calls as there are `ports`, and stop it at the end.

    `said`: the file of `voices.write_voices`. `probed`: the calls all of whose packets are kept.
    """
    errors = folder / "rtpload.log"
    command: list[str | Path] = [
        program, "-n", str(len(ports)), "-p", str(ports.start), "-s", str(ports.step), "-r", str(scenario.room),
        "-t", str(scenario.talkers), "-v", said, "-P", folder / "peers.txt",
        "-k", ",".join(map(str, probed)), "-o", folder / "probes.bin",
    ]  # fmt: skip
    with running(command, core, errors) as process:
        wait_for_line(process, "ready", _READY_SECONDS, errors)
        yield Load(process, ports, folder)
