"""Codecs, packet times, and what a re-INVITE may change (RFC 3264, RFC 3551)."""

import asyncio

import pytest

from mirliton.phone.listening import tone_level
from mirliton.phone.phone import CallFailed

from .measuring import TONES, hear_each_other, hears, until
from .raw import RawAudio, RawCaller, audio_address, offer
from .switchboard import Switchboard
from .together import Together

together = Together()

ANNA, BRUNO, CARL, DORA = TONES[0], TONES[3], TONES[6], TONES[9]


@together
async def test_callers_with_different_codecs_hear_each_other(board: Switchboard) -> None:
    number, _ = await board.quiet_room()
    calls = {
        ANNA: await board.dial(number, ANNA, codecs=("PCMU",)),
        BRUNO: await board.dial(number, BRUNO, codecs=("PCMA",)),
        CARL: await board.dial(number, CARL, codecs=("G722",)),
    }
    assert [call.report.codec for call in calls.values()] == ["PCMU", "PCMA", "G722"]
    await hear_each_other(calls)


@together
async def test_two_wideband_callers_hear_what_telephone_codecs_cannot_carry(board: Switchboard) -> None:
    number, _ = await board.quiet_room()
    one, two = [await board.dial(number, codecs=("G722",)) for _ in range(2)]
    one.say("tone:5600")

    async def heard() -> bool:
        return tone_level(two.heard(max(0.0, two.seconds - 0.6)), two.rate, 5600) > -25

    await until(heard, "a tone of 5600 Hz")


@together
async def test_callers_with_different_packet_times_hear_each_other(board: Switchboard) -> None:
    number, _ = await board.quiet_room()
    times = dict(zip((10, 20, 30, 60), (ANNA, BRUNO, CARL, DORA), strict=True))
    calls = {tone: await board.dial(number, tone, ptime=ptime) for ptime, tone in times.items()}
    assert [call.report.ptime for call in calls.values()] == list(times)
    await hear_each_other(calls)


@together
async def test_no_codec_in_common_is_refused_with_488(board: Switchboard) -> None:
    number, _ = await board.quiet_room()
    with RawCaller(board.server.sip, number) as caller:
        assert (await caller.invite(offer(6000, "18 3"))).code == 488


@together
async def test_sdp_without_sense_is_refused_and_the_number_still_works(board: Switchboard) -> None:
    number, _ = await board.quiet_room()
    for body in ("v=0\r\n", "nonsense", offer(6000).replace("IN IP4 127.0.0.1", "IN IP6 ::1"), offer(70_000)):
        with RawCaller(board.server.sip, number) as caller:
            assert 400 <= (await caller.invite(body)).code < 500
    await hear_each_other({ANNA: await board.dial(number, ANNA), BRUNO: await board.dial(number, BRUNO)})


@together
async def test_a_caller_on_hold_neither_hears_nor_is_heard_and_comes_back(board: Switchboard) -> None:
    number, _ = await board.quiet_room()
    bruno = await board.dial(number, BRUNO)
    async with RawAudio(ANNA) as audio:
        with RawCaller(board.server.sip, number) as caller:
            audio.remote = audio_address(await caller.invite(offer(audio.port)))
            await asyncio.gather(hears(bruno, ANNA), hears(audio, BRUNO))
            for version, (direction, answered) in enumerate(
                (
                    ("sendonly", "recvonly"),
                    ("sendrecv", "sendrecv"),
                    ("inactive", "inactive"),
                    ("sendrecv", "sendrecv"),
                ),
                2,
            ):
                answer = await caller.invite(offer(audio.port, direction=direction, version=version), cseq=version)
                assert f"a={answered}".encode() in answer.body
                held = direction != "sendrecv"
                await asyncio.gather(hears(bruno, *([] if held else [ANNA])), hears(audio, *([] if held else [BRUNO])))
            await caller.bye()
    await hears(bruno)


@together
async def test_the_sound_follows_a_caller_to_a_new_address(board: Switchboard) -> None:
    number, _ = await board.quiet_room()
    bruno = await board.dial(number, BRUNO)
    async with RawAudio(ANNA) as old, RawAudio(CARL) as new:
        with RawCaller(board.server.sip, number) as caller:
            old.remote = audio_address(await caller.invite(offer(old.port)))
            await asyncio.gather(hears(bruno, ANNA), hears(old, BRUNO))
            answer = await caller.invite(offer(new.port, version=2), cseq=2)
            sent = old.sent

            async def late_packets() -> bool:
                return old.sent > sent + 2

            await until(late_packets, "packets that were on their way")
            new.remote, old.remote = audio_address(answer), None
            await asyncio.gather(hears(bruno, CARL, within=5), hears(new, BRUNO, within=5), hears(old, within=5))
            await caller.bye()


@together
async def test_an_invite_without_an_offer_is_offered_to_and_the_answer_counts(board: Switchboard) -> None:
    number, _ = await board.quiet_room()
    bruno = await board.dial(number, BRUNO)
    async with RawAudio(ANNA, "PCMA") as audio:
        with RawCaller(board.server.sip, number) as caller:
            await caller.send("INVITE", 1)
            offered = await caller.final("INVITE")
            assert offered.code == 200
            caller.confirm(offered)
            audio.remote = audio_address(offered)
            await caller.send("ACK", 1, offer(audio.port, "8 101"))
            await asyncio.gather(hears(bruno, ANNA), hears(audio, BRUNO))
            await caller.bye()


@together
async def test_an_answer_in_the_ack_that_cannot_be_used_ends_the_call(board: Switchboard) -> None:
    number, _ = await board.quiet_room()
    with RawCaller(board.server.sip, number) as caller:
        await caller.send("INVITE", 1)
        caller.confirm(await caller.final("INVITE"))
        await caller.send("ACK", 1, offer(6000, "18"))
        await caller.requested("BYE")


@together
async def test_a_strangers_packets_are_not_heard(board: Switchboard) -> None:
    """RTP from an address that no SDP and no signalling named must not get into a room (design 4.2).

    The stranger has an IP address of its own: from that of a phone which still waits, any port may be the phone's.
    """
    number, name = await board.quiet_room()
    bruno = await board.dial(number, BRUNO)
    async with RawAudio(ANNA) as audio, RawAudio(CARL, host="127.0.0.9") as stranger:
        with RawCaller(board.server.sip, number) as caller:
            audio.remote = audio_address(await caller.invite(offer(audio.port)))
            await asyncio.gather(hears(bruno, ANNA), hears(audio, BRUNO))
            stranger.remote = audio.remote
            await board.present(name, 2)
            await asyncio.gather(hears(bruno, ANNA), hears(audio, BRUNO))
            assert not stranger.packets
            await caller.bye()


@together
async def test_a_callflow_can_refuse_with_a_code_and_words_of_its_own(board: Switchboard) -> None:
    number = await board.flow({"module": "response", "data": {"code": 480, "message": "not now"}})
    with pytest.raises(CallFailed) as failure:
        await board.dial(number)
    assert (failure.value.report.code, failure.value.report.reason) == (480, "not now")
