"""Every form of media address in semantics 5.3, and what tenants may not write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirliton.sounds.addresses import (
    Address,
    AddressInvalid,
    LocalStream,
    NoSound,
    Parts,
    Prompt,
    Radio,
    SilenceStream,
    SoundNotFound,
    SoundRefused,
    Source,
    Speech,
    StoredMedia,
    ToneScript,
    Variable,
    WebFile,
    parse_address,
)

A, M = "a" * 32, "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("text", "source"),
    [
        (None, NoSound()),
        ("", NoSound()),
        ("silence", NoSound()),
        ("conf-welcome", Prompt("conf-welcome")),
        ("7", Prompt("7")),
        (f"prompt://{A}/conf-muted/fr-FR", Prompt("conf-muted", A, "fr-fr")),
        ("prompt://system_media/conf-muted/en-us", Prompt("conf-muted", "system_media", "en-us")),
        (M, StoredMedia(M)),
        (f"/{A}/{M}", StoredMedia(M, A)),
        ("tone_stream://%(500,0,440)", ToneScript("%(500,0,440)")),
        ("silence_stream://400", SilenceStream(400)),
        ("silence_stream://-7", SilenceStream(-1)),
        ("silence_stream://400,1400", SilenceStream(400, 1400)),
        ("$${hold_music}", Variable("hold_music")),
        ("http://example.com/a.wav", WebFile("http://example.com/a.wav")),
        ("https://example.com:8443/a b.wav?x=1#part", WebFile("https://example.com:8443/a%20b.wav?x=1")),
        ("HTTPS://Example.com/a.wav", WebFile("https://example.com/a.wav")),
        ("tts://Good morning", Speech("Good morning")),
        ("say:Good\nmorning,  http://everybody", Speech("Good morning, http://everybody")),
        (f"file_string://conf-welcome!{M}", Parts((Address(Prompt("conf-welcome")), Address(StoredMedia(M))))),
    ],
)
def test_each_form_becomes_its_own_value(text: str | None, source: Source) -> None:
    assert parse_address(text) == Address(source)


def test_a_prefix_gives_volume_and_loops() -> None:
    address = parse_address("{vol=-2,loops=3,other=1}conf-welcome")
    assert (address.volume, address.loops, address.gain) == (-2, 3, 0.6)
    assert parse_address("{loops=-1}{vol=9}conf-welcome") == Address(Prompt("conf-welcome"), loops=-1, volume=4)


def test_loops_after_a_tone_script_count_as_well() -> None:
    assert parse_address("tone_stream://%(500,0,440);loops=-1") == Address(ToneScript("%(500,0,440)"), loops=-1)


def test_a_local_stream_never_ends_unless_asked_to() -> None:
    assert parse_address("local_stream://moh") == Address(LocalStream("moh"), loops=-1)
    assert parse_address("{loops=2}local_stream://moh/") == Address(LocalStream("moh"), loops=2)


def test_a_radio_station_is_asked_over_http_and_never_ends_unless_asked_to() -> None:
    assert parse_address("shout://radio.example.com:8000/live") == Address(
        Radio("http://radio.example.com:8000/live"), loops=-1
    )
    assert parse_address("{loops=3,vol=-1}SHOUT://radio.example.com") == Address(
        Radio("http://radio.example.com"), loops=3, volume=-1
    )


@pytest.mark.parametrize("text", ["shout://", "shout:///live", "shout://host:99999/x"])
def test_a_radio_station_needs_a_host(text: str) -> None:
    with pytest.raises(AddressInvalid):
        parse_address(text)


def test_a_radio_station_is_shown_as_written_and_without_its_password() -> None:
    source = parse_address("shout://bob:secret@example.com:8000/live?token=secret").source
    assert isinstance(source, Radio)
    assert source.shown == "shout://example.com:8000/live"


@pytest.mark.parametrize("radio", ["shout://example.com/live", "{loops=1}shout://example.com/live"])
def test_a_radio_station_is_no_part_of_a_list(radio: str) -> None:
    with pytest.raises(AddressInvalid, match="never ends"):
        parse_address(f"file_string://conf-alone!{radio}")


def test_parts_may_come_from_the_web_and_from_speech_but_must_end() -> None:
    parts = parse_address("file_string://https://example.com/a.wav!tts://and").source
    assert isinstance(parts, Parts)
    assert [part.source for part in parts.addresses] == [WebFile("https://example.com/a.wav"), Speech("and")]
    with pytest.raises(AddressInvalid, match="never ends"):
        parse_address("file_string://conf-alone!local_stream://moh")


def test_messages_show_neither_password_nor_query() -> None:
    source = parse_address("https://bob:secret@example.com/a.wav?token=secret").source
    assert isinstance(source, WebFile)
    assert source.shown == "https://example.com/a.wav"


@pytest.mark.parametrize(
    "text", ["/etc/passwd", "/srv/a.wav", "tone_stream://path=/etc/passwd", "file_string:///etc/x!a"]
)
def test_files_of_the_server_are_refused(text: str) -> None:
    with pytest.raises(SoundRefused):
        parse_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "two words",
        "../prompts/x",
        "gopher://x",
        "silence_stream://0",
        "silence_stream://abc",
        "silence_stream://5,0",
        "prompt://x",
        "prompt:///x/y",
        "prompt://a/../../etc",
        "{vol=loud}conf-welcome",
        "http://",
        "http:///a.wav",
        "http://[::1/a.wav",
        "http://example.com:99999/a.wav",
        "http://xn--a/a.wav",
        "http://a\0b/",
        "tts://",
        "say: \0 ",
        "local_stream://",
        "local_stream://../../etc/passwd",
        "file_string://a!file_string://b",
        "file_string://" + "file_string://" * 250,
        "file_string://" + "a!" * 40,
        "file_string://a!silence_stream://-1",
        "{loops=2}" * 400 + "a b",
        "x" * 5000,
    ],
)
def test_other_text_is_refused_in_words(text: str) -> None:
    with pytest.raises(AddressInvalid):
        parse_address(text)


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        assert isinstance(parse_address(text), Address)
    except SoundNotFound as refusal:
        assert str(refusal)
