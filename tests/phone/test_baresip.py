"""A phone that is not ours registers at our agent and is called by the flow of its registration."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from mirliton.phone.codecs import open_codec
from mirliton.phone.conversation import Conversation, Ear
from mirliton.phone.listening import find_tones
from mirliton.phone.report import CallReport
from mirliton.phone.sdp import Offer, read_answer

from .baresip import FOUND, RATE, Baresip, registered
from .callee import PASSWORD, REALM, USER, somebody

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not FOUND, reason="baresip is not installed")]


async def until(happened: Callable[[], bool], phone: Baresip) -> None:
    try:
        async with asyncio.timeout(20):
            while not happened():  # noqa: ASYNC110 - what is waited for lies in another process
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(phone.log) from None


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_baresip_registers_is_called_and_talks(tmp_path: Path, transport: str) -> None:
    # This baresip (libre 1.1, as Debian 12 has it) gives up at a challenge that also offers SHA-256.
    async with somebody(trusted="10.0.0.0/8", algorithms=("MD5",)) as (callee, address):
        async with registered(tmp_path, address, REALM, USER, PASSWORD, transport=transport) as phone:
            await until(lambda: len(callee.bindings()) == 1, phone)
            (binding,) = callee.bindings()
            assert binding.flow.transport == transport
            socket, ear = await asyncio.get_running_loop().create_datagram_endpoint(Ear, local_addr=("127.0.0.1", 0))
            offer = Offer("127.0.0.1", int(socket.get_extra_info("sockname")[1]))
            session = await callee.agent.invite(
                binding.uri, offer.text(), display="Sales", call_id="conference-leg-1", flow=binding.flow
            )
            agreed = read_answer(session.answer_sdp or b"", offer)
            call = Conversation(session, socket, ear, offer, agreed, CallReport(binding.uri), 60)
            call.say("tone:900")
            await until(lambda: call.seconds > 2 and len(phone.heard()) > RATE, phone)
            await call.hang_up()
        await until(lambda: callee.bindings() == [], phone)
    assert open_codec(agreed.codec).name == "PCMU"
    assert session.call_id == "conference-leg-1"
    assert next(iter(find_tones(call.report.heard, RATE))) == pytest.approx(500, abs=5)
    assert next(iter(find_tones(phone.heard(), RATE))) == pytest.approx(900, abs=5)
