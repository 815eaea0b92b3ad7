"""One test's hold on the server: makes rooms and numbers, and dials them with phones that it hangs up at the end."""

import itertools
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any, Self

from mirliton.phone.conversation import Conversation
from mirliton.phone.phone import Phone, PhoneSettings

from .measuring import until
from .rest import Body, Rest
from .serving import Account, Server

_numbers = itertools.count(30_000)

_SOUNDS = ("alone", "moh", "enter", "exit", "member-enter", "muted", "unmuted", "deaf", "undeaf")
QUIET: Body = {f"{sound}-sound": "" for sound in _SOUNDS}
"""A profile without any sound of its own, for tests in which the callers' tones are the point."""
NO_WELCOME: Body = {"play": False}


def new_number() -> str:
    """A number that no other test of this session uses."""
    return str(next(_numbers))


class Switchboard:
    """Use it as an asynchronous context."""

    def __init__(self, server: Server, rests: dict[str, Rest], account: Account | None = None) -> None:
        self.server = server
        self.account = account or server.account
        self.rest = rests[self.account.account_id]
        self._rests = rests
        self._stack = AsyncExitStack()
        self._rooms: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def of_other_account(self) -> "Switchboard":
        """The same for the second tenant."""
        return await self._stack.enter_async_context(Switchboard(self.server, self._rests, self.server.other_account))

    async def flow(self, flow: Body, **callflow: Any) -> str:
        """A callflow; returns its number."""
        number = new_number()
        await self.rest.create("callflows", {"numbers": [number], "flow": {"children": {}, **flow}, **callflow})
        return number

    async def number(self, **data: Any) -> str:
        """A number that leads to a `conference` action with this data."""
        return await self.flow({"module": "conference", "data": data})

    async def conference(self, **document: Any) -> str:
        """A stored conference without sounds of its own, members not muted; returns its id."""
        name = f"conference {new_number()}"
        member = {"join_muted": False} | document.pop("member", {})
        made = await self.rest.create("conferences", {"name": name, "profile": QUIET, "member": member} | document)
        self._rooms.append(made)
        return made

    async def quiet_room(self, **config: Any) -> tuple[str, str]:
        """An ad-hoc room without sounds; returns its number and its name, which is its id."""
        name = str(config.pop("name", f"room-{new_number()}"))
        config = {"name": name, "profile": QUIET} | config
        self._rooms.append(name)
        return await self.number(config=config, welcome_prompt=NO_WELCOME), name

    async def dial(
        self, number: str, tone: int | None = None, *, user: str | None = None, **settings: Any
    ) -> Conversation:
        """Call, and send a tone (or silence) from the answer on. Raises `CallFailed`."""
        phone = await self._stack.enter_async_context(Phone(PhoneSettings(user=user, **settings)))
        domain = self.account.domain
        call = await phone.call(f"sip:{number}@{domain}:{self.server.sip[1]}")
        if tone is not None:
            call.say(f"tone:{tone}")
        return call

    async def dial_in_turn(self, conference_id: str, number: str, *tones: int | None) -> list[Conversation]:
        """Calls whose members stand in the list in the order of their tones: each dials when those before are in."""
        calls = []
        for count, tone in enumerate(tones, 1):
            calls.append(await self.dial(number, tone))
            await self.present(conference_id, count)
        return calls

    async def configure(self, **settings: Any) -> None:
        """The account's own configuration of conferences, until this test is over."""
        self._stack.push_async_callback(self.rest.call, "PATCH", "/config/conferences", dict.fromkeys(settings))
        await self.rest.call("PATCH", "/config/conferences", settings)

    async def hall(self, **document: Any) -> tuple[str, str, str]:
        """A conference as of `conference`; returns its id, a number for members, and one that makes moderators."""
        conference = await self.conference(**document)
        member = await self.number(id=conference, welcome_prompt=NO_WELCOME)
        return conference, member, await self.number(id=conference, moderator=True, welcome_prompt=NO_WELCOME)

    async def present(self, conference_id: str, count: int) -> list[Body]:
        """Wait until so many are in the room; returns them."""

        async def right() -> list[list[Body]]:
            found = await self.rest.participants(conference_id)
            return [found] if len(found) == count else []

        found: list[list[Body]] = await until(right, f"{count} in room {conference_id}")
        return found[0]

    async def look(self) -> str:
        """What the server knows of this test's rooms: for whoever wonders why it failed."""
        lines = []
        for room in self._rooms:
            with suppress(AssertionError):  # it is closed
                lines += [f"in {room}: {who}" for who in await self.rest.participants(room)]
        return "\n".join(lines)
