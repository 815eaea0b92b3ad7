"""Every form of a media address (semantics 5.3), played over REST into a room and heard there."""

import asyncio
import json
from collections.abc import Sequence

import numpy as np

from mirliton.phone.conversation import Conversation
from mirliton.phone.listening import level, tone_level

from ..sounds.radio_tower import on_air
from ..sounds.web_server import WebServer, answer
from .chimes import FENCE, PAUSE, SECONDS, chime, chimes, fence, rings, rung
from .conftest import WALTZ
from .measuring import TONES, hears, jingle, likeness, prompted, recording, until, wav
from .studio import Studio
from .switchboard import QUIET, Switchboard
from .together import Together

together = Together()

GAP = 0.25  # s; a phone that is held up for a moment hears what follows later by as much

ONE, TWO, THREE = 311, 449, 647
OTHER = 0.4
NOISE = -27.8
"""dBFS of even noise with a peak of a twentieth of full scale."""


async def occupied(board: Switchboard, **profile: object) -> tuple[str, Conversation, Conversation]:
    """A room without sounds of its own, of a telephone's width, with two silent callers; its name and they."""
    number, name = await board.quiet_room(profile=QUIET | {"rate": 8000, "comfort-noise": 0} | profile)
    first, second = await board.dial_in_turn(name, number, None, None)
    return name, first, second


async def play(board: Switchboard, name: str, *addresses: str) -> None:
    """Into the room's queue, one after the other."""
    for address in addresses:
        await board.rest.act(name, "play", media_id=address)


async def refused(board: Switchboard, name: str, address: str) -> str:
    """Playing it is refused with 404 and names the address; returns all of the answer."""
    code, refusal = await board.rest.refused(
        "PUT", f"/conferences/{name}", {"action": "play", "data": {"media_id": address}}
    )
    assert (code, refusal["status"], refusal["data"]) == (404, "error", [address])
    return json.dumps(refusal, ensure_ascii=False)


def loudness(call: Conversation, pitch: int) -> float:
    """Of the first chime of a pitch, in dBFS."""
    start, end = next((start, end) for which, start, end in rings(call) if which == pitch)
    return tone_level(call.heard(start + 0.06, end - 0.06), call.rate, pitch)


@together
async def test_tone_scripts_play_as_often_as_they_say_and_as_loud(board: Switchboard) -> None:
    name, first, second = await occupied(board)
    once = chime(ONE)
    await play(board, name, once, f"{once};loops=2", f"{{loops=3,vol=-2}}{chime(TWO)}", f"{chime(THREE)};loops=-1")
    await fence(board.rest, name, first, second)
    for call in (first, second):
        heard = [ONE] * 3 + [TWO] * 3 + [THREE] + [FENCE]
        assert chimes(call) == heard, "what never ends plays once in a queue"
        assert abs(loudness(call, ONE) - loudness(call, TWO) - 20 * np.log10(1 / 0.6)) < 1.0
    starts = [start for pitch, start, _ in rings(first) if pitch in (ONE, TWO)]
    assert np.allclose(np.diff(starts)[[1, 3, 4]], SECONDS + PAUSE, atol=0.1), "no gap between the rounds of a script"


@together
async def test_silence_takes_its_time_in_the_queue_and_can_be_noise(board: Switchboard) -> None:
    name, first, second = await occupied(board, **{"comfort-noise": 200})
    await play(board, name, f"file_string://{chime(ONE)}!silence_stream://1000!{chime(TWO)}")
    await rung(first, TWO)
    (_, _, end), (_, start, _) = rings(first)[:2]
    assert abs(start - end - PAUSE - 1.0) < GAP
    assert level(first.heard(end + 0.1, start - 0.1)) < -80, "digital silence, not even comfort noise"
    await play(board, name, chime(THREE), "silence_stream://1500,20")
    for call in (first, second):
        end = await rung(call, THREE) + PAUSE
        await until(lambda call=call, end=end: _passed(call, end + 1.6), "the noise")  # type: ignore[misc]
        assert abs(level(call.heard(end + 0.2, end + 1.2)) - NOISE) < 1.5


async def _passed(call: Conversation, moment: float) -> bool:
    return call.seconds > moment


