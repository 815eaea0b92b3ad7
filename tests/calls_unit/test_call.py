"""A call as the dialogue's caller: media, sounds, digits, and its end at any moment."""

import asyncio
from typing import Any

import pytest

from mirliton.calls.call import MAX_TYPED, Call
from mirliton.calls.sound_queue import SoundStatistics
from mirliton.conference.ports import CallerInfo, HungUp

from .fakes import OFFER, FakeEngine, FakeLeg, FakeSession, FakeSounds, offer

pytestmark = pytest.mark.looptime

ENTRY: dict[str, Any] = {"max_digits": 16, "terminator": "#", "first_digit_ms": 5000, "interdigit_ms": 2000}


class Line:
    """A call with its fakes."""

    def __init__(self, sdp: bytes | None = OFFER) -> None:
        self.engine = FakeEngine()
        self.session = FakeSession(sdp=sdp)
        self.leg: FakeLeg = self.engine.open_leg("call-1")
        self.statistics = SoundStatistics()
        self.call = Call(
            self.session,
            self.leg,
            CallerInfo("call-1", "acc"),
            local_address="127.0.0.1",
            sounds=FakeSounds(),
            sound_statistics=self.statistics,
        )

    def type(self, digits: str) -> None:
        for digit in digits:
            assert self.leg.on_digit is not None
            self.leg.on_digit(digit)


def now() -> float:
    return asyncio.get_running_loop().time()


async def answered() -> Line:
    line = Line()
    await line.call.answer()
    return line


async def test_answering_connects_the_media_that_were_offered() -> None:
    line = await answered()
    agreement = line.leg.agreements[0]
    assert (agreement.remote_address, agreement.remote_port) == ("192.0.2.7", 40000)
    assert agreement.signalling_address == "192.0.2.7"
    assert b"m=audio 10000 " in line.session.answers[0]
    await line.call.answer()
    assert len(line.session.answers) == 1


@pytest.mark.parametrize("sdp", [b"", b"junk", OFFER.replace(b"audio", b"video")])
async def test_media_that_cannot_be_agreed_are_refused(sdp: bytes) -> None:
    line = Line(sdp)
    with pytest.raises(HungUp):
        await line.call.answer()
    assert [code for code, _ in line.session.rejections] == [488]
    assert line.leg.closed


async def test_a_late_offer_connects_with_the_ack_and_prompts_wait_for_it() -> None:
    line = Line(sdp=None)
    await line.call.answer()
    line.call.play(["hello"], "en-us")
    await asyncio.sleep(3)
    assert line.leg.heard == []
    assert line.session.on_media_answer is not None
    assert line.session.on_media_answer(offer())
    assert line.leg.heard == ["hello"]


async def test_nobody_enters_a_room_before_media_flow() -> None:
    line = Line(sdp=None)
    await line.call.answer()
    assert line.session.on_media_answer is not None
    asyncio.get_running_loop().call_later(0.3, line.session.on_media_answer, offer())
    await line.call.play_to_end([], "en-us")
    assert now() == pytest.approx(0.3)


async def test_a_late_answer_that_fits_nothing_ends_the_call() -> None:
    line = Line(sdp=None)
    await line.call.answer()
    assert line.session.on_media_answer is not None
    assert not line.session.on_media_answer(b"junk")


async def test_a_cancelled_call_cannot_be_answered() -> None:
    line = Line()
    line.session.end("CANCEL")
    with pytest.raises(HungUp):
        await line.call.answer()
    assert line.leg.closed


async def test_sounds_play_in_the_order_asked_though_one_is_slow_to_find() -> None:
    line = await answered()
    line.call.play(["slow-one", "two"], "en-us")
    line.call.play(["three"], "en-us")
    await line.call.play_to_end(["four"], "en-us")
    assert line.leg.heard == ["slow-one", "two", "three", "four"]
    assert now() == pytest.approx(5.0)


async def test_sounds_that_do_not_exist_or_break_are_left_out_and_counted() -> None:
    line = await answered()
    await line.call.play_to_end(["no-such", "broken-one", "silence", "two"], "en-us")
    assert line.leg.heard == ["two"]
    assert (line.statistics.not_found, line.statistics.failed, line.statistics.played) == (1, 1, 1)


async def test_playing_nothing_ends_at_once() -> None:
    line = await answered()
    await line.call.play_to_end([], "en-us")
    assert now() == 0


async def test_an_entry_ends_with_the_terminator() -> None:
    line = await answered()
    asyncio.get_running_loop().call_later(1.5, line.type, "12#")
    assert await line.call.collect(["prompt"], "en-us", **ENTRY) == "12"
    assert now() == pytest.approx(1.5)


async def test_the_first_digit_timer_starts_after_the_prompt() -> None:
    line = await answered()
    assert await line.call.collect(["prompt/3"], "en-us", **ENTRY) == ""
    assert now() == pytest.approx(8.0)


async def test_any_digit_stops_every_queued_sound() -> None:
    line = await answered()
    line.call.play(["welcome/10", "more/10"], "en-us")
    asyncio.get_running_loop().call_later(1.0, line.type, "1")
    assert await line.call.collect(["prompt/10"], "en-us", **ENTRY) == "1"
    assert now() == pytest.approx(3.0), "one second, and two for the digit timer"
    await line.call.play_to_end([], "en-us")
    assert now() == pytest.approx(3.0)


