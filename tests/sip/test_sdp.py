"""Offers and answers as phones write them, and as nobody should."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirliton.sip.sdp import AudioAgreement, NotAcceptable, answer_offer, make_offer, parse, read_answer


def offer(*lines: str, address: str = "192.0.2.7") -> bytes:
    head = ["v=0", f"o=- 1 1 IN IP4 {address}", "s=call", f"c=IN IP4 {address}", "t=0 0"]
    return "\r\n".join([*head, *lines, ""]).encode()


def answer(sdp: bytes) -> tuple[list[str], AudioAgreement]:
    text, agreement = answer_offer(sdp, "198.51.100.1", 10_000, 7, 3)
    return text.decode().split("\r\n"), agreement


def test_the_offerers_order_of_codecs_wins() -> None:
    lines, agreement = answer(offer("m=audio 4000 RTP/AVP 18 8 0", "a=rtpmap:18 G729/8000"))
    assert agreement == AudioAgreement("192.0.2.7", 4000, "PCMA", 8, None, 20)
    assert "m=audio 10000 RTP/AVP 8" in lines
    assert "o=mirliton 7 3 IN IP4 198.51.100.1" in lines


def test_g722_and_events_at_any_number() -> None:
    lines, agreement = answer(
        offer("m=audio 4000 RTP/AVP 9 0 126", "a=rtpmap:9 G722/8000", "a=rtpmap:126 Telephone-Event/8000")
    )
    assert (agreement.codec, agreement.payload_type, agreement.event_payload_type) == ("G722", 9, 126)
    assert "m=audio 10000 RTP/AVP 9 126" in lines
    assert "a=rtpmap:126 telephone-event/8000" in lines


def test_a_dynamic_number_may_name_a_known_codec() -> None:
    assert answer(offer("m=audio 4000 RTP/AVP 97", "a=rtpmap:97 pcmu/8000/1"))[1].payload_type == 97


def test_a_static_number_with_another_meaning_is_not_our_codec() -> None:
    with pytest.raises(NotAcceptable):
        answer(offer("m=audio 4000 RTP/AVP 0", "a=rtpmap:0 G729/8000"))


@pytest.mark.parametrize(
    ("attributes", "ptime"),
    [
        ([], 20),
        (["a=ptime:30"], 30),
        (["a=ptime:5"], 10),
        (["a=ptime:200"], 60),
        (["a=ptime:40", "a=maxptime:25"], 20),
        (["a=ptime:x"], 20),
        (["a=ptime:20.0"], 20),
        (["a=maxptime:10"], 10),
    ],
)
def test_packet_time_is_theirs_within_our_limits(attributes: list[str], ptime: int) -> None:
    lines, agreement = answer(offer("m=audio 4000 RTP/AVP 0", *attributes))
    assert agreement.ptime == ptime
    assert f"a=ptime:{ptime}" in lines


@pytest.mark.parametrize(
    ("theirs", "ours", "send", "receive"),
    [
        ("sendrecv", "sendrecv", True, True),
        ("sendonly", "recvonly", False, True),
        ("recvonly", "sendonly", True, False),
        ("inactive", "inactive", False, False),
    ],
)
def test_directions_are_mirrored(theirs: str, ours: str, send: bool, receive: bool) -> None:
    lines, agreement = answer(offer("m=audio 4000 RTP/AVP 0", f"a={theirs}"))
    assert f"a={ours}" in lines
    assert (agreement.send, agreement.receive) == (send, receive)


def test_a_direction_of_the_session_holds_for_media_without_one() -> None:
    held = offer("a=sendonly", "m=audio 4000 RTP/AVP 0")
    assert not answer(held)[1].send
    assert answer(held + b"a=sendrecv\r\n")[1].send


def test_an_address_of_zeros_is_hold() -> None:
    lines, agreement = answer(offer("m=audio 4000 RTP/AVP 0", address="0.0.0.0"))
    assert (agreement.send, agreement.receive) == (False, True)
    assert "a=recvonly" in lines


def test_the_media_address_wins_over_the_session_address() -> None:
    assert answer(offer("m=audio 4000 RTP/AVP 0", "c=IN IP4 192.0.2.9"))[1].remote_address == "192.0.2.9"


def test_other_lines_are_kept_with_port_zero() -> None:
    lines, _ = answer(
        offer("m=video 5000 RTP/AVP 31", "m=audio 4000 RTP/AVP 0", "m=audio 4002 RTP/AVP 0", "m=image 9 udptl t38")
    )
    assert [line for line in lines if line.startswith("m=")] == [
        "m=video 0 RTP/AVP 31",
        "m=audio 10000 RTP/AVP 0",
        "m=audio 0 RTP/AVP 0",
        "m=image 0 udptl t38",
    ]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["m=audio 0 RTP/AVP 0"],
        ["m=audio 4000 RTP/SAVP 0"],
        ["m=audio 4000 UDP/TLS/RTP/SAVPF 0"],
        ["m=audio 4000 RTP/AVP 18"],
        ["m=audio 4000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"],
        ["m=audio 4000 RTP/AVP 0", "c=IN IP6 ::1"],
        ["m=audio 4000 RTP/AVP 0", "c=IN IP4 example.org"],
        ["m=audio 4000 RTP/AVP 0", "c=IN IP4 224.0.0.1"],
        ["m=audio 99999 RTP/AVP 0"],
        ["m=audio"],
    ],
)
def test_what_cannot_be_heard_is_not_acceptable(lines: list[str]) -> None:
    with pytest.raises(NotAcceptable):
        answer(offer(*lines))


def test_our_offer_is_answered_by_ourselves() -> None:
    ours = make_offer("192.0.2.1", 6000, 1, 1, codecs=("G722", "PCMU"), ptime=40)
    theirs, remote = answer_offer(ours, "192.0.2.2", 7000, 2, 1)
    assert remote == AudioAgreement("192.0.2.1", 6000, "G722", 9, 101, 40)
    assert read_answer(ours, theirs) == AudioAgreement("192.0.2.2", 7000, "G722", 9, 101, 40)


def test_an_answer_narrows_our_direction() -> None:
    ours = make_offer("192.0.2.1", 6000, 1, 1, direction="sendonly")
    theirs, _ = answer_offer(ours, "192.0.2.2", 7000, 2, 1)
    agreement = read_answer(ours, theirs)
    assert (agreement.send, agreement.receive) == (True, False)


@pytest.mark.parametrize(
    "lines",
    [
        ["m=audio 0 RTP/AVP 0"],
        ["m=audio 4000 RTP/AVP 97", "a=rtpmap:97 PCMU/8000"],
        ["m=audio 4000 RTP/AVP 18"],
        ["m=audio 4000 RTP/AVP 0", "m=video 0 RTP/AVP 31"],
    ],
)
def test_an_answer_that_does_not_fit_the_offer_is_refused(lines: list[str]) -> None:
    with pytest.raises(NotAcceptable):
        read_answer(make_offer("192.0.2.1", 6000, 1, 1), offer(*lines))


@given(st.binary(max_size=400))
def test_arbitrary_bytes_never_raise_anything_else(data: bytes) -> None:
    for sdp in (data, offer() + data, offer("m=audio 4000 RTP/AVP 0") + data):
        try:
            text, agreement = answer_offer(sdp, "192.0.2.1", 10_000, 1, 1)
        except NotAcceptable:
            continue
        assert len(parse(text)) == len(parse(sdp))
        assert 10 <= agreement.ptime <= 60


_FORMAT = st.sampled_from(["0", "8", "9", "18", "97", "101", "127", "128", "x", "٣"])
_LINES = st.lists(
    st.one_of(
        st.builds("m={} {} {} {}".format, st.sampled_from(["audio", "video"]), st.integers(-1, 70_000),
                  st.sampled_from(["RTP/AVP", "RTP/SAVP", "udp"]), st.lists(_FORMAT, max_size=4).map(" ".join)),
        st.builds("a=rtpmap:{} {}/{}".format, _FORMAT, st.sampled_from(["PCMU", "g722", "telephone-event", ""]),
                  st.sampled_from(["8000", "8000/1", "8000/2", "48000", "²"])),
        st.builds("a={}:{}".format, st.sampled_from(["ptime", "maxptime"]), st.text(max_size=6)),
        st.builds("c=IN IP4 {}".format, st.sampled_from(["0.0.0.0", "192.0.2.1", "192.0.2.1/127", "300.1.1.1", ""])),
        st.sampled_from(["a=sendonly", "a=inactive", "a=recvonly", "b=AS:64", "a="]),
    ),
    max_size=12,
)  # fmt: skip


@given(_LINES)
def test_nearly_right_offers_never_raise_anything_else(lines: list[str]) -> None:
    sdp = offer(*lines)
    try:
        text, agreement = answer_offer(sdp, "192.0.2.1", 10_000, 1, 1)
    except NotAcceptable:
        return
    assert len(parse(text)) == len(parse(sdp))
    assert agreement.codec in ("PCMU", "PCMA", "G722")
    assert 0 <= agreement.payload_type <= 127
