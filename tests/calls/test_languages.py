"""Languages: of a conference, of an account, of recordings, and what speaks where there are none (semantics 2.1, 5.3).

Scenarios that change the second account do it one after the other.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mirliton.phone.conversation import Conversation

from .chimes import chime, rung
from .measuring import PATIENCE, Samples, jingle, likeness, prompted, wav
from .studio import Studio
from .switchboard import NO_WELCOME, QUIET, Switchboard
from .together import Together

together = Together()

OTHER = 0.4
RENDERING = 20.0  # s; what is to be spoken waits behind other texts, and calls come first
GREETED: dict[str, Any] = {"profile": QUIET | {"alone-sound": "conf-alone"}}
SECOND_ACCOUNT = asyncio.Lock()


async def told(call: Conversation, studio: Studio, language: str, *prompts: str, since: float = 0.0) -> float:
    """Wait until the caller has heard these prompts in the language; returns the time of the end."""
    for prompt in prompts:
        sound = await studio.sound(prompt, language)
        since = await prompted(call, sound, since=max(0.0, since - 0.2), within=PATIENCE + RENDERING)
    return since


@asynccontextmanager
async def speaking(board: Switchboard, language: str) -> AsyncIterator[Switchboard]:
    """The second account while its language is this one."""
    other = await board.of_other_account()
    async with SECOND_ACCOUNT:
        await other.rest.call("PATCH", "", {"language": language})
        try:
            yield other
        finally:
            await other.rest.call("PATCH", "", {"language": None})


@together
async def test_a_conference_speaks_its_language_from_the_welcome_to_the_room(board: Switchboard) -> None:
    conference = await board.conference(**GREETED, language="fr-fr", member={"pins": ["77"]})
    number = await board.number(id=conference)
    async with Studio() as studio:
        call = await board.dial(number)
        end = await told(call, studio, "fr-fr", "conf-welcome", "conf-enter_conf_pin")
        call.press("77#", call.seconds)
        await told(call, studio, "fr-fr", "conf-alone", since=end)
        assert await likeness(call, "conf-welcome") < OTHER


@together
async def test_the_language_of_an_account_holds_where_the_conference_names_none(board: Switchboard) -> None:
    async with speaking(board, "de") as other, Studio() as studio:
        plain = await other.number(config={"name": "plain", **GREETED})
        own = await other.number(config={"name": "own", **GREETED, "language": "es"})
        asked = await other.number()
        german, spanish, unknown = await asyncio.gather(*(other.dial(number) for number in (plain, own, asked)))
        await asyncio.gather(
            told(german, studio, "de", "conf-welcome", "conf-alone"),
            told(spanish, studio, "es", "conf-welcome", "conf-alone"),
            told(unknown, studio, "de", "conf-welcome", "conf-enter_conf_number"),
        )
        assert await likeness(spanish, await studio.sound("conf-welcome", "de")) < OTHER


@together
async def test_own_recordings_win_in_their_language_and_a_parent_language_speaks_for_its_children(
    board: Switchboard,
) -> None:
    await board.rest.recording("own welcome", wav(jingle(51)), prompt_id="conf-welcome", language="it")
    await board.rest.recording("own welcome", wav(jingle(52)), prompt_id="conf-welcome", language="it-ch")
    async with Studio() as studio:

        async def greeted(language: str, sound: Samples) -> None:
            number = await board.number(config={"name": f"room-{language}", **GREETED, "language": language})
            call = await board.dial(number)
            end = await prompted(call, sound)
            await told(call, studio, "it", "conf-alone", since=end)

        await asyncio.gather(greeted("it-it", jingle(51)), greeted("IT-CH", jingle(52)), greeted("it", jingle(51)))


@together
async def test_a_language_that_nobody_speaks_is_english(board: Switchboard) -> None:
    number = await board.number(config={"name": "in a tongue of its own", **GREETED, "language": "xx-yy"})
    call = await board.dial(number)
    end = await prompted(call, "conf-welcome")
    await prompted(call, "conf-alone", since=end - 0.2)


@together
async def test_texts_and_announcements_are_in_the_language_of_the_room(board: Switchboard) -> None:
    number, name = await board.quiet_room(
        language="pt-br", profile=QUIET | {"muted-sound": "conf-muted", "unmuted-sound": "say:bom dia"}
    )
    call = await board.dial(number)
    await board.present(name, 1)
    async with Studio() as studio:
        call.press("*2", call.seconds)
        end = await told(call, studio, "pt-br", "conf-muted")
        call.press("*3", call.seconds)
        end = await told(call, studio, "pt-br", "say:bom dia", since=end)
        await board.rest.act(name, "play", media_id="conf-single")
        await told(call, studio, "pt-br", "conf-single", since=end)


@together
async def test_a_profile_may_be_of_one_language(board: Switchboard) -> None:
    profiles = {
        "nl": {"shop": {"alone-sound": chime(311), "enter-sound": chime(449)}},
        "shop": {"enter-sound": chime(647), "moh-sound": ""},
    }
    await board.rest.call("PATCH", "/config/conferences", {"profiles": profiles})
    shop = {"profile_name": "shop", "profile": {"member-enter-sound": ""}}
    dutch = await board.number(config={"name": "winkel", **shop, "language": "nl"}, welcome_prompt=NO_WELCOME)
    english = await board.number(config={"name": "shop", **shop}, welcome_prompt=NO_WELCOME)
    one, other = await board.dial(dutch), await board.dial(english)
    await asyncio.gather(rung(one, 311), prompted(other, "conf-alone"))
    two, _ = await board.dial(dutch), await board.dial(english)
    await asyncio.gather(rung(one, 647), rung(two, 647), rung(other, 647))
    await board.rest.call("PATCH", "/config/conferences", {"profiles": dict.fromkeys(profiles)})
