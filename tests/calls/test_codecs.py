"""Opus and linear sound from the offer to the ear (RFC 7587, RFC 3551), and codecs that change in mid-call."""

import asyncio

import numpy as np

from mirliton.phone.conversation import Conversation
from mirliton.phone.listening import tone_level
from mirliton.phone.phone import Phone, PhoneSettings
from mirliton.phone.sdp import CODINGS

from .measuring import BEHIND, TONES, Samples, hear_each_other, hears, prompted, until
from .raw import RawAudio, RawCaller, audio_address, offer
from .switchboard import NO_WELCOME, QUIET, Switchboard
from .together import Together

together = Together(at_once=2)  # phones with Opus are work for the process that they are all in

ANNA, BRUNO, CARL, DORA = TONES[0], TONES[3], TONES[6], TONES[9]
OPUS = CODINGS["OPUS"]
HIGH = 10_000  # Hz; more than any codec but Opus and linear sound can carry


@together
async def test_callers_with_opus_linear_sound_and_telephone_codecs_hear_each_other(board: Switchboard) -> None:
    number, _ = await board.quiet_room(profile=QUIET | {"rate": 48_000})
    codecs = {ANNA: "OPUS", BRUNO: "PCMU", CARL: "L16/48000", DORA: "G722"}
    calls = {tone: await board.dial(number, tone, codecs=(codec,)) for tone, codec in codecs.items()}
    assert [(call.report.codec, call.rate, call.report.ptime) for call in calls.values()] == [
        ("OPUS", 48_000, 20),
        ("PCMU", 8000, 20),
        ("L16/48000", 48_000, 10),
        ("G722", 16_000, 20),
    ]
    await hear_each_other(calls)


@together
async def test_two_opus_callers_hear_all_that_the_rate_of_the_room_lets_through(board: Switchboard) -> None:
    pairs = {}
    for rate in (48_000, 16_000):
        number, _ = await board.quiet_room(profile=QUIET | {"rate": rate})
        pairs[rate] = [await board.dial(number, codecs=("OPUS",)) for _ in range(2)]
        pairs[rate][0].say(_both(ANNA, HIGH), forever=True)
    for speaker, listener in pairs.values():
        await hears(listener, ANNA)
        await hears(speaker)
    await until(lambda: _louder(pairs[48_000][1], HIGH, -30), "10 kHz in a room of 48 kHz")
    assert _strength(pairs[16_000][1], HIGH) < -60


def _both(*tones: int) -> Samples:
    """A second of some tones at 48 kHz, which can be repeated without a seam."""
    time = np.arange(48_000) / 48_000
    return np.asarray(np.round(sum(5000 * np.sin(2 * np.pi * tone * time) for tone in tones)), np.int16)


def _strength(call: Conversation, frequency: int) -> float:
    return tone_level(call.heard(max(0.0, call.seconds - 0.6), call.seconds - BEHIND), call.rate, frequency)


async def _louder(call: Conversation, frequency: int, than: float) -> bool:
    return _strength(call, frequency) > than


@together
async def test_an_opus_caller_hears_prompts_and_keys_in_the_pin(board: Switchboard) -> None:
    """The keys last as long as the clock of Opus says, or as one of 8000 Hz says where the phone knows no other."""
    conference = await board.conference(member={"pins": ["2468"]})
    number = await board.number(id=conference, welcome_prompt=NO_WELCOME)
    call = await board.dial(number, codecs=("OPUS",))
    await prompted(call, "conf-enter_conf_pin")
    call.press("2468#")
    await board.present(conference, 1)
    async with RawAudio(None, "OPUS", payload_type=96) as audio:
        with RawCaller(board.server.sip, number) as caller:
            audio.remote = audio_address(await caller.invite(offer(audio.port, "96 101", rtpmap={96: OPUS})))
            audio.press("2468#")
            await board.present(conference, 2)
            await caller.bye()


@together
async def test_an_opus_caller_comes_back_from_hold(board: Switchboard) -> None:
    number, _ = await board.quiet_room()
    bruno = await board.dial(number, BRUNO)
    async with RawAudio(ANNA, "OPUS", payload_type=96) as audio:
        with RawCaller(board.server.sip, number) as caller:
            for version, direction in enumerate(("sendrecv", "sendonly", "sendrecv", "inactive", "sendrecv"), 1):
                sdp = offer(audio.port, "96", rtpmap={96: OPUS}, direction=direction, version=version)
                audio.remote = audio_address(await caller.invite(sdp, cseq=version))
                held = direction != "sendrecv"
                await asyncio.gather(hears(bruno, *([] if held else [ANNA])), hears(audio, *([] if held else [BRUNO])))
            await caller.bye()


@together
async def test_a_reinvite_changes_the_codec_and_the_number_of_a_codec(board: Switchboard) -> None:
    """Each time on the same port, with a stream of its own; the other side's answer and packets follow."""
    number, _ = await board.quiet_room(profile=QUIET | {"rate": 48_000})
    bruno = await board.dial(number, BRUNO, codecs=("OPUS",))
    async with RawAudio(ANNA) as audio:
        with RawCaller(board.server.sip, number) as caller:
            changes = (("PCMU", 0), ("OPUS", 96), ("OPUS", 97), ("L16/16000", 98), ("G722", 9), ("PCMA", 8))
            for version, (codec, payload_type) in enumerate(changes, 1):
                sdp = offer(audio.port, str(payload_type), rtpmap={payload_type: CODINGS[codec]}, version=version)
                answer = await caller.invite(sdp, cseq=version)
                assert f"m=audio {audio_address(answer)[1]} RTP/AVP {payload_type}\r\n".encode() in answer.body
                audio.speak(ANNA, codec, payload_type)
                audio.remote = audio_address(answer)
                await asyncio.gather(hears(bruno, ANNA), hears(audio, BRUNO))
                assert audio.packets[-1].payload_type == payload_type
            await caller.bye()


@together
async def test_a_phone_with_opus_is_called_and_so_is_one_without(board: Switchboard) -> None:
    number, room = await board.quiet_room()
    anna = await board.dial(number, ANNA)
    for codec in ("OPUS", "PCMA"):
        async with Phone(PhoneSettings(codecs=(codec,))) as phone:
            address = await phone.listen()
            data = {"action": "dial", "data": {"endpoints": [f"sip:phone@{address}"]}}
            asking = asyncio.ensure_future(board.rest.call("PUT", f"/conferences/{room}", data))
            call = await phone.next_call()
            assert call.report.codec == codec
            call.say(f"tone:{BRUNO}")
            await asking
            await asyncio.gather(hears(call, ANNA), hears(anna, BRUNO))
        await board.present(room, 1)


@together
async def test_linear_sound_at_the_rate_of_a_compact_disc_is_refused(board: Switchboard) -> None:
    number, _ = await board.quiet_room()
    with RawCaller(board.server.sip, number) as caller:
        assert (await caller.invite(offer(6000, "10 11"))).code == 488
