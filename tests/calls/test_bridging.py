"""Rooms of two servers linked by a trunk (semantics 1.5.9, 2.3): callers of both hear each other, once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from typing import Any

import pytest

from mirliton.phone.listening import tone_levels

from .measuring import TONES, hear_each_other, hears, prompted, until
from .rest import Rest
from .serving import Server, serving
from .switchboard import NO_WELCOME, QUIET, Switchboard

ANNA, BRUNO, CARL, DORA = TONES[0], TONES[3], TONES[6], TONES[9]
USER, PASSWORD = "trunk-7", "a password that is long"


@pytest.fixture(scope="module")
def far_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The other server; it is told nothing of the first."""
    with serving(tmp_path_factory.mktemp("far")) as running:
        yield running


@asynccontextmanager
async def boards(*servers: Server) -> AsyncIterator[list[Switchboard]]:
    """A switchboard for each."""
    async with AsyncExitStack() as stack:
        made = []
        for server in servers:
            account = server.account
            rest = stack.enter_context(closing(Rest(server.http, account.account_id, account.api_key)))
            made.append(await stack.enter_async_context(Switchboard(server, {account.account_id: rest})))
        yield made


async def link(near: Switchboard, room: str, far: Switchboard, conference: str, **sip: Any) -> dict[str, Any]:
    """Dial the other room as a device object; returns the answer for the endpoint."""
    route = f"sip:{conference}@127.0.0.1:{far.server.sip[1]}"
    sip = {"route": route, "username": USER, "password": PASSWORD} | sip
    endpoint = {"name": "far room", "device_type": "sip_uri", "bridge": True, "sip": sip}
    answer = await near.rest.call("PUT", f"/conferences/{room}", {"action": "dial", "data": {"endpoints": [endpoint]}})
    return dict(answer["endpoint_responses"][0])


def test_callers_of_two_servers_hear_each_other_once(server: Server, far_server: Server) -> None:
    async def scenario() -> None:
        async with boards(server, far_server) as (near, far):
            conference = await far.conference(bridge_username=USER, bridge_password=PASSWORD)
            far_number = await far.number(id=conference, welcome_prompt=NO_WELCOME)
            near_number, room = await near.quiet_room()
            calls = {
                ANNA: await near.dial(near_number, ANNA),
                BRUNO: await near.dial(near_number, BRUNO),
                CARL: await far.dial(far_number, CARL),
                DORA: await far.dial(far_number, DORA),
            }
            await asyncio.gather(hears(calls[ANNA], BRUNO), hears(calls[CARL], DORA))
            assert (await link(near, room, far, conference))["status"] == "success"
            await hear_each_other(calls)
            await asyncio.sleep(2)
            # Once: a second copy by a loop or an echo would be louder by up to 6 dB, or come and go.
            for tone, call in calls.items():
                levels = tone_levels(call.heard(call.seconds - 2), call.rate, calls)
                others = [level for other, level in levels.items() if other != tone]
                assert max(others) - min(others) < 2.5, levels
            trunk = [one for one in await far.rest.participants(conference) if one.get("bridge")]
            assert len(trunk) == 1
            await near.rest.act(room, "kick", (await near.present(room, 3))[2]["participant_id"])
            await asyncio.gather(
                hears(calls[ANNA], BRUNO), hears(calls[BRUNO], ANNA), hears(calls[CARL], DORA), hears(calls[DORA], CARL)
            )
            await far.present(conference, 2)

    asyncio.run(scenario())


def test_links_in_a_circle_bring_nobody_back(server: Server, far_server: Server) -> None:
    async def scenario() -> None:
        async with boards(server, far_server) as (near, far):
            there = await far.conference(bridge_username=f"{USER}-5", bridge_password=PASSWORD)
            here = await near.conference(bridge_username=f"{USER}-6", bridge_password=PASSWORD)
            calls = {
                ANNA: await near.dial(await near.number(id=here, welcome_prompt=NO_WELCOME), ANNA),
                CARL: await far.dial(await far.number(id=there, welcome_prompt=NO_WELCOME), CARL),
            }
            assert (await link(near, here, far, there, username=f"{USER}-5"))["status"] == "success"
            assert (await link(far, there, near, here, username=f"{USER}-6"))["status"] == "success"
            await near.present(here, 3)
            await hear_each_other(calls)  # and never themselves

    asyncio.run(scenario())


def test_each_server_keeps_its_sounds_to_itself(server: Server, far_server: Server) -> None:
    tone = "tone_stream://%(3000,0,2477)"

    async def scenario() -> None:
        async with boards(server, far_server) as (near, far):
            conference = await far.conference(bridge_username=f"{USER}-2", bridge_password=PASSWORD)
            far_number = await far.number(id=conference, welcome_prompt=NO_WELCOME)
            near_number, room = await near.quiet_room(profile=QUIET | {"enter-sound": tone})
            anna, carl = await near.dial(near_number), await far.dial(far_number)
            assert (await link(near, room, far, conference, username=f"{USER}-2"))["status"] == "success"
            await far.present(conference, 2)
            since = carl.seconds
            bruno = await near.dial(near_number)
            await hears(anna, 2477)
            bruno.say(f"tone:{BRUNO}")
            await hears(carl, BRUNO)
            assert tone_levels(carl.heard(since), carl.rate, [2477])[2477] < -45

    asyncio.run(scenario())


def test_nobody_becomes_a_trunk_without_the_password(server: Server, far_server: Server) -> None:
    async def scenario() -> None:
        async with boards(server, far_server) as (near, far):
            conference = await far.conference(bridge_username=f"{USER}-3", bridge_password=PASSWORD)
            near_number, room = await near.quiet_room()
            await near.dial(near_number)
            for wrong in ({"password": "guess"}, {"username": "nobody"}):
                answer = await link(near, room, far, conference, **{"username": f"{USER}-3"} | wrong)
                assert (answer["status"], answer["message"]) == ("error", "refused: 401 Unauthorized")
            assert await far.rest.participants(conference) == []

    asyncio.run(scenario())


def test_a_moderator_beyond_the_trunk_ends_the_waiting(server: Server, far_server: Server) -> None:
    async def scenario() -> None:
        async with boards(server, far_server) as (near, far):
            conference = await far.conference(
                bridge_username=f"{USER}-4", bridge_password=PASSWORD, wait_for_moderator=True
            )
            far_number = await far.number(id=conference, welcome_prompt=NO_WELCOME)
            near_number, room = await near.quiet_room()
            await near.dial(near_number, ANNA)
            carl = await far.dial(far_number, CARL)
            await prompted(carl, "conf-wait_for_moderator")
            realm_route = f"sip:{conference}@127.0.0.1:{far_server.sip[1]}"
            sip = {"route": realm_route, "username": f"{USER}-4", "password": PASSWORD}
            inner = {"endpoints": [{"bridge": True, "sip": sip}], "participant_flags": ["is_moderator"]}
            await near.rest.call("PUT", f"/conferences/{room}", {"action": "dial", "data": inner})
            await hears(carl, ANNA)

            async def gone() -> bool:
                return not await far.rest.participants(conference)

            await near.rest.act_on_all(room, "kick")
            await carl.hang_up()
            await until(gone, "an empty room")

    asyncio.run(scenario())