async def test_digits_typed_during_the_welcome_count_and_spare_the_prompt() -> None:
    line = await answered()
    line.call.play(["welcome/10"], "en-us")
    await asyncio.sleep(1)
    line.type("12#34#")
    assert await line.call.collect(["prompt"], "en-us", **ENTRY) == "12"
    assert await line.call.collect(["pin"], "en-us", **ENTRY) == "34"
    assert line.leg.heard == ["welcome/10"]
    assert now() == pytest.approx(1.0)


async def test_digits_do_not_cut_what_is_played_to_its_end() -> None:
    line = await answered()
    asyncio.get_running_loop().call_later(1.0, line.type, "1")
    await line.call.play_to_end(["goodbye/4"], "en-us")
    assert now() == pytest.approx(4.0)


async def test_digits_of_rtp_and_info_are_one_press() -> None:
    line = await answered()

    def press() -> None:
        line.type("7")
        assert line.session.on_digit is not None
        line.session.on_digit("7")
        line.session.on_digit("#")

    asyncio.get_running_loop().call_later(1.0, press)
    assert await line.call.collect([], "en-us", **ENTRY) == "7"


@pytest.mark.parametrize("doing", ["play_to_end", "collect", "pause"])
async def test_hanging_up_interrupts_whatever_waits_and_leaves_nothing(doing: str) -> None:
    line = await answered()
    asyncio.get_running_loop().call_later(0.5, line.session.end)
    waits: dict[str, Any] = {
        "play_to_end": lambda: line.call.play_to_end(["slow-sound", "x/9"], "en-us"),
        "collect": lambda: line.call.collect(["slow-sound"], "en-us", **ENTRY),
        "pause": lambda: line.call.pause(9),
    }
    with pytest.raises(HungUp):
        await waits[doing]()
    assert now() == pytest.approx(0.5)
    assert line.leg.closed
    assert not line.engine.legs
    await asyncio.sleep(5)
    assert line.leg.heard == []
    assert line.leg.on_digit is None
    with pytest.raises(HungUp):
        await line.call.answer()
    with pytest.raises(HungUp):
        await waits[doing]()


async def test_hanging_up_here_is_harmless_when_repeated() -> None:
    line = await answered()
    gone: list[str] = []
    line.call.on_gone = lambda: gone.append("gone")
    await line.call.hang_up()
    await line.call.hang_up()
    assert gone == ["gone"]
    assert line.session.over is not None
    assert await line.call.until_released() is None


async def test_hold_and_resume() -> None:
    line = await answered()
    change = line.session.on_media_change
    assert change is not None
    held = change(offer("sendonly"))
    assert held is not None
    assert b"a=recvonly" in held
    assert line.leg.settings["held"]
    assert line.call.held
    resumed = change(offer("sendrecv", port=50000))
    assert resumed is not None
    assert not line.leg.settings["held"]
    assert line.leg.agreements[-1].remote_port == 50000


async def test_a_repeated_offer_keeps_our_version_and_a_change_raises_it() -> None:
    line = await answered()
    change = line.session.on_media_change
    assert change is not None
    assert change(OFFER) == line.session.answers[0]
    held = change(offer("inactive"))
    assert held is not None

    def version(sdp: bytes) -> int:
        return int(sdp.split(b"\r\n")[1].split()[2])

    assert version(held) == version(line.session.answers[0]) + 1


async def test_an_unacceptable_change_is_refused_and_the_old_media_go_on() -> None:
    line = await answered()
    change = line.session.on_media_change
    assert change is not None
    assert change(b"junk") is None
    assert len(line.leg.agreements) == 1
    assert not line.call.ended


async def test_a_change_without_an_offer_gets_ours() -> None:
    line = await answered()
    change, accept = line.session.on_media_change, line.session.on_media_answer
    assert change is not None
    assert accept is not None
    ours = change(None)
    assert ours is not None
    assert b"m=audio 10000 " in ours
    assert accept(offer(port=41000))
    assert line.leg.agreements[-1].remote_port == 41000
    assert not accept(offer()), "an answer to nothing"


async def test_a_flood_of_sounds_and_digits_is_bounded() -> None:
    line = await answered()
    line.call.play(["slow-x"] * 500, "en-us")
    assert line.statistics.dropped == 500 - 64
    await asyncio.sleep(1000)
    line.type("1" * 500)
    assert await line.call.collect([], "en-us", **ENTRY) == "1" * 16


async def test_two_may_wait_for_news_of_a_call_and_one_that_gives_up_takes_nothing_from_the_other() -> None:
    line = await answered()
    staying, leaving = (asyncio.ensure_future(line.call.until_released()) for _ in range(2))
    await asyncio.sleep(1)
    leaving.cancel()
    await asyncio.wait([leaving])
    line.call.release("3001")
    assert await asyncio.wait_for(staying, 1) == "3001"


async def test_of_too_many_keys_the_last_ones_count() -> None:
    line = await answered()
    line.type("1" * 10 + "2" * (MAX_TYPED - 1) + "3")
    entry = await line.call.collect([], "en-us", **{**ENTRY, "max_digits": MAX_TYPED})
    assert entry == "2" * (MAX_TYPED - 1) + "3"