@together
async def test_prompts_by_every_name_with_the_account_s_own_before_the_shipped(board: Switchboard) -> None:
    account, prompt = board.account.account_id, "conf-single"
    await board.rest.recording("own", wav(jingle(31)), prompt_id=prompt, language="sl")
    name, first, second = await occupied(board)
    ends: Sequence[float] = (0.0, 0.0)
    for address, sound in (
        (prompt, recording(prompt, 8000)),
        (f"prompt://{account}/{prompt}/sl", jingle(31)),
        (f"prompt://{account}/{prompt}/sl-si_en-us", jingle(31)),
        (f"prompt://{account}/{prompt}/en-us", recording(prompt, 8000)),
        (f"prompt://system_media/{prompt}/en-us", recording(prompt, 8000)),
        (f"prompt://{account}/{prompt}", recording(prompt, 8000)),
    ):
        await play(board, name, address)
        since = [max(0.0, end - 0.1) for end in ends]
        ends = await asyncio.gather(prompted(first, sound, since[0]), prompted(second, sound, since[1]))
    assert "conf-nothing" in await refused(board, name, "conf-nothing")
    assert "another account" in await refused(board, name, f"prompt://{'f' * 32}/{prompt}/en-us")


@together
async def test_uploaded_media_by_their_id_alone_and_with_the_account(board: Switchboard) -> None:
    other = await board.of_other_account()
    foreign = await other.rest.recording("foreign", wav(jingle(34)))
    one, two = [await board.rest.recording("upload", wav(jingle(seed))) for seed in (32, 33)]
    name, first, second = await occupied(board)
    await play(board, name, one, f"/{board.account.account_id}/{two}")
    for call in (first, second):
        end = await prompted(call, jingle(32))
        await prompted(call, jingle(33), since=end - 0.1)
    await refused(board, name, foreign)
    assert "another account" in await refused(board, name, f"/{other.account.account_id}/{foreign}")
    await refused(board, name, "0" * 32)


@together
async def test_files_of_web_servers_are_fetched_and_of_private_networks_are_not(board: Switchboard) -> None:
    name, first, second = await occupied(board)
    async with WebServer() as server:
        server.answers["/a.wav?x=1"] = answer(200, wav(jingle(35)))
        await play(board, name, server.url("/a.wav?x=1"))
        await asyncio.gather(prompted(first, jingle(35)), prompted(second, jingle(35)))
        assert "404" in await refused(board, name, server.url("/none.wav"))
        server.answers["/b.wav"] = answer(200, b"this is no sound")
        assert "/b.wav" in await refused(board, name, server.url("/b.wav"))
        assert [request.path for request in server.requests] == ["/a.wav?x=1", "/none.wav", "/b.wav"]
    for address in ("http://10.0.0.1/x.wav", "https://169.254.169.254/latest", "http://[::1]/x.wav"):
        assert "not public" in await refused(board, name, address)


@together
async def test_texts_are_spoken_to_all_or_to_one(board: Switchboard) -> None:
    name, first, second = await occupied(board)
    people = await board.rest.participants(name)
    async with Studio() as studio:
        told, asked, private = [
            await studio.sound(f"say:{text}") for text in ("the meeting begins", "who is there", "you are the last")
        ]
    await play(board, name, "tts://the meeting begins", "say:who is there")
    for call in (first, second):
        end = await prompted(call, told)
        await prompted(call, asked, since=end - 0.1)
    await board.rest.act(name, "play", people[1]["participant_id"], media_id="say:you are the last")
    await prompted(second, private)
    assert await likeness(first, private) < OTHER


@together
async def test_streams_and_variables_of_the_operator_and_the_music_of_the_house(board: Switchboard) -> None:
    name, first, _ = await occupied(board)
    await play(board, name, "local_stream://waltz", "$${waltz}", "{vol=-4}local_stream://waltz")
    once = await prompted(first, WALTZ)
    twice = await prompted(first, WALTZ, since=once - 0.1)
    thrice = await prompted(first, WALTZ, since=twice - 0.1)
    loud, soft = (level(first.heard(end - 1.8, end - 0.2)) for end in (twice, thrice))
    assert abs(loud - soft - 20 * np.log10(1 / 0.2)) < 1.0
    for address in ("local_stream://hold_music", "$${hold_music}"):
        # A room for each: in a queue it plays to its end.
        elsewhere, call, _ = await occupied(board)
        await play(board, elsewhere, address)
        await prompted(call, "hold_music")
    for address in ("local_stream://polka", "$${polka}"):
        assert "waltz" in await refused(board, name, address), "the known ones are told"


