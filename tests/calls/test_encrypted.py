"""Encrypted sound from the offer to the ear (RFC 4568, RFC 3711)."""

import asyncio

from mirliton.phone.phone import Phone, PhoneSettings

from .measuring import TONES, hear_each_other, hears
from .raw import RawCaller, offer
from .switchboard import Switchboard
from .together import Together

together = Together(at_once=2)

ANNA, BRUNO, CARL = TONES[0], TONES[3], TONES[6]


@together
async def test_encrypted_and_plain_callers_hear_each_other(board: Switchboard) -> None:
    number, _ = await board.quiet_room()
    calls = {
        ANNA: await board.dial(number, ANNA, srtp=True),
        BRUNO: await board.dial(number, BRUNO, srtp=True, codecs=("G722",)),
        CARL: await board.dial(number, CARL),
    }
    assert [call.report.encryption for call in calls.values()] == ["AEAD_AES_128_GCM", "AEAD_AES_128_GCM", ""]
    await hear_each_other(calls)
    assert not any(call.report.packets_refused for call in calls.values())


@together
async def test_who_is_called_and_wants_encryption_gets_it(board: Switchboard) -> None:
    number, room = await board.quiet_room()
    anna = await board.dial(number, ANNA)
    async with Phone(PhoneSettings(srtp=True)) as phone:
        device = {
            "sip": {"route": f"sip:phone@{await phone.listen()}"},
            "media": {"encryption": {"methods": ["srtp"]}},
        }
        data = {"action": "dial", "data": {"endpoints": [device]}}
        asking = asyncio.ensure_future(board.rest.call("PUT", f"/conferences/{room}", data))
        call = await phone.next_call()
        assert call.report.encryption
        call.say(f"tone:{BRUNO}")
        await asking
        await asyncio.gather(hears(call, ANNA), hears(anna, BRUNO))


@together
async def test_encryption_that_cannot_be_agreed_is_refused_with_the_reason(board: Switchboard) -> None:
    number, _ = await board.quiet_room()
    sdp = offer(6000).replace("RTP/AVP", "RTP/SAVP") + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:short\r\n"
    with RawCaller(board.server.sip, number) as caller:
        refused = await caller.invite(sdp)
    assert refused.code == 488
    assert refused.headers["Warning"] == '399 mirliton "no usable a=crypto line"'
