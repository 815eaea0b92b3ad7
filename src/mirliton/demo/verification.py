"""Did everybody hear the others, and nobody themselves? Measured in the recordings, whatever the server says."""

from dataclasses import dataclass

from mirliton.demo.scene import Scene
from mirliton.demo.voices import RATE
from mirliton.phone.listening import find_sound

HEARD = 0.7  # likeness from which a sentence counts as heard; a clean call has above 0.9
NOT_HEARD = 0.35  # below which it counts as absent
BEFORE, AFTER = 0.2, 0.3  # s around a turn, for the way through jitter buffers


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence in one recording: how alike (0..1) and whether that is as it should be."""

    listener: str
    speaker: str
    score: float
    expected: bool
    delay_ms: float | None

    @property
    def good(self) -> bool:
        """Heard when it should be, absent when not."""
        return self.score >= HEARD if self.expected else self.score <= NOT_HEARD

    def line(self) -> str:
        """For people."""
        what = "themselves" if self.listener == self.speaker else self.speaker
        wanted = "heard" if self.expected else "not heard"
        delay = f", {self.delay_ms:.0f} ms later" if self.expected and self.delay_ms is not None else ""
        mark = "ok  " if self.good else "BAD "
        return f"{mark} {self.listener}: {what} {wanted} (likeness {self.score:.2f}{delay})"


def verify(scene: Scene) -> list[Finding]:
    """Look for every sentence in every recording."""
    findings = []
    for turn in scene.turns:
        for listener, recording in scene.heard.items():
            start = max(0.0, turn.began[listener] - BEFORE)
            window = recording[round(start * RATE) : round((turn.ended[listener] + AFTER) * RATE)]
            match = find_sound(window, turn.sentence, RATE)
            delay = 1000 * (start + match.at - turn.began[listener])
            expected = listener != turn.speaker and not turn.muted
            findings.append(Finding(listener, turn.speaker, match.score, expected, delay if expected else None))
    return findings
