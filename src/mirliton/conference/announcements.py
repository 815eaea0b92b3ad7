"""What a room says by itself: counts, numbers, and when hold music plays (semantics 3.6)."""

from dataclasses import dataclass

from mirliton.conference.ports import Sound

MUSIC_RETRY_SECONDS = 2.0
_NO_MUSIC = ("", "silence", "indicate_hold")


def count_announcement(count: int, threshold: int) -> tuple[Sound, ...]:
    """What the joiner hears about the others when `count` members, the joiner included, reach the threshold."""
    return spoken_others(count - 1) if threshold > 1 and count >= threshold else ()


def spoken_others(others: int) -> tuple[Sound, ...]:
    """How many other people are here."""
    if others <= 0:
        return ("conf-alone",)
    return ("conf-single",) if others == 1 else ("conf-there_are", *spoken(others), "conf-other_participants")


def spoken(number: int) -> tuple[Sound, ...]:
    """A number, digit by digit, as prompt ids."""
    return (*(("minus",) if number < 0 else ()), *str(abs(number)))


def is_music(sound: Sound) -> bool:
    """Whether a `moh-sound` is one that can be heard."""
    return sound not in _NO_MUSIC and not sound.startswith("silence_stream://")


@dataclass(slots=True)
class HoldMusic:
    """When the room's one looping sound runs: only once everything in the room's queue has been heard.

    The length of a room sound is known only when it has been found, so `pending` counts those still looked for.
    """

    sound: Sound
    off: bool = False
    playing: bool = False
    pending: int = 0
    quiet_at: float = 0.0

    def queued(self, seconds: float, now: float) -> None:
        """One pending sound was put into the room's queue; 0 seconds when it could not be found."""
        self.pending = max(self.pending - 1, 0)
        self.quiet_at = max(self.quiet_at, now) + seconds

    def failed(self, now: float) -> None:
        """The music itself cannot be played: try again later."""
        self.playing = False
        self.quiet_at = max(self.quiet_at, now + MUSIC_RETRY_SECONDS)

    def due(self, wanted: bool) -> float | None:
        """When the music should start, if it should."""
        idle = wanted and not self.off and not self.playing and self.pending == 0 and is_music(self.sound)
        return self.quiet_at if idle else None
