"""Leaving at any moment, a storm of callers, and a dead engine: nothing may stay behind, nobody may be lost."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

from mirliton.phone.conversation import Conversation

from .conftest import GONE
from .measuring import TONES, hear_each_other, hears, prompted, until
from .raw import RawAudio, RawCaller, audio_address, offer
from .switchboard import Switchboard
from .together import Together

alone = Together(at_once=1)
"""These count what is in the whole server, so no other test may call it at the same time."""

ANNA, BRUNO, CARL = TONES[0], TONES[3], TONES[6]


async def nothing_left(board: Switchboard) -> None:
    """Wait until the server counts no leg, room, member or session."""

    async def empty() -> bool:
        metrics = await asyncio.to_thread(board.server.metrics)
        return not any(metrics[name] for name in GONE)

    await until(empty, "a server without calls")


@alone
async def test_hanging_up_at_any_moment_leaves_nothing(board: Switchboard) -> None:
    conference = await board.conference(member={"pins": ["2468"]}, profile={})
    number = await board.number(id=conference)

    async def in_the_welcome(call: Conversation) -> None:
        await until(_lasted(call, 0.5), "half a second of welcome")

    async def at_the_pin(call: Conversation) -> None:
        call.press("24", call.seconds)
        await call.said()

    async def after_a_wrong_pin(call: Conversation) -> None:
        call.press("1#", call.seconds)
        await prompted(call, "conf-bad_pin")

    async def while_told_of_joining(call: Conversation) -> None:
        call.press("2468#", call.seconds)
        await call.said()

    async def in_the_room(call: Conversation) -> None:
        call.press("2468#", call.seconds)
        await prompted(call, "conf-joining_conference")

    async def leave(when: Callable[[Conversation], Awaitable[None]] | None) -> None:
        call = await board.dial(number, ANNA)
        if when is not None:
            await when(call)
        await call.hang_up()

    moments = (None, in_the_welcome, at_the_pin, after_a_wrong_pin, while_told_of_joining, in_the_room)
    await asyncio.gather(*(leave(moment) for moment in moments))
    await nothing_left(board)
    assert await board.rest.participants(conference) == []


def _lasted(call: Conversation, seconds: float) -> Callable[[], Awaitable[bool]]:
    async def asked() -> bool:
        return call.seconds > seconds

    return asked


@alone
async def test_a_caller_who_gives_up_while_it_rings_leaves_nothing(board: Switchboard) -> None:
    number = await board.flow(
        {
            "module": "sleep",
            "data": {"duration": 30},
            "children": {"_": {"module": "conference", "data": {"config": {"name": "late"}}, "children": {}}},
        }
    )
    with RawCaller(board.server.sip, number) as caller:
        await caller.send("INVITE", 1, offer(6000))
        await caller.receive()
        await caller.send("CANCEL", 1)
        assert (await caller.final("INVITE")).code == 487
        await caller.send("ACK", 1)
    await nothing_left(board)


@alone
async def test_a_storm_of_callers_leaves_nothing(board: Switchboard) -> None:
    number, name = await board.quiet_room()
    gate = asyncio.Semaphore(10)  # one process makes all these phones

    async def visit(index: int) -> None:
        async with gate:
            call = await board.dial(number, TONES[index % len(TONES)])
            if index % 3 == 0:
                await until(_left_by_key(call), "the end by a key")
            await call.hang_up()

    await asyncio.gather(*(visit(index) for index in range(30)))
    await nothing_left(board)
    assert await board.rest.participants(name) == []
    await hear_each_other({ANNA: await board.dial(number, ANNA), BRUNO: await board.dial(number, BRUNO)})


@alone
async def test_calls_outlive_the_death_of_the_media_engine(board: Switchboard) -> None:
    """The sound must be back within about a second (design 4.6); a busy machine that loads Python anew gets ten.

    To the phones it stays the same stream: SSRC unchanged, sequence numbers going on.
    """
    number, name = await board.quiet_room()
    calls = {ANNA: await board.dial(number, ANNA), BRUNO: await board.dial(number, BRUNO, srtp=True)}
    async with RawAudio(CARL) as audio:
        with RawCaller(board.server.sip, number) as caller:
            audio.remote = audio_address(await caller.invite(offer(audio.port)))
            await asyncio.gather(*(hear_each_other_and(calls, CARL)), until(_some_packets(audio, 50), "packets before"))
            before, engine = audio.packets[-1], board.server.engine_process()
            os.kill(engine, signal.SIGKILL)
            count = len(audio.packets)
            await until(_some_packets(audio, count + 50), "packets afterwards", within=10)
            await asyncio.gather(*hear_each_other_and(calls, CARL, within=10))
            after = audio.packets[-1]
            assert after.ssrc == before.ssrc
            assert 0 < (after.sequence - before.sequence) % 65536 < 2000
            assert not any(call.ended.is_set() for call in calls.values())
            await board.present(name, 3)
            assert board.server.engine_process() != engine
            assert (await asyncio.to_thread(board.server.metrics))["mirliton_media_restarts_total"] == 1
            await caller.bye()
    newcomer = await board.dial(number, CARL)
    await hear_each_other({**calls, CARL: newcomer})


def _left_by_key(call: Conversation) -> Callable[[], Awaitable[bool]]:
    """Keys pressed on the way in are for nobody, so it is pressed until it works."""

    async def asked() -> bool:
        if not call.ended.is_set():
            call.press("#", call.seconds)
            await call.said()
        return call.ended.is_set()

    return asked


def hear_each_other_and(calls: dict[int, Conversation], other: int, within: float = 20) -> list[Awaitable[None]]:
    """As `hear_each_other`, with one more caller who has no phone."""
    return [hears(call, other, *(calls.keys() - {tone}), within=within) for tone, call in calls.items()]


def _some_packets(audio: RawAudio, count: int) -> Callable[[], Awaitable[bool]]:
    async def asked() -> bool:
        return len(audio.packets) > count

    return asked
