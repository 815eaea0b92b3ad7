"""Keys in SDP (RFC 4568)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirliton.media.types import SRTP_KEY_BYTES
from mirliton.sip.sdes import SUITES, Secured, best, chosen, new_crypto, read_crypto

KEY30 = base64.b64encode(bytes(range(30))).decode()
CM80 = f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY30}"


def test_the_engine_and_sdp_mean_the_same_suites() -> None:
    assert SUITES == SRTP_KEY_BYTES


@pytest.mark.parametrize("suite", SUITES)
def test_what_is_written_can_be_read(suite: str) -> None:
    crypto = new_crypto(7, suite)
    assert read_crypto(crypto.line().removeprefix("a=crypto:")) == crypto
    assert new_crypto(7, suite).key != crypto.key


@pytest.mark.parametrize("more", ["", "|2^20", "|2^48", "|1048576", " WSH=128", "|2^31 WSH=64", " -snom=1"])
def test_lifetimes_and_harmless_parameters_are_taken(more: str) -> None:
    crypto = read_crypto(CM80 + more)
    assert crypto is not None
    assert (crypto.tag, crypto.key) == (1, bytes(range(30)))


def test_a_key_without_its_padding_is_taken() -> None:
    text = base64.b64encode(bytes(28)).decode()
    assert text.endswith("==")
    assert read_crypto(f"2 AEAD_AES_128_GCM inline:{text.rstrip('=')}") == read_crypto(
        f"2 AEAD_AES_128_GCM inline:{text}"
    )


@pytest.mark.parametrize(
    "value",
    [
        "", "1", "1 AES_CM_128_HMAC_SHA1_80", f"0 AES_CM_128_HMAC_SHA1_80 inline:{KEY30}",
        f"x AES_CM_128_HMAC_SHA1_80 inline:{KEY30}", f"1 F8_128_HMAC_SHA1_80 inline:{KEY30}",
        f"1 AES_CM_128_HMAC_SHA1_80 uri:{KEY30}", "1 AES_CM_128_HMAC_SHA1_80 inline:",
        "1 AES_CM_128_HMAC_SHA1_80 inline:!!!!", CM80[:-4], CM80 + "AAAA",
        f"1 AEAD_AES_128_GCM inline:{KEY30}",
        CM80 + "|0", CM80 + "|2^0", CM80 + "|2^49", CM80 + "|x",
        CM80 + "|2^20|1:4", CM80 + "|1:4", CM80 + f";inline:{KEY30}|2^20|2:4",
        CM80 + " KDR=10", CM80 + " UNENCRYPTED_SRTP", CM80 + " UNENCRYPTED_SRTCP", CM80 + " UNAUTHENTICATED_SRTP",
        CM80 + " FEC_ORDER=FEC_SRTP", CM80 + " SOMETHING_NEW",
    ],
)  # fmt: skip
def test_what_is_malformed_or_not_done_is_no_line(value: str) -> None:
    assert read_crypto(value) is None


@given(st.text(max_size=120))
def test_no_text_breaks_the_reader(text: str) -> None:
    read_crypto(text)
    read_crypto("1 AES_CM_128_HMAC_SHA1_80 inline:" + text)
    best([text, CM80])


def test_of_several_lines_our_own_order_decides_and_damaged_ones_are_passed_over() -> None:
    gcm = new_crypto(3, "AEAD_AES_256_GCM")
    damaged = "1 AES_CM_128_HMAC_SHA1_32 inline:short"
    lines = [damaged, CM80.replace("1 ", "2 ", 1), gcm.line().removeprefix("a=crypto:")]
    assert best(lines) == gcm
    assert best(lines[:2]) == read_crypto(lines[1])
    assert best(lines[:1]) is None


def test_an_answer_takes_one_of_the_lines_offered() -> None:
    ours = [new_crypto(tag, suite) for tag, suite in enumerate(SUITES, 1)]
    offered = [crypto.line().removeprefix("a=crypto:") for crypto in ours]
    theirs = new_crypto(3, "AES_CM_128_HMAC_SHA1_80")
    value = theirs.line().removeprefix("a=crypto:")
    assert chosen(offered, [value], "RTP/SAVP") == Secured(theirs, ours[2], "RTP/SAVP")
    assert chosen(offered, [], "RTP/SAVP") is None
    assert chosen(offered, [value, value], "RTP/SAVP") is None
    assert chosen(offered, [value.replace("3 ", "2 ", 1)], "RTP/SAVP") is None, "a tag of another suite"
    assert chosen(offered[:2], [value], "RTP/SAVP") is None


def test_keys_are_not_printed() -> None:
    crypto = new_crypto(1, "AES_CM_128_HMAC_SHA1_80")
    assert "key" not in repr(crypto)
