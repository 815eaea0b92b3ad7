"""Thousands of damaged messages at a living agent: it drops or refuses them, and goes on."""

import asyncio
import random
from typing import Any

import pytest

from mirliton.sip.message import to_tag
from mirliton.sip.types import Session

from .conftest import ANSWER, OFFER, StartAgent
from .messages import request_text
from .raw import Datagrams

PIECES = [
    b"\r\n", b"\r\n\r\n", b'"', b"<", b">", b";", b",", b"=", b"%", b"\x00", b"\xff\xfe", b"sip:", b"SIP/2.0", b"tag=",
    b"branch=", b"Content-Length: 5\r\n", b"Require: x\r\n", b"Session-Expires: 0\r\n", b"Contact: *\r\n",
    b"99999999999",    b"Record-Route: <sip:;lr>\r\n", b"Record-Route: x\r\n", b"To: <sip:a@b>;tag=\r\n", b"v: x\r\n",
    b"Authorization: Digest nonce=\r\n", b"Contact: <sip:a@[::1]>\r\n", b"Min-SE: 99999999\r\n",
]  # fmt: skip


def damaged(chance: random.Random, message: bytes) -> bytes:
    """One to three small wounds."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(message))
        length = chance.choice((0, 0, 1, 4, 30))
        message = message[:at] + chance.choice([*PIECES, b""]) + message[at + length :]
    return message or b"x"


def examples(callee: str) -> list[bytes]:
    """A message of each kind, inside and outside of a call."""
    inside: dict[str, Any] = {"call": "victim", "to_tag": callee}
    relay = ("Content-Type: application/dtmf-relay",)
    digest = ('Authorization: Digest username="alice", realm="mirliton.local", nonce="bm8=", uri="sip:x", '
              'response="00", cnonce="c", nc=00000001, qop=auth, algorithm=MD5',)  # fmt: skip
    return [
        request_text(body=OFFER),
        request_text(),
        request_text(headers=digest, body=OFFER),
        request_text("REGISTER", headers=digest),
        request_text("OPTIONS"),
        request_text("CANCEL"),
        request_text("ACK", **inside),
        request_text("INVITE", cseq=3, body=OFFER, **inside),
        request_text("UPDATE", cseq=4, body=OFFER, **inside),
        request_text("INFO", cseq=5, body=b"Signal=5\r\n", headers=relay, **inside),
        request_text("REFER", cseq=6, **inside),
        request_text("INVITE").replace(b"INVITE sip:1000@127.0.0.1 SIP/2.0", b"SIP/2.0 200 OK"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_damaged_messages_break_nothing(start_agent: StartAgent, seed: int) -> None:
    mistakes: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: mistakes.append(context))

    async def handler(session: Session) -> None:
        session.on_media_change = lambda sdp: ANSWER
        if session.call_id == "victim":
            await session.answer(ANSWER)
        else:
            session.reject(486)

    server = await start_agent(handler, max_invites_per_second=100_000)
    chance = random.Random(seed)
    with Datagrams(server.listening[1]) as raw:
        callee = to_tag(await raw.ask("INVITE", body=OFFER, call="victim"))
        await raw.send(request_text("ACK", call="victim", to_tag=callee))
        before = server.statistics()["sessions"]
        messages = examples(callee)
        for turn in range(100):
            for _ in range(20):
                await raw.send(damaged(chance, chance.choice(messages)))
            # Waiting for an answer lets the agent read, so that the kernel's buffer does not drop.
            assert (await raw.ask("OPTIONS", call="alive", branch=f"z9hG4bKalive{turn}")).code == 200
        assert before == server.statistics()["sessions"] == 1
        assert (await raw.ask("BYE", cseq=2**31 - 1, call="victim", to_tag=callee)).code == 200
    assert mistakes == []
    assert server.statistics()["garbage"] > 100
