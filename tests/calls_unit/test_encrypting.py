"""Keys of a call's sound: who may have them, and when they change (RFC 4568)."""

import re

import pytest

from mirliton.calls.negotiation import Negotiation, NotAcceptable, Repertoire
from mirliton.sip.sdes import Crypto, Policy, Protection, new_crypto
from mirliton.sip.sdp import answer_offer, make_offer

SUITE = "AES_CM_128_HMAC_SHA1_80"


def negotiation(policy: Policy = "optional", *, encrypt: bool = False) -> Negotiation:
    repertoire = Repertoire(("PCMU",), 8000, policy)
    return Negotiation("192.0.2.1", 10_000, "192.0.2.7", repertoire, encrypt=encrypt)


def offered(*crypto: Crypto, protocol: str = "RTP/SAVP") -> bytes:
    return make_offer("192.0.2.7", 4000, 1, 1, codecs=("PCMU",), protocol=protocol, crypto=crypto)


def lines(sdp: bytes) -> list[str]:
    return re.findall(r"a=crypto:(.*)\r\n", sdp.decode())


def protocol(sdp: bytes) -> str:
    found = re.search(r"m=audio \d+ (\S+) ", sdp.decode())
    assert found is not None
    return found[1]


@pytest.mark.parametrize("said", ["RTP/SAVP", "RTP/AVP"])
@pytest.mark.parametrize("policy", ["optional", "required"])
def test_an_encrypted_offer_is_answered_with_its_tag_and_a_key_of_ours(policy: Policy, said: str) -> None:
    theirs = new_crypto(4, SUITE)
    sdp, agreed = negotiation(policy).answer(offered(theirs, protocol=said))
    assert protocol(sdp) == said
    assert agreed.srtp is not None
    assert agreed.srtp.key_in == theirs.key
    assert lines(sdp) == [Crypto(4, SUITE, agreed.srtp.key_out).line().removeprefix("a=crypto:")]
    assert agreed.srtp.key_out != theirs.key


def test_of_several_keys_the_best_is_taken() -> None:
    gcm = new_crypto(2, "AEAD_AES_128_GCM")
    sdp, agreed = negotiation().answer(offered(new_crypto(1, SUITE), gcm, new_crypto(3, "AEAD_AES_256_GCM")))
    assert agreed.srtp is not None
    assert (agreed.srtp.profile, agreed.srtp.key_in) == ("AEAD_AES_128_GCM", gcm.key)
    assert lines(sdp)[0].startswith("2 AEAD_AES_128_GCM inline:")


def test_a_plain_offer_is_answered_plainly_and_without_keys() -> None:
    sdp, agreed = negotiation().answer(offered(protocol="RTP/AVP"))
    assert (protocol(sdp), lines(sdp), agreed.srtp) == ("RTP/AVP", [], None)


@pytest.mark.parametrize(
    ("policy", "offer", "why"),
    [
        ("required", offered(protocol="RTP/AVP"), "must be encrypted"),
        ("optional", offered(protocol="RTP/SAVP"), "no usable a=crypto"),
        ("required", offered(protocol="RTP/SAVP"), "no usable a=crypto"),
        ("off", offered(new_crypto(1, SUITE)), "switched off"),
        ("optional", offered(new_crypto(1, SUITE)).replace(b" inline:", b" inline:x"), "no usable a=crypto"),
    ],
)
def test_who_cannot_be_agreed_with_is_told_why(policy: Policy, offer: bytes, why: str) -> None:
    with pytest.raises(NotAcceptable, match=why):
        negotiation(policy).answer(offer)


def test_where_encryption_is_off_its_offer_beside_plain_sound_is_passed_over() -> None:
    sdp, agreed = negotiation("off").answer(offered(new_crypto(1, SUITE), protocol="RTP/AVP"))
    assert (lines(sdp), agreed.srtp) == ([], None)


def test_the_same_key_again_is_answered_by_the_same_and_a_new_one_by_a_new_one() -> None:
    ours, theirs = negotiation(), new_crypto(1, SUITE)
    first, before = ours.answer(offered(theirs))
    again, same = ours.answer(offered(theirs))
    assert (again, same) == (first, before)
    other, changed = ours.answer(offered(new_crypto(1, SUITE)))
    assert before.srtp is not None
    assert changed.srtp is not None
    assert changed.srtp.key_in != before.srtp.key_in
    assert changed.srtp.key_out != before.srtp.key_out
    assert other != first


@pytest.mark.parametrize(("policy", "encrypt"), [("required", False), ("optional", True)])
def test_our_own_offer_has_all_that_we_speak(policy: Policy, encrypt: bool) -> None:
    ours = negotiation(policy, encrypt=encrypt)
    offer = ours.offer()
    assert protocol(offer) == "RTP/SAVP"
    assert [line.split()[1] for line in lines(offer)] == [
        "AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32",
    ]  # fmt: skip
    answer, theirs = answer_offer(offer, "192.0.2.7", 4000, 1, 1, protection=Protection("optional"))
    agreed = ours.accept(answer)
    assert theirs.secured is not None
    assert agreed.srtp is not None
    assert (agreed.srtp.key_in, agreed.srtp.key_out) == (theirs.secured.ours.key, theirs.secured.theirs.key)
    assert lines(ours.offer()) == [theirs.secured.theirs.line().removeprefix("a=crypto:")], "what was agreed, again"


@pytest.mark.parametrize(("policy", "encrypt"), [("off", True), ("optional", False)])
def test_nobody_is_offered_keys_who_did_not_ask_or_may_not_have_them(policy: Policy, encrypt: bool) -> None:
    offer = negotiation(policy, encrypt=encrypt).offer()
    assert (protocol(offer), lines(offer)) == ("RTP/AVP", [])


def test_an_answer_without_one_of_our_keys_is_refused() -> None:
    ours = negotiation(encrypt=True)
    ours.offer()
    with pytest.raises(NotAcceptable, match="offered keys"):
        ours.accept(offered(new_crypto(9, SUITE)))
    ours.offer()
    with pytest.raises(NotAcceptable, match="none of the offered audio"):
        ours.accept(offered(protocol="RTP/AVP"))


def test_what_must_be_encrypted_stays_so_in_an_offer_of_ours_later() -> None:
    ours, theirs = negotiation("required"), new_crypto(1, SUITE)
    ours.answer(offered(theirs, protocol="RTP/AVP"))
    offer = ours.offer()
    assert protocol(offer) == "RTP/AVP"
    with pytest.raises(NotAcceptable, match="unencrypted"):
        ours.accept(offered(protocol="RTP/AVP"))
