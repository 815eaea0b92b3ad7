"""Offers and answers of one call, from one to the next."""

import re
from typing import get_args

import pytest

from mirliton.calls.negotiation import Negotiation, NotAcceptable, Repertoire
from mirliton.settings import Codec
from mirliton.sip.formats import ALL_CODECS, expanded
from mirliton.sip.sdp import answer_offer, make_offer

THEIRS = make_offer("192.0.2.7", 4000, 1, 1, codecs=("OPUS", "PCMU"), said={("OPUS", 48_000): 116})


def negotiation(*codecs: str, rate: int = 48_000) -> Negotiation:
    return Negotiation("192.0.2.1", 10_000, "192.0.2.7", Repertoire(expanded(codecs), rate))


def version(sdp: bytes) -> int:
    found = re.search(rb"^o=\S+ \d+ (\d+) ", sdp, re.M)
    assert found is not None
    return int(found[1])


def test_everything_that_the_engine_has_to_know_is_handed_on() -> None:
    wishes = THEIRS.replace(b"useinbandfec=1;usedtx=0;maxplaybackrate=48000", b"usedtx=1;maxplaybackrate=16000;cbr=1")
    _, agreed = negotiation("OPUS").answer(wishes)
    assert (agreed.codec, agreed.payload_type, agreed.rate, agreed.ptime) == ("OPUS", 116, 16_000, 20)
    assert (agreed.fec, agreed.dtx, agreed.constant) == (False, True, True)
    assert (agreed.event_payload_type, agreed.event_clock) == (110, 48_000)
    assert (agreed.remote_address, agreed.signalling_address) == ("192.0.2.7", "192.0.2.7")


def test_an_offer_after_an_answer_keeps_their_numbers() -> None:
    ours = negotiation("OPUS", "L16/48000", "PCMU")
    answer, _ = ours.answer(THEIRS)
    offer = ours.offer()
    assert b"a=rtpmap:116 opus/48000/2" in offer
    assert b" 116 L16" not in offer
    assert version(offer) == version(answer) + 1
    agreed = ours.accept(answer_offer(offer, "192.0.2.7", 4000, 1, 2, codecs=("L16/48000",))[0])
    assert (agreed.codec, agreed.rate, agreed.ptime) == ("L16", 48_000, 10)


def test_their_first_codec_that_we_speak_is_taken_and_ours_are_offered_in_our_order() -> None:
    offer = make_offer("192.0.2.7", 4000, 1, 1, codecs=("G722", "PCMA", "OPUS"))
    assert negotiation("OPUS", "PCMA").answer(offer)[1].codec == "PCMA"
    assert re.search(rb"RTP/AVP 8 111 ", negotiation("PCMA", "OPUS").offer())


def test_a_codec_that_is_not_in_the_repertoire_is_refused_and_nothing_changes() -> None:
    ours = negotiation("PCMU")
    answer, _ = ours.answer(THEIRS)
    with pytest.raises(NotAcceptable):
        ours.answer(make_offer("192.0.2.7", 4000, 1, 1, codecs=("PCMA", "OPUS")))
    assert ours.answer(THEIRS)[0] == answer


def test_the_playback_rate_is_that_of_the_rooms() -> None:
    ours = negotiation("OPUS", rate=16_000)
    assert b"maxplaybackrate=16000" in ours.offer()
    assert b"maxplaybackrate=16000" in ours.answer(THEIRS)[0]


def test_settings_name_the_codecs_that_there_are() -> None:
    assert set(get_args(Codec)) == {*ALL_CODECS, "L16"}
