"""A caller who follows a script, and documents in memory."""

from collections.abc import Sequence
from typing import Any

from mirliton.conference.ports import CallerInfo, HungUp, NameNotKept, Recorded, Sound
from mirliton.conference.profile import Configuration
from mirliton.conference.reading import Document, texts

HANG_UP = "<hangs up>"


class ScriptedCaller:
    """Answers each `collect` with the next entry of the script, and notes everything heard, in order."""

    def __init__(self, *entries: str, account_id: str = "acc", inbound: bool = True, silent: bool = False) -> None:
        self.info = CallerInfo("call-1", account_id, inbound=inbound)
        self.heard: list[str] = []
        self.timers: list[int] = []
        self.languages: set[str] = set()
        self._entries = list(entries)
        self._silent = silent

    async def answer(self) -> None:
        self.heard.append("<answered>")

    def play(self, sounds: Sequence[Sound], language: str) -> None:
        self.languages.add(language)
        self.heard.extend(sounds)

    async def play_to_end(self, sounds: Sequence[Sound], language: str) -> None:
        self.play(sounds, language)

    async def collect(
        self,
        sounds: Sequence[Sound],
        language: str,
        *,
        max_digits: int,
        terminator: str,
        first_digit_ms: int,
        interdigit_ms: int,
    ) -> str:
        assert (max_digits, terminator, interdigit_ms) in [(16, "#", 2000), (1, "", 2000)]
        self.play(sounds, language)
        self.timers.append(first_digit_ms)
        entry = self._entries.pop(0)
        if entry == HANG_UP:
            raise HungUp
        return entry

    async def record(
        self, sounds: Sequence[Sound], language: str, *, max_seconds: float, silence_score: int, silence_seconds: float
    ) -> Recorded | None:
        assert (max_seconds, silence_score, silence_seconds) == (60.0, 200, 5.0)
        self.play(sounds, language)
        return None if self._silent else Recorded(8000, [0] * 8000)

    async def hang_up(self) -> None:
        self.heard.append("<hung up>")

    @property
    def left(self) -> list[str]:
        return self._entries


class MemoryNames:
    """Names kept in memory; `full` keeps none."""

    def __init__(self, known: Sound | None = None, *, temporary: bool = True, full: bool = False) -> None:
        self.kept: list[Sound] = []
        self.count = 0
        self._known = known
        self._temporary = temporary
        self._full = full

    async def known(self, caller: CallerInfo) -> Sound | None:
        return self._known

    async def keep(self, caller: CallerInfo, recorded: Recorded) -> Sound:
        if self._full:
            raise NameNotKept("full")
        assert recorded.seconds == 1.0
        self.count += 1
        self.kept.append(f"name-{self.count}")
        return self.kept[-1]

    async def adopt(self, caller: CallerInfo, sound: Sound) -> bool:
        assert sound == self.kept[-1]
        return not self._temporary

    async def forget(self, caller: CallerInfo, sound: Sound) -> None:
        self.kept.remove(sound)


class MemoryDocuments:
    """Conferences of the account `acc`."""

    def __init__(self, *documents: dict[str, Any], configuration: Configuration | None = None) -> None:
        self._documents = documents
        self._configuration = configuration or Configuration()

    async def conference(self, account_id: str, conference_id: str) -> Document | None:
        return next((d for d in self._documents if d["id"] == conference_id and account_id == "acc"), None)

    async def conferences_by_number(self, account_id: str, number: str) -> Sequence[Document]:
        lists = ("conference_numbers", "member.numbers", "moderator.numbers")
        return [d for d in self._documents if account_id == "acc" and any(number in texts(d, each) for each in lists)]

    async def conference_configuration(self, account_id: str) -> Configuration:
        return self._configuration
