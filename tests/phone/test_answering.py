"""Phones that are called: by each other over real sockets, and by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from sipmessage import Request, Response

from mirliton.phone.answering import PhoneClosed
from mirliton.phone.conversation import Conversation
from mirliton.phone.listening import find_tones
from mirliton.phone.phone import CallFailed, Phone, PhoneSettings
from mirliton.phone.sdp import Offer, read_answer
from mirliton.sip.message import respond, to_tag, to_wire
from mirliton.sip.types import SessionRefused

from ..sip.messages import request_text
from ..sip.raw import Datagrams
from .callee import PASSWORD, REALM, USER, somebody

pytestmark = pytest.mark.slow


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not happened():  # noqa: ASYNC110 - what is waited for lies behind a real socket
            await asyncio.sleep(0.005)


@asynccontextmanager
async def two(
    listening: PhoneSettings | None = None, calling: PhoneSettings | None = None
) -> AsyncIterator[tuple[Phone, Phone, str]]:
    """A phone that listens, one that does not, and the URI of the first."""
    async with Phone(listening) as called, Phone(calling) as caller:
        yield called, caller, f"sip:anything@{await called.listen()}"


async def answered(called: Phone, caller: Phone, uri: str) -> tuple[Conversation, Conversation]:
    picking = asyncio.create_task(called.next_call())
    there = await caller.call(uri)
    return await picking, there


async def test_two_phones_talk_encrypted_and_one_that_is_not_is_refused() -> None:
    async with two(PhoneSettings(srtp=True), PhoneSettings(srtp=True)) as (called, caller, uri):
        here, there = await answered(called, caller, uri)
        assert here.report.encryption == there.report.encryption == "AES_CM_128_HMAC_SHA1_80"
        here.say("tone:500")
        await until(lambda: there.seconds > 1.2)
        assert [*find_tones(there.heard(0.5), there.rate)] == [pytest.approx(500, abs=5)]
        assert there.report.packets_refused == 0
        async with Phone() as plain:
            waiting = asyncio.create_task(called.next_call())
            with pytest.raises(CallFailed) as refused:
                await plain.call(uri)
            waiting.cancel()
        assert refused.value.report.code == 488


@pytest.mark.parametrize(("codecs", "expected"), [(("PCMU", "PCMA"), "PCMA"), (("G722",), "G722")])
async def test_two_phones_talk_and_press_keys(codecs: tuple[str, ...], expected: str) -> None:
    offered = ("PCMA", "PCMU") if expected == "PCMA" else codecs
    async with two(PhoneSettings(codecs=codecs), PhoneSettings(codecs=offered, user="100", display="Ann")) as (
        called,
        caller,
        uri,
    ):
        here, there = await answered(called, caller, uri)
        here.say("tone:500")
        there.say("tone:900")
        here.press("12", 0.1)
        there.press("34", 0.1)
        await asyncio.gather(here.said(), there.said())
        await until(lambda: min(here.seconds, there.seconds) > 1.2)
        await there.hang_up()
        await asyncio.wait_for(here.ended.wait(), 5)
    assert (here.report.codec, there.report.codec) == (expected, expected)
    assert (here.report.digits_heard, there.report.digits_heard) == ("34", "12")
    assert next(iter(find_tones(here.report.heard, here.rate))) == pytest.approx(900, abs=5)
    assert next(iter(find_tones(there.report.heard, there.rate))) == pytest.approx(500, abs=5)
    assert (here.session.from_name, here.session.from_number) == ("Ann", "100")
    assert not here.report.ended_by_us
    assert here.report.exit_code == 0


async def test_it_rings_for_as_long_as_is_wanted() -> None:
    async with two() as (called, caller, uri):
        lines: list[str] = []
        picking = asyncio.create_task(called.next_call(ring=0.3, tell=lines.append))
        there = await caller.call(uri)
        here = await picking
    assert there.report.answered_after is not None
    assert there.report.answered_after >= 0.3
    assert there.report.ringing_after is not None
    assert there.report.ringing_after < there.report.answered_after
    assert [line.partition(":")[0] for line in lines] == ["ringing", "answered"]
    assert here.report.uri.startswith("sip:")


@pytest.mark.parametrize("code", [486, 603])
async def test_a_call_can_be_refused(code: int) -> None:
    async with two() as (called, caller, uri):
        refusing = asyncio.create_task(called.refuse_call(code))
        with pytest.raises(CallFailed) as failure:
            await caller.call(uri)
        assert failure.value.report.code == code
        assert "at 127.0.0.1" in await refusing
        assert called.waiting.missed == 0


async def test_a_caller_who_gives_up_is_passed_over_and_the_next_is_answered() -> None:
    async with two() as (called, caller, uri):
        hasty = asyncio.create_task(caller.call(uri))
        await until(lambda: len(called.waiting) == 1)
        hasty.cancel()
        await until(lambda: called.waiting.missed == 1)
        assert len(called.waiting) == 0
        here, there = await answered(called, caller, uri)
        assert here.session.call_id == there.session.call_id


async def test_a_caller_who_gives_up_while_it_rings_is_passed_over() -> None:
    async with two() as (called, caller, uri):
        lines: list[str] = []
        picking = asyncio.create_task(called.next_call(ring=0.4, tell=lines.append))
        hasty = asyncio.create_task(caller.call(uri))
        await until(lambda: bool(lines))
        hasty.cancel()
        await until(lambda: "given up by the caller" in lines)
        there = await caller.call(uri)
        assert (await picking).session.call_id == there.session.call_id


async def test_calls_that_wait_are_bounded_and_in_order() -> None:
    async with two(PhoneSettings(most_waiting=2)) as (called, caller, uri):
        calls = []
        for number in (1, 2):
            calls.append(asyncio.create_task(caller.call(uri)))
            await until(lambda wanted=number: len(called.waiting) == wanted)  # type: ignore[misc]
        with pytest.raises(CallFailed) as failure:
            await caller.call(uri)
        assert failure.value.report.code == 486
        assert called.waiting.refused == 1
        for call in calls:
            here = await called.next_call()
            assert here.session.call_id == (await call).session.call_id


async def test_a_phone_that_only_calls_is_busy_for_others() -> None:
    async with somebody() as (_, address), Phone() as busy, Phone() as caller:
        await busy.call(f"sip:1@{address}")
        with pytest.raises(CallFailed) as failure:
            await caller.call(f"sip:x@{busy.address}")
    assert failure.value.report.code == 486


async def test_without_a_common_codec_the_caller_gets_488_and_the_next_is_answered() -> None:
    async with (
        two(PhoneSettings(codecs=("PCMA",))) as (called, caller, uri),
        Phone(PhoneSettings(codecs=("PCMU",))) as other,
    ):
        lines: list[str] = []
        picking = asyncio.create_task(called.next_call(tell=lines.append))
        with pytest.raises(CallFailed) as failure:
            await other.call(uri)
        await caller.call(uri)
        await picking
    assert failure.value.report.code == 488
    assert any("not answered" in line for line in lines)


def ack(accepted: Response, body: bytes) -> bytes:
    return request_text("ACK", to_tag=to_tag(accepted), branch="z9hG4bKack", body=body)


async def test_the_offer_may_be_left_to_the_phone() -> None:
    """As many gateways do: an INVITE without SDP, its answer in the ACK."""
    async with Phone() as called:
        port = int((await called.listen()).rpartition(":")[2])
        picking = asyncio.create_task(called.next_call())
        with Datagrams(port) as caller:
            accepted = await caller.ask("INVITE")
            assert b"m=audio" in accepted.body
            await caller.send(ack(accepted, Offer("127.0.0.1", 4000, ("PCMA",)).text()))
            call = await asyncio.wait_for(picking, 5)
            assert call.report.codec == "PCMA"
            assert (await caller.ask("BYE", cseq=2, to_tag=to_tag(accepted))).code == 200


async def test_an_answer_in_the_ack_that_fits_nothing_ends_the_call_and_the_next_is_answered() -> None:
    async with two() as (called, caller, uri):
        picking = asyncio.create_task(called.next_call())
        with Datagrams(int(uri.rpartition(":")[2])) as strange:
            accepted = await strange.ask("INVITE")
            await strange.send(ack(accepted, b"v=0\r\n"))
            bye = await strange.receive()
            assert isinstance(bye, Request)
            assert bye.method == "BYE"
            await strange.send(to_wire(respond(bye, 200)))
        there = await caller.call(uri)
        assert (await picking).session.call_id == there.session.call_id


async def test_giving_up_waiting_for_a_call_refuses_the_one_that_rings() -> None:
    async with two() as (called, caller, uri):
        lines: list[str] = []
        picking = asyncio.create_task(called.next_call(ring=60, tell=lines.append))
        calling = asyncio.create_task(caller.call(uri))
        await until(lambda: bool(lines))
        picking.cancel()
        with pytest.raises(CallFailed) as failure:
            await calling
    assert failure.value.report.code == 480


async def test_closing_the_phone_ends_the_waiting() -> None:
    async with Phone() as phone:
        await phone.listen()
        waiting = asyncio.create_task(phone.next_call())
        await asyncio.sleep(0)
        await phone.close()
        with pytest.raises(PhoneClosed):
            await waiting
        with pytest.raises(PhoneClosed):
            await phone.next_call()
        with pytest.raises(RuntimeError, match="not open"):
            _ = phone.address


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_phone_registers_and_leaves_when_it_is_closed(transport: str) -> None:
    async with somebody(trusted="10.0.0.0/8") as (callee, address):
        async with Phone(PhoneSettings(transport=transport)) as phone:
            await phone.register(f"sip:{address}", REALM, USER, PASSWORD)
            (binding,) = callee.bindings()
            assert binding.uri.startswith(f"sip:{USER}@127.0.0.1:")
            picking = asyncio.create_task(phone.next_call())
            session = await callee.agent.invite(
                binding.uri, Offer("127.0.0.1", 9).text(), flow=binding.flow, display="Room"
            )
            assert (await picking).session.from_name == "Room"
            assert read_answer(session.answer_sdp or b"", Offer("127.0.0.1", 9)).codec == "PCMU"
        assert callee.bindings() == []


async def test_a_wrong_password_is_told() -> None:
    async with somebody() as (_, address), Phone() as phone:
        with pytest.raises(SessionRefused) as refused:
            await phone.register(f"sip:{address}", REALM, USER, "wrong")
    assert refused.value.code == 401


def test_an_answer_uses_the_numbers_of_the_offer() -> None:
    offer = (
        b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
        b"m=audio 4000 RTP/AVP 18 8 0 96\r\na=rtpmap:96 telephone-event/8000\r\na=ptime:30\r\n"
    )
    able = Offer("127.0.0.1", 5004)
    answer = able.narrowed(read_answer(offer, able)).text().decode()
    assert "m=audio 5004 RTP/AVP 8 96\r\n" in answer
    assert "a=rtpmap:96 telephone-event/8000\r\n" in answer
    assert "a=ptime:30\r\n" in answer
    silent = Offer("127.0.0.1", 5004, events=False)
    assert "telephone-event" not in silent.narrowed(read_answer(offer, silent)).text().decode()


@pytest.mark.parametrize(
    ("events", "type_and_clock"),
    [
        (("97 telephone-event/8000", "98 telephone-event/48000"), (98, 48_000)),
        (("97 telephone-event/8000",), (97, 8000)),
        ((), (None, 8000)),
    ],
)
def test_opus_is_answered_by_its_number_with_keys_at_its_clock_if_there_are_such(
    events: tuple[str, ...], type_and_clock: tuple[int | None, int]
) -> None:
    lines = ["v=0", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 96 0 97 98", "a=rtpmap:96 opus/48000/2", "a=ptime:30"]
    offer = "\r\n".join([*lines, *(f"a=rtpmap:{event}" for event in events), ""]).encode()
    able = Offer("127.0.0.1", 5004, ("PCMU", "OPUS"))
    agreed = read_answer(offer, able)
    assert (agreed.codec, agreed.payload_type, agreed.ptime) == ("OPUS", 96, 20)
    assert (agreed.event_type, agreed.event_clock) == type_and_clock
    answer = able.narrowed(agreed).text().decode()
    numbers = "96" if agreed.event_type is None else f"96 {agreed.event_type}"
    assert f"m=audio 5004 RTP/AVP {numbers}\r\n" in answer
    assert ("telephone-event" in answer) == bool(events)
