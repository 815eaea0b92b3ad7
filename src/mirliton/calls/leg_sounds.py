"""What one caller alone is played: looked up in order, kept until media flow, and known until the last is heard."""

from collections.abc import Callable, Sequence

from mirliton.calls.ports import Playable, SoundLibrary
from mirliton.calls.sound_queue import MAX_WAITING, SoundQueue, SoundStatistics, times
from mirliton.conference.ports import Sound
from mirliton.media.types import Leg, PlayDone

Done = Callable[[], None]


class LegSounds:
    """The sounds of a leg. `tell` is called whenever `quiet` may have changed."""

    def __init__(
        self, leg: Leg, library: SoundLibrary, account_id: str, statistics: SoundStatistics, tell: Callable[[], None]
    ) -> None:
        self._leg = leg
        self._statistics = statistics
        self._tell = tell
        self._queue = SoundQueue(library, account_id, statistics)
        self._playing: dict[int, Done | None] = {}  # and who wants to know of the end
        self._waiting: list[tuple[Playable, Done | None]] = []
        self._flowing = False
        self._closed = False
        leg.on_play_done = self._play_done

    @property
    def quiet(self) -> bool:
        """Whether nothing plays, waits, or is looked for."""
        return not (self._playing or self._waiting or self._queue.busy)

    async def found(self) -> None:
        """Return when every sound asked for is in the leg's queue."""
        await self._queue.idle()

    def play(self, sounds: Sequence[Sound], language: str, done: Done | None = None) -> None:
        """Queue sounds; they wait until media flow. `done` hears that the last one was played to its end."""
        for sound in sounds[:-1]:
            self._queue.put(sound, language, self._take)
        for sound in sounds[-1:]:
            self._queue.put(sound, language, lambda found: self._take(found, done))

    def stop(self) -> None:
        """Throw away what plays or waits."""
        self._queue.clear()
        self._waiting.clear()
        if self._playing:
            self._leg.stop_sounds()
        self._playing.clear()
        self._tell()

    def flow(self) -> None:
        """Media flow: what waited for that plays now."""
        self._flowing = True
        waiting, self._waiting = self._waiting, []
        for sound, done in waiting:
            self._start(sound, done)

    def close(self) -> None:
        """The call is over; nothing more is played or told."""
        self._closed = True
        self._queue.close()
        self._waiting.clear()
        self._playing.clear()
        self._leg.on_play_done = None

    def _take(self, sound: Playable | None, done: Done | None = None) -> None:
        if sound is not None and not self._closed:
            if len(self._playing) + len(self._waiting) >= MAX_WAITING:
                self._statistics.dropped += 1
            elif self._flowing:
                self._start(sound, done)
            else:
                self._waiting.append((sound, done))
        self._tell()

    def _start(self, sound: Playable, done: Done | None) -> None:
        self._playing[self._leg.play(sound.clip, loops=times(sound), gain=sound.gain)] = done

    def _play_done(self, done: PlayDone) -> None:
        tell = self._playing.pop(done.play_id, None)
        if tell is not None and done.finished:
            tell()
        self._tell()
