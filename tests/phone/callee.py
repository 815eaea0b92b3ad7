"""Somebody to call: answers with an echo of the sound, or refuses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from mirliton.phone.codecs import open_codec
from mirliton.phone.hearing import Hearer
from mirliton.settings import SipSettings
from mirliton.sip.agent import SipAgent
from mirliton.sip.digest import ha1
from mirliton.sip.registrar import Binding
from mirliton.sip.sdp import NotAcceptable, answer_offer
from mirliton.sip.types import Credential, Device, Session

REALM, USER, PASSWORD = "mirliton.local", "desk", "secret"
"""Who must be given when the callee trusts nobody."""


class Echo(asyncio.DatagramProtocol):
    """Sends every packet back, after the phone's own packet if asked."""

    def __init__(self) -> None:
        self.hearer = Hearer(open_codec("PCMU"), 101)
        self.transport: asyncio.DatagramTransport | None = None
        self.start: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | int, int]) -> None:
        now = asyncio.get_running_loop().time()
        self.start = now if self.start is None else self.start
        self.hearer.receive(data, now - self.start)
        assert self.transport is not None
        self.transport.sendto(data, addr)


class Callee:
    """What the number dialled makes it do: "busy" refuses, "never" rings only, "leave" hangs up soon, else an echo."""

    def __init__(self) -> None:
        self.echo = Echo()
        self.sessions: list[Session] = []
        self.ended = asyncio.Event()
        self.agent: SipAgent

    def bindings(self) -> list[Binding]:
        """Where the one device is registered."""
        return self.agent.registrar.lookup("a" * 32, "d" * 32, self.agent.now())

    async def answer(self, session: Session) -> None:
        self.sessions.append(session)
        session.on_ended = lambda reason: self.ended.set()
        await session.ring()
        if session.request_user == "busy":
            session.reject(486)
        if session.request_user in ("busy", "never"):
            return
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self.echo, local_addr=("127.0.0.1", 0)
        )
        codecs = {"wide": ("G722",), "full": ("OPUS",)}.get(session.request_user, ("PCMU", "PCMA"))
        try:
            sdp, _ = answer_offer(
                session.offer or b"", "127.0.0.1", transport.get_extra_info("sockname")[1], 1, 1, codecs=codecs
            )
        except NotAcceptable:
            session.reject(488)
            transport.close()
            return
        session.on_ended = lambda reason: self.over(transport)
        await session.answer(sdp)
        if session.request_user == "leave":
            asyncio.get_running_loop().call_later(0.2, lambda: asyncio.ensure_future(session.hang_up()))

    def over(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
        self.ended.set()


class OneDevice:
    """One account with one device."""

    async def realm_for(self, domain: str) -> str:
        return REALM

    async def credential(self, realm: str, username: str) -> Credential | None:
        if username != USER:
            return None
        hashes = {name: ha1(name, USER, REALM, PASSWORD) for name in ("MD5", "SHA-256")}
        return Credential(Device("a" * 32, "d" * 32, None, USER), hashes)


@asynccontextmanager
async def somebody(
    trusted: str = "127.0.0.0/8", algorithms: tuple[str, ...] = ("MD5", "SHA-256")
) -> AsyncIterator[tuple[Callee, str]]:
    """A callee and its address, HOST:PORT."""
    callee = Callee()
    settings = SipSettings.model_validate({"listen": "127.0.0.1:0", "trusted": [trusted]})
    agent = callee.agent = SipAgent(settings, callee.answer, OneDevice(), digest_algorithms=algorithms)
    await agent.start()
    try:
        yield callee, "{}:{}".format(*agent.listening)
    finally:
        await agent.stop()
