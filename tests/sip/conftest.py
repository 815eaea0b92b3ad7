"""What SIP tests share: agents on the loopback, credentials in memory, and messages by hand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from mirliton.settings import SipSettings
from mirliton.sip.agent import SipAgent
from mirliton.sip.digest import ha1
from mirliton.sip.transaction import Timing
from mirliton.sip.types import Credential, Device, Session, SessionHandler

OFFER = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
ANSWER = b"v=0\r\no=- 2 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n"


class Credentials:
    """One account `mirliton.local` with device `alice`, password `secret`."""

    async def realm_for(self, domain: str) -> str:
        return "mirliton.local"

    async def credential(self, realm: str, username: str) -> Credential | None:
        if username != "alice":
            return None
        device = Device("account", "device", "owner", username)
        return Credential(device, {name: ha1(name, username, realm, "secret") for name in ("MD5", "SHA-256")})


async def answering(session: Session) -> None:
    """A handler that picks up."""
    await session.answer(ANSWER)


StartAgent = Callable[..., Awaitable[SipAgent]]


@pytest.fixture
async def start_agent() -> AsyncIterator[StartAgent]:
    """Start agents on free loopback ports; they are stopped after the test."""
    async with AsyncExitStack() as stack:

        async def start(
            handler: SessionHandler = answering,
            timing: Timing | None = None,
            digest_algorithms: tuple[str, ...] = ("SHA-256", "MD5"),
            **settings: Any,
        ) -> SipAgent:
            chosen = SipSettings(**({"listen": "127.0.0.1:0"} | settings))
            agent = SipAgent(chosen, handler, Credentials(), timing=timing, digest_algorithms=digest_algorithms)
            await agent.start()
            stack.push_async_callback(agent.stop)
            return agent

        yield start


def uri_of(agent: SipAgent, user: str = "1000") -> str:
    """Where an agent can be called."""
    host, port = agent.listening
    return f"sip:{user}@{host}:{port}"


async def until(happened: Callable[[], bool]) -> None:
    """Wait for something that nobody tells of; fails after five seconds."""
    async with asyncio.timeout(5):
        while not happened():  # noqa: ASYNC110 - what is waited for lies behind a real socket
            await asyncio.sleep(0.005)
