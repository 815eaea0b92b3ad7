"""The callers' signalling: SIPp (Debian's sip-tester) places the calls, holds them, and hangs up."""

import math
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from mirliton.benchmark.children import last_words, running
from mirliton.benchmark.ports import HOST, free_port
from mirliton.benchmark.result import SetUp

MEDIA = {
    "pcmu": """m=audio [field1] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000""",
    "opus": """m=audio [field1] RTP/AVP 111 101
a=rtpmap:111 opus/48000/2
a=fmtp:111 maxplaybackrate=48000;stereo=0;useinbandfec=0;usedtx=0
a=rtpmap:101 telephone-event/48000""",
}
"""The offer's media line and payload types (RFC 3551, RFC 7587)."""
_BYE_SECONDS = 10.0
_POLL_SECONDS = 0.1


class Placed:
    """Calls that SIPp places, holds for a time, and hangs up."""

    def __init__(self, process: subprocess.Popen[bytes], calls: int, rate: float, hold: float, folder: Path) -> None:
        self._process = process
        self._calls = calls
        self._rate = rate
        self._gone_at = time.monotonic() + calls / rate + hold + _BYE_SECONDS
        self._folder = folder

    @property
    def ended(self) -> bool:
        """SIPp has nothing more to do: too early means that calls failed."""
        return self._process.poll() is not None

    def wait_for_end(self) -> None:
        """Until the last call has been hung up; not for ever if answers to BYE are missing."""
        while not self.ended and time.monotonic() < self._gone_at:
            time.sleep(_POLL_SECONDS)

    @property
    def answered(self) -> int:
        """How many calls were so far."""
        return max(0, self._trace().count("\n") - 1)

    def set_up(self) -> SetUp:
        """How fast calls were answered, so far."""
        return parse_set_up(self._trace(), self._calls, self._rate)

    def response_times(self) -> list[float]:
        """From INVITE to 200 of each answered call so far, in ms."""
        return [response for _, response in parse_responses(self._trace())]

    def _trace(self) -> str:
        trace = next(self._folder.glob("*_rtt.csv"), None)
        return trace.read_text() if trace else ""

    def complaint(self) -> str:
        """The last of what SIPp noted as errors, "" if there were none."""
        errors = self._folder / "errors.log"
        return last_words(errors, 3) if errors.exists() else ""


def parse_responses(trace: str) -> list[tuple[float, float]]:
    """SIPp's file of response times: `time of the answer in ms;response time in ms;which timer`, under a heading.

    A last line that SIPp has not written whole is left out. Its clock has a resolution of about a millisecond.
    """
    whole = trace[: trace.rfind("\n") + 1]
    rows = [line.split(";") for line in whole.splitlines() if line[:1].isdigit()]
    return [(float(at), float(response)) for at, response, *_ in rows]


def parse_set_up(trace: str, calls: int, offered: float) -> SetUp:
    """How fast calls were answered, from SIPp's file of response times."""
    rows = parse_responses(trace)
    times = sorted(response for _, response in rows)
    answers = [at for at, _ in rows]
    span = (max(answers) - min(answers)) / 1000 if len(rows) > 1 else 0.0
    return SetUp(
        calls=calls,
        answered=len(rows),
        offered=offered,
        reached=(len(rows) - 1) / span if span else 0.0,
        p50_ms=percentile(times, 0.5),
        p99_ms=percentile(times, 0.99),
        max_ms=times[-1] if times else None,
    )


def percentile(ordered: list[float], fraction: float) -> float | None:
    """The least value that this fraction of the values does not exceed (nearest rank); None of nothing."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)]


@contextmanager
def calls(
    sipp: str,
    target: str,
    codec: str,
    numbers: Sequence[str],
    ports: range,
    rate: float,
    hold: float,
    core: int,
    folder: Path,
) -> Iterator[Placed]:
    """Place one call to each of the numbers at `target` (HOST:PORT), `rate` a second, each held for `hold` seconds.

    `codec`: one of `MEDIA`. `ports`: where each call's RTP goes. `folder`: SIPp writes its files there. At the end SIPp
    is stopped; who wants its calls to be hung up waits for that before.
    """
    rows = (f"{number};{port};\n" for number, port in zip(numbers, ports, strict=True))
    (folder / "calls.csv").write_text("SEQUENTIAL\n" + "".join(rows))
    count = str(len(numbers))
    scenario = folder / "conference.xml"
    scenario.write_text(scenario_of(codec))
    command: list[str | Path] = [
        sipp, target, "-sf", scenario, "-inf", "calls.csv", "-i", HOST, "-p", str(free_port()), "-nostdin",
        "-m", count, "-l", count, "-r", f"{rate:g}", "-d", str(round(hold * 1000)), "-buff_size", str(4 << 20),
        "-trace_rtt", "-rtt_freq", "1", "-trace_err", "-error_file", "errors.log",
    ]  # fmt: skip
    with running(command, core, folder / "stderr.log", folder=folder) as process:
        yield Placed(process, len(numbers), rate, hold, folder)


def scenario_of(codec: str) -> str:
    """SIPp's scenario, with an offer of this codec alone."""
    return files(__package__).joinpath("conference.xml").read_text("iso-8859-1").replace("MEDIA", MEDIA[codec])
