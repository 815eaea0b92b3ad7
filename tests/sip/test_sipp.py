"""SIPp, an independent implementation, calls the agent by the scenarios in `scenarios/`."""

import asyncio
import shutil
from collections import Counter
from pathlib import Path

import pytest

from mirliton.sip.sdp import answer_offer, make_offer, read_answer
from mirliton.sip.types import Session

from .conftest import StartAgent

SCENARIOS = Path(__file__).parent / "scenarios"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("sipp") is None, reason="needs Debian's sip-tester"),
]


class Switchboard:
    """Answers every call with real SDP, and notes what happened."""

    def __init__(self, *, only_ring: bool = False) -> None:
        self.seen: Counter[str] = Counter()
        self._only_ring = only_ring

    async def __call__(self, session: Session) -> None:
        self.seen["calls"] += 1
        offers: list[bytes] = []

        def change(sdp: bytes | None) -> bytes | None:
            self.seen["changes"] += 1
            return answer_offer(sdp, "127.0.0.1", 10_000, 1, 1 + self.seen["changes"])[0] if sdp else None

        def answered(sdp: bytes) -> bool:
            self.seen[f"answered {read_answer(offers[0], sdp).codec}"] += 1
            return True

        def digit(digit: str) -> None:
            self.seen[f"digit {digit}"] += 1

        def ended(reason: str) -> None:
            self.seen[reason] += 1

        session.on_media_change, session.on_media_answer = change, answered
        session.on_digit, session.on_ended = digit, ended
        await session.ring()
        if self._only_ring:
            return
        if session.offer is None:
            offers.append(make_offer("127.0.0.1", 10_000, 1, 1))
            await session.answer(offers[0])
        else:
            await session.answer(answer_offer(session.offer, "127.0.0.1", 10_000, 1, 1)[0])


async def sipp(scenario: str, port: int, folder: Path, *options: str) -> None:
    """Run one scenario; fails with SIPp's own words."""
    process = await asyncio.create_subprocess_exec(
        "sipp", f"127.0.0.1:{port}", "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", "127.0.0.1", "-nostdin",
        "-timeout", "30s", "-timeout_error", "-trace_err", "-error_file", str(folder / "errors"),
        *(options or ("-m", "1")),
        cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    code = await process.wait()
    errors = folder / "errors"
    assert code == 0, errors.read_text() if errors.exists() else f"sipp ended with {code}"


HUNG_UP = "hung up by the other side"


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("call", {"calls": 1, HUNG_UP: 1}),
        ("repeated_invite", {"calls": 1, HUNG_UP: 1}),
        ("unknown_method", {}),
        ("options", {}),
        ("unknown_dialog", {}),
        ("reliable_provisional", {}),
        ("hold_and_resume", {"calls": 1, "changes": 3, HUNG_UP: 1}),
        ("late_offer", {"calls": 1, "answered PCMA": 1, HUNG_UP: 1}),
        ("digit_by_info", {"calls": 1, "digit 5": 1, HUNG_UP: 1}),
    ],
)
async def test_scenario(start_agent: StartAgent, tmp_path: Path, scenario: str, expected: dict[str, int]) -> None:
    switchboard = Switchboard()
    agent = await start_agent(switchboard)
    await sipp(scenario, agent.listening[1], tmp_path)
    assert switchboard.seen == expected
    assert agent.statistics()["sessions"] == 0


@pytest.mark.parametrize(("scenario", "transport"), [("lost_ack", "u1"), ("lost_ack_tcp", "t1")])
async def test_the_200_is_repeated_until_the_ack(
    start_agent: StartAgent, tmp_path: Path, scenario: str, transport: str
) -> None:
    switchboard = Switchboard()
    agent = await start_agent(switchboard)
    await sipp(scenario, agent.listening[1], tmp_path, "-t", transport, "-m", "1")
    assert switchboard.seen == {"calls": 1, HUNG_UP: 1}
    assert agent.statistics()["retransmissions"] >= 2


@pytest.mark.parametrize("scenario", ["call", "hold_and_resume", "late_offer"])
async def test_scenario_over_tcp(start_agent: StartAgent, tmp_path: Path, scenario: str) -> None:
    switchboard = Switchboard()
    agent = await start_agent(switchboard)
    await sipp(scenario, agent.listening[1], tmp_path, "-t", "t1", "-m", "1")
    assert switchboard.seen[HUNG_UP] == 1


async def test_a_cancelled_call_ends_with_487(start_agent: StartAgent, tmp_path: Path) -> None:
    switchboard = Switchboard(only_ring=True)
    agent = await start_agent(switchboard)
    await sipp("cancel", agent.listening[1], tmp_path)
    assert switchboard.seen == {"calls": 1, "cancelled by the other side": 1}


async def test_a_stranger_calls_with_a_password(start_agent: StartAgent, tmp_path: Path) -> None:
    switchboard = Switchboard()
    agent = await start_agent(switchboard, trusted=[], digest_algorithms=("MD5",))
    await sipp("digest", agent.listening[1], tmp_path)
    assert switchboard.seen == {"calls": 1, HUNG_UP: 1}
    assert agent.statistics()["rejected: no password"] == 1


async def test_a_hundred_calls_leave_nothing_behind(start_agent: StartAgent, tmp_path: Path) -> None:
    switchboard = Switchboard()
    agent = await start_agent(switchboard)
    await sipp("call", agent.listening[1], tmp_path, "-m", "100", "-r", "50")
    assert switchboard.seen == {"calls": 100, HUNG_UP: 100}
    assert agent.statistics()["sessions"] == agent.statistics()["dialogs"] == 0
