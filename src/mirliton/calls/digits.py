"""Keys that a caller presses: one press heard twice, and one entry gathered (semantics 1.5.2). Time is passed in."""

from dataclasses import dataclass

ECHO_SECONDS = 1.0
_REMEMBERED = 16


@dataclass(slots=True)
class _Press:
    digit: str
    source: str
    at: float
    echoed: bool = False


class DigitSources:
    """Some phones send a key both as an RTP event and as SIP INFO: the second report of a press is dropped.

    A press from one source pairs with at most one from another, so that a key pressed twice still counts twice.
    """

    def __init__(self, echo_seconds: float = ECHO_SECONDS) -> None:
        self.echoes = 0
        self._echo_seconds = echo_seconds
        self._recent: list[_Press] = []

    def is_new(self, source: str, digit: str, now: float) -> bool:
        """Whether this report is a press that was not heard before."""
        for press in self._recent:
            twin = press.digit == digit and press.source != source and not press.echoed
            if twin and now - press.at <= self._echo_seconds:
                press.echoed = True
                self.echoes += 1
                return False
        self._recent = [*self._recent[1 - _REMEMBERED :], _Press(digit, source, now)]
        return True


class DigitEntry:
    """One entry of digits: ends with the terminator, the last allowed digit, or a timer. Milliseconds as given."""

    def __init__(self, *, max_digits: int, terminator: str, first_digit_ms: int, interdigit_ms: int) -> None:
        self.digits = ""
        self.complete = False
        self._max_digits = max_digits
        self._terminator = terminator
        self._first = first_digit_ms / 1000
        self._between = interdigit_ms / 1000
        self._deadline: float | None = None

    @property
    def deadline(self) -> float | None:
        """When `expire` ends the entry; None while the prompt still plays, and once complete."""
        return None if self.complete else self._deadline

    @property
    def started(self) -> bool:
        """Whether a digit has come."""
        return bool(self.digits) or self.complete

    def prompt_finished(self, now: float) -> None:
        """The first-digit timer starts; only the first time counts."""
        if self._deadline is None:
            self._deadline = now + self._first

    def press(self, digit: str, now: float) -> None:
        """A digit, or the terminator, which is no part of the entry."""
        if self.complete:
            return
        if digit == self._terminator:
            self.complete = True
            return
        self.digits += digit
        self.complete = len(self.digits) >= self._max_digits
        self._deadline = now + self._between

    def expire(self, now: float) -> None:
        """What has come so far is the entry, when its timer is due."""
        if self._deadline is not None and now >= self._deadline:
            self.complete = True
