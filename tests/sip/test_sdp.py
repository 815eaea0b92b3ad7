"""Offers and answers as phones write them, and as nobody should."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirliton.sip.formats import ALL_CODECS, CODECS, clock_of, expanded
from mirliton.sip.sdp import AUDIO_LEVEL, AudioAgreement, NotAcceptable, answer_offer, make_offer, parse, read_answer


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
    assert remote == AudioAgreement("192.0.2.1", 6000, "G722", 9, 101, 40, rtcp_mux=True)
    assert read_answer(ours, theirs) == AudioAgreement("192.0.2.2", 7000, "G722", 9, 101, 40, rtcp_mux=True)


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


_FORMAT = st.sampled_from(["0", "8", "9", "10", "18", "96", "97", "101", "127", "128", "x", "٣"])
_PARAMETER = st.builds(
    "{}{}{}".format,
    st.sampled_from(["useinbandfec", "usedtx", "cbr", "maxplaybackrate", "maxaveragebitrate", "stereo", ""]),
    st.sampled_from(["=", " = ", ""]),
    st.one_of(st.integers(-1, 10**9).map(str), st.text(max_size=6)),
)
_LINES = st.lists(
    st.one_of(
        st.builds("m={} {} {} {}".format, st.sampled_from(["audio", "video"]), st.integers(-1, 70_000),
                  st.sampled_from(["RTP/AVP", "RTP/SAVP", "udp"]), st.lists(_FORMAT, max_size=4).map(" ".join)),
        st.builds("a=rtpmap:{} {}/{}".format, _FORMAT,
                  st.sampled_from(["PCMU", "g722", "opus", "L16", "telephone-event", ""]),
                  st.sampled_from(["8000", "8000/1", "8000/2", "16000", "48000", "48000/2", "44100", "²"])),
        st.builds("a=fmtp:{} {}".format, _FORMAT, st.lists(_PARAMETER, max_size=4).map(";".join)),
        st.builds("a=extmap:{} {}".format,
                  st.one_of(st.integers(-1, 300).map(str), st.sampled_from(["3/sendonly", "x"])),
                  st.sampled_from([AUDIO_LEVEL, f"{AUDIO_LEVEL} vad=on", "urn:x", ""])),
        st.builds("a={}:{}".format, st.sampled_from(["ptime", "maxptime"]), st.text(max_size=6)),
        st.builds("c=IN IP4 {}".format, st.sampled_from(["0.0.0.0", "192.0.2.1", "192.0.2.1/127", "300.1.1.1", ""])),
        st.sampled_from(["a=sendonly", "a=inactive", "a=recvonly", "b=AS:64", "a="]),
    ),
    max_size=12,
)  # fmt: skip


@given(_LINES, st.sampled_from([CODECS, ALL_CODECS, ("L16",), ("OPUS",)]))
def test_nearly_right_offers_never_raise_anything_else(lines: list[str], codecs: tuple[str, ...]) -> None:
    sdp = offer(*lines)
    try:
        text, agreement = answer_offer(sdp, "192.0.2.1", 10_000, 1, 1, codecs=codecs)
    except NotAcceptable:
        return
    assert len(parse(text)) == len(parse(sdp))
    assert 0 <= agreement.payload_type <= 127
    assert agreement.event_payload_type != agreement.payload_type
    assert agreement.codec in {name.partition("/")[0] for name in expanded(codecs)}
    assert 8000 <= agreement.rate <= 48_000
    assert agreement.bits_per_second == 0 or 6000 <= agreement.bits_per_second <= 510_000
    assert 0 <= agreement.level_extension <= 14
    longest = {("OPUS", 48_000): 60, ("L16", 48_000): 10, ("L16", 16_000): 40}
    assert 10 <= agreement.ptime <= longest.get((agreement.codec, agreement.rate), 60)


@given(_LINES)
def test_nearly_right_answers_never_raise_anything_else(lines: list[str]) -> None:
    ours = make_offer("192.0.2.1", 6000, 1, 1, codecs=ALL_CODECS)
    for sdp in (offer(*lines), ours + "".join(f"{line}\r\n" for line in lines).encode()):
        try:
            agreement = read_answer(ours, sdp)
        except NotAcceptable:
            continue
        assert agreement.codec in ("OPUS", "G722", "PCMU", "PCMA", "L16")
        assert agreement.level_extension == 0


OPUS_OFFER = ("m=audio 4000 RTP/AVP 96 0 101 102", "a=rtpmap:96 opus/48000/2", "a=rtpmap:101 telephone-event/8000",
              "a=rtpmap:102 telephone-event/48000")  # fmt: skip


def test_opus_is_answered_under_their_number_with_keys_at_its_clock_and_our_wishes() -> None:
    lines, agreement = answer(offer(*OPUS_OFFER))
    assert (agreement.codec, agreement.payload_type, agreement.rate) == ("OPUS", 96, 48_000)
    assert (agreement.event_payload_type, agreement.event_clock) == (102, 48_000)
    assert [line for line in lines if line.startswith(("m=", "a=rtpmap", "a=fmtp"))] == [
        "m=audio 10000 RTP/AVP 96 102",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 useinbandfec=1;usedtx=0;maxplaybackrate=48000",
        "a=rtpmap:102 telephone-event/48000",
        "a=fmtp:102 0-15",
    ]


def test_keys_at_8000_hz_are_taken_beside_opus_when_there_are_no_others() -> None:
    lines, agreement = answer(offer(*OPUS_OFFER[:3]))
    assert (agreement.event_payload_type, agreement.event_clock) == (101, 8000)
    assert "m=audio 10000 RTP/AVP 96 101" in lines
    assert "a=rtpmap:101 telephone-event/8000" in lines


@pytest.mark.parametrize(
    ("fmtp", "wishes"),
    [
        ("", (48_000, 0, False, False, False)),
        ("96 useinbandfec=1; usedtx=1;cbr=1", (48_000, 0, True, True, True)),
        ("96 UseInbandFEC = 1;maxplaybackrate=16000;maxaveragebitrate=20000", (16_000, 20_000, True, False, False)),
        ("96 maxplaybackrate=4000;maxaveragebitrate=1;stereo=1", (8000, 6000, False, False, False)),
        ("96 maxplaybackrate=96000;maxaveragebitrate=9999999", (48_000, 510_000, False, False, False)),
        ("96 maxplaybackrate=x;maxaveragebitrate=-5;useinbandfec=2;=;;", (48_000, 0, False, False, False)),
        ("97 useinbandfec=1", (48_000, 0, False, False, False)),
    ],
)
def test_how_they_want_opus_is_read_and_bounded(fmtp: str, wishes: tuple[int, int, bool, bool, bool]) -> None:
    agreement = answer(offer(*OPUS_OFFER, f"a=fmtp:{fmtp}"))[1]
    found = agreement.rate, agreement.bits_per_second, agreement.fec, agreement.dtx, agreement.constant
    assert found == wishes


def test_nobody_is_asked_for_more_than_rooms_can_use() -> None:
    text, _ = answer_offer(offer(*OPUS_OFFER), "192.0.2.1", 10_000, 1, 1, playback_rate=16_000)
    assert b"maxplaybackrate=16000" in text


@pytest.mark.parametrize(("asked", "ptime"), [(10, 10), (20, 20), (30, 20), (50, 40), (60, 60), (120, 60), (3, 10)])
def test_opus_is_sent_in_packets_that_it_can_make(asked: int, ptime: int) -> None:
    lines, agreement = answer(offer(*OPUS_OFFER, f"a=ptime:{asked}"))
    assert agreement.ptime == ptime
    assert f"a=ptime:{ptime}" in lines


@pytest.mark.parametrize(("rate", "ptime"), [(48_000, 10), (16_000, 40), (8000, 60)])
def test_linear_sound_is_spoken_where_it_is_listed_in_packets_that_fit(rate: int, ptime: int) -> None:
    linear = offer("m=audio 4000 RTP/AVP 99", f"a=rtpmap:99 L16/{rate}", "a=ptime:60")
    text, agreement = answer_offer(linear, "192.0.2.1", 10_000, 1, 1, codecs=("L16",))
    assert (agreement.codec, agreement.rate, agreement.payload_type, agreement.ptime) == ("L16", rate, 99, ptime)
    assert f"a=maxptime:{ptime}" in text.decode()
    assert ptime * 2 * rate // 1000 < 1440
    with pytest.raises(NotAcceptable):
        answer(linear)
    other = f"L16/{16_000 if rate != 16_000 else 8000}"
    with pytest.raises(NotAcceptable):
        answer_offer(linear, "192.0.2.1", 10_000, 1, 1, codecs=(other,))


@pytest.mark.parametrize(
    "lines",
    [
        ("m=audio 4000 RTP/AVP 10 11",),
        ("m=audio 4000 RTP/AVP 11", "a=rtpmap:11 L16/44100/1"),
        ("m=audio 4000 RTP/AVP 99", "a=rtpmap:99 L16/16000/2"),
        ("m=audio 4000 RTP/AVP 99", "a=rtpmap:99 opus/48000"),
    ],
)
def test_sound_that_we_cannot_make_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(NotAcceptable):
        answer_offer(offer(*lines), "192.0.2.1", 10_000, 1, 1, codecs=ALL_CODECS)


@pytest.mark.parametrize(
    ("said", "found", "answered"),
    [
        ("3 {}", 3, "a=extmap:3/recvonly"),
        ("14/sendonly {} vad=on", 14, "a=extmap:14/recvonly"),
        ("3/recvonly {}", 0, None),
        ("3/inactive {}", 0, None),
        ("15 {}", 0, None),
        ("0 {}", 0, None),
        ("4100 {}", 0, None),
        ("3 urn:ietf:params:rtp-hdrext:toffset", 0, None),
    ],
)
def test_what_tells_the_level_of_packets_is_agreed_when_it_is_offered(
    said: str, found: int, answered: str | None
) -> None:
    lines, agreement = answer(offer(*OPUS_OFFER, "a=extmap:" + said.format(AUDIO_LEVEL)))
    assert agreement.level_extension == found
    assert [line for line in lines if "extmap" in line] == ([f"{answered} {AUDIO_LEVEL}"] if answered else [])


def test_our_offer_lists_every_codec_once_with_events_at_every_clock() -> None:
    lines = make_offer("192.0.2.1", 6000, 1, 1, codecs=("OPUS", "L16", "PCMU", "L16/16000")).decode().split("\r\n")
    assert "m=audio 6000 RTP/AVP 111 116 117 118 0 101 102 110" in lines
    assert "a=ptime:10" in lines, "whatever is chosen must fit into a frame"
    with pytest.raises(ValueError, match="speex"):
        make_offer("192.0.2.1", 6000, 1, 1, codecs=("speex",))


def test_a_number_keeps_its_meaning_for_the_whole_call() -> None:
    said = {("OPUS", 48_000): 101, ("telephone-event", 48_000): 111}
    lines = make_offer("192.0.2.1", 6000, 1, 1, codecs=("OPUS", "PCMU"), said=said).decode().split("\r\n")
    assert "m=audio 6000 RTP/AVP 101 0 96 111" in lines
    assert {"a=rtpmap:101 opus/48000/2", "a=rtpmap:96 telephone-event/8000"} <= set(lines)


def test_every_codec_is_agreed_between_two_of_us() -> None:
    for name in ALL_CODECS:
        ours = make_offer("192.0.2.1", 6000, 1, 1, codecs=(name,))
        theirs, remote = answer_offer(ours, "192.0.2.2", 7000, 2, 1, codecs=(name,))
        agreed = read_answer(ours, theirs)
        assert (agreed.codec, agreed.payload_type, agreed.rate, agreed.ptime) == (
            remote.codec, remote.payload_type, remote.rate, remote.ptime,
        )  # fmt: skip
        assert agreed.event_payload_type == remote.event_payload_type is not None
        assert agreed.event_clock == remote.event_clock == clock_of(agreed.codec, agreed.rate)
        assert agreed.fec == remote.fec == (name == "OPUS")


def test_reports_on_the_rtp_port_are_agreed_when_both_say_so() -> None:
    lines, agreement = answer(offer("m=audio 4000 RTP/AVP 0", "a=rtcp-mux"))
    assert agreement.rtcp_mux
    assert "a=rtcp-mux" in lines
    lines, agreement = answer(offer("m=audio 4000 RTP/AVP 0"))
    assert not agreement.rtcp_mux
    assert "a=rtcp-mux" not in lines
    ours = make_offer("192.0.2.1", 6000, 1, 1)
    assert b"a=rtcp-mux" in ours
    silent_on_it = offer("m=audio 4000 RTP/AVP 0")
    assert not read_answer(ours, silent_on_it).rtcp_mux


@pytest.mark.parametrize(
    ("value", "port"),
    [
        ("53020", 53020),
        ("53020 IN IP4 192.0.2.7", 53020),
        ("53020 IN IP4 192.0.2.8", 0),
        ("53020 IN IP6 2001:db8::1", 0),
        ("99999", 0),
        ("", 0),
        ("-1", 0),
    ],
)
def test_a_port_for_reports_is_read_where_it_is_of_the_same_host(value: str, port: int) -> None:
    assert answer(offer("m=audio 4000 RTP/AVP 0", f"a=rtcp:{value}"))[1].rtcp_port == port
