"""Two innocent callers in a room, each with a tone; whatever happens to the server, each goes on hearing the other."""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

import uvloop

from mirliton.phone.conversation import Conversation
from mirliton.phone.listening import gaps, tone_level
from mirliton.phone.phone import Phone, PhoneSettings
from tests.calls.rest import Rest
from tests.calls.serving import Server
from tests.calls.switchboard import NO_WELCOME, QUIET

TONES = (911, 1367)  # Hz
LOUD = -25.0  # dBFS; the phones send -15
GAP = 0.2  # s; attackers use up the machine's two cores, which the phones need too
WINDOW = 0.5  # s
BEHIND = 0.2  # s
PATIENCE = 20.0
NUMBER = "5550100"


class Witness:
    """Use it as a context. The phones run in a thread of their own, so that a blocking attack does not stop them."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._phones: list[Phone] = []
        self._calls: list[Conversation] = []
        self.conference_id = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._begin())
        self.undisturbed()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def undisturbed(self) -> None:
        """Each caller hears the other without a break for half a second: the last, or one that comes soon."""
        self._run(self._hear())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE * 3)

    async def _begin(self) -> None:
        account = self._server.account
        rest = await asyncio.to_thread(Rest, self._server.http, account.account_id, account.api_key)
        document = {"name": "innocents", "profile": QUIET, "member": {"join_muted": False}}
        self.conference_id = await rest.create("conferences", document)
        action = {"module": "conference", "data": {"id": self.conference_id, "welcome_prompt": NO_WELCOME}}
        await rest.create("callflows", {"numbers": [NUMBER], "flow": {**action, "children": {}}})
        rest.close()
        for tone in TONES:
            self._phones.append(await Phone(PhoneSettings()).__aenter__())
            call = await self._phones[-1].call(f"sip:{NUMBER}@127.0.0.1:{self._server.sip[1]}")
            call.say(f"tone:{tone}")
            self._calls.append(call)

    async def _hear(self) -> None:
        await asyncio.gather(*(_hears(call, tone) for call, tone in zip(self._calls, reversed(TONES), strict=True)))

    async def _end(self) -> None:
        for call in self._calls:
            await call.hang_up()
        for phone in self._phones:
            await phone.__aexit__(None, None, None)


async def _hears(call: Conversation, tone: int) -> None:
    """A steady tone for `WINDOW`, within `PATIENCE`."""
    deadline = call.seconds + PATIENCE
    level, holes = -120.0, [(0.0, 0.0)]
    while call.seconds < deadline and not call.ended.is_set():
        await asyncio.sleep(0.1)
        end = call.seconds - BEHIND
        if end > WINDOW:
            heard = call.heard(end - WINDOW, end)
            level, holes = tone_level(heard, call.rate, tone), gaps(heard, call.rate, shortest=GAP)
            if level > LOUD and not holes:
                return
    raise AssertionError(f"{tone} Hz at {level:.1f} dBFS with gaps {holes}; ended: {call.report.reason or 'no'}")