@together
async def test_parts_of_several_kinds_follow_each_other_without_a_gap(board: Switchboard) -> None:
    media = await board.rest.recording("part", wav(jingle(36)))
    name, first, second = await occupied(board)
    parts = [chime(ONE), "conf-single", f"{{loops=2}}{media}", f"{{vol=-3}}{chime(TWO)}"]
    await play(board, name, f"{{loops=2}}file_string://{'!'.join(parts)}")
    words = recording("conf-single", 8000)
    for call in (first, second):
        end = 0.0
        for _ in range(2):
            began = await rung(call, ONE, since=end)
            said = await prompted(call, words, since=began)
            assert abs(said - began - PAUSE - len(words) / 8000) < GAP
            end = await prompted(call, np.tile(jingle(36), 2), since=said - 0.1)
            assert abs(end - said - 2.0) < GAP
            end = await rung(call, TWO, since=end - 0.1)
    assert abs(loudness(first, ONE) - loudness(first, TWO) - 20 * np.log10(1 / 0.4)) < 1.0


@together
async def test_a_radio_station_is_the_hold_music_of_two_rooms_over_one_connection(board: Switchboard) -> None:
    music, voice = TONES[1], TONES[6]
    async with WebServer() as server:
        server.answers["/live"] = on_air(music)
        profile = QUIET | {"moh-sound": f"shout://127.0.0.1:{server.port}/live"}
        rooms = [await board.quiet_room(profile=profile) for _ in range(2)]
        calls = [await board.dial(number, voice) for number, _ in rooms]
        await asyncio.gather(*(hears(call, music) for call in calls))
        assert [request.path for request in server.requests] == ["/live"], "both rooms hear one and the same"
        second = await board.dial(rooms[0][0])
        await asyncio.gather(hears(calls[0]), hears(second, voice), hears(calls[1], music))
        await second.hang_up()
        await hears(calls[0], music)
        assert len(server.requests) == 1, "it was listened to all the time"
        assert board.server.metrics()["mirliton_sounds_stations"] >= 1


@together
async def test_a_radio_station_plays_into_a_room_until_its_sender_fails(board: Switchboard) -> None:
    music = TONES[3]
    name, first, second = await occupied(board)
    async with WebServer() as server:
        server.answers["/live"] = on_air(music)
        await play(board, name, f"shout://127.0.0.1:{server.port}/live")
        await asyncio.gather(hears(first, music), hears(second, music))
        assert "/none" in await refused(board, name, f"shout://127.0.0.1:{server.port}/none")
    await asyncio.gather(hears(first), hears(second))


@together
async def test_what_cannot_be_played_is_refused_with_what_to_do_and_the_room_goes_on(board: Switchboard) -> None:
    name, first, second = await occupied(board)
    for address, advice in (
        ("/etc/passwd", "upload"),
        ("file_string:///etc/passwd", "upload"),
        ("tone_stream://path=/etc/passwd", "script itself"),
        ("shout://10.0.0.1:8000/live", "not public"),
        ("file_string://conf-single!shout://radio.example.com/live", "never ends"),
        ("gopher://example.com/x", "gopher"),
        ("tone_stream://%(100,0)", "makes no sound"),
        ("silence_stream://0", "0 is no length"),
        ("silence_stream://999999999", "longer"),
        ("file_string://silence_stream://-1", "never ends"),
        ("two words", "neither"),
        ("tts://", "text to speak"),
        ("x" * 5000, "characters"),
    ):
        assert advice in await refused(board, name, address), address
    await fence(board.rest, name, first, second)
    assert (chimes(first), chimes(second)) == ([FENCE], [FENCE])


@together
async def test_the_same_addresses_are_sounds_of_a_profile(board: Switchboard) -> None:
    account = board.account.account_id
    media = await board.rest.recording("of a profile", wav(jingle(37)))
    async with WebServer() as server, Studio() as studio:
        server.answers["/enter.wav"] = answer(200, wav(jingle(38)))
        profile = QUIET | {
            "alone-sound": f"{{vol=1}}/{account}/{media}",
            "moh-sound": "local_stream://waltz",
            "enter-sound": server.url("/enter.wav"),
            "muted-sound": "say:quiet now",
            "unmuted-sound": f"file_string://{chime(ONE)}!conf-single",
        }
        number, name = await board.quiet_room(profile=profile)
        first = await board.dial(number)
        told = await prompted(first, jingle(37))
        await prompted(first, WALTZ, since=told - 0.1)
        second = await board.dial(number)
        end, _ = await asyncio.gather(prompted(first, jingle(38), since=told), prompted(second, jingle(38)))
        await board.present(name, 2)
        first.press("*2", first.seconds)
        end = await prompted(first, await studio.sound("say:quiet now"), since=end - 0.1)
        first.press("*3", first.seconds)
        await rung(first, ONE)
        await prompted(first, "conf-single", since=end)
