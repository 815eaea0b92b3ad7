"""A member's digits on their way to becoming an action (semantics 4.2). Sans-IO: times in seconds are passed in.

Digits of a binding are keys (`*1`), or `~` and a regular expression for everything typed so far (`~[1-9]`); `=` before
either runs it on the first match, without waiting for more digits. Expressions come from tenants: RE2 runs them, whose
time grows with the text alone; expressions that are slow to prepare are refused. Nobody can tell how an expression
could go on, so in a group with expressions a match that is not marked `=` runs when the digit timer is over.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]

DIGIT_SECONDS = 0.5
MAX_TYPED = 32
MAX_EXPRESSION = 256
_KEYS = frozenset("0123456789*#ABCD")

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.case_sensitive = False
_OPTIONS.max_mem = 1 << 16
_SLOW = re.compile(r"\\[pP]")
"""Character classes by name, of thousands of ranges each: a hundred such expressions would hold up the server."""


class BadBinding(ValueError):
    """A binding cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Digits, the action they run (lower case), and its argument."""

    digits: str
    action: str
    data: str = ""


def check_digits(digits: str) -> str:
    """The digits of a binding as they are kept. Raises `BadBinding`."""
    mark = "=" if digits.startswith("=") else ""
    rest = digits.removeprefix("=")
    if not rest.startswith("~"):
        if not rest or not _KEYS.issuperset(rest.upper()) or len(rest) > MAX_TYPED:
            raise BadBinding(f"{digits[:40]!r} are no digits that can be matched")
        return mark + rest.upper()
    if len(rest) > MAX_EXPRESSION:
        raise BadBinding(f"the expression {digits[:40]!r}… is longer than {MAX_EXPRESSION} characters")
    if _SLOW.search(rest):
        raise BadBinding(f"the expression {digits!r} names classes of letters: name the keys")
    if _compiled(rest[1:]) is None:
        raise BadBinding(f"the expression {digits!r} cannot be used: RE2 syntax without back references, and short")
    return digits


@lru_cache(1024)
def _compiled(expression: str) -> Any:
    """None for one that cannot be used: that is remembered, too."""
    try:
        return re2.compile(expression, _OPTIONS)
    except re2.error:
        return None


@lru_cache(1024)
def _table(bindings: tuple[Binding, ...]) -> tuple[dict[str, Binding], list[tuple[Any, Binding]], frozenset[str]]:
    """Bindings of keys, those of expressions, and beginnings of keys: one for all members who have the same."""
    exact: dict[str, Binding] = {}
    expressions: list[tuple[Any, Binding]] = []
    for binding in bindings:
        digits = binding.digits.removeprefix("=")
        if digits.startswith("~"):
            expressions.append((_compiled(digits[1:]), binding))
        else:
            exact[digits] = binding
    return exact, expressions, frozenset(digits[:end] for digits in exact for end in range(1, len(digits)))


class DigitMatcher:
    """One member's digits. `bindings` have passed `check_digits`."""

    def __init__(self, bindings: Iterable[Binding], digit_seconds: float = DIGIT_SECONDS) -> None:
        self._exact, self._expressions, self._prefixes = _table(tuple(bindings))
        self._digit_seconds = max(digit_seconds, DIGIT_SECONDS)
        self._buffer = ""
        self._deadline: float | None = None

    @property
    def deadline(self) -> float | None:
        """When `expire` is to be called; None while nothing waits."""
        return self._deadline

    def press(self, digit: str, now: float) -> list[Binding]:
        """Take a digit; returns the bindings to run now, in order. An exact match that is a prefix always waits.

        Two can come at once when the digit timer is overdue: the one that waited, and the digit's own.
        """
        due = (self.expire(now), self._take(digit, now))
        return [binding for binding in due if binding is not None]

    def expire(self, now: float) -> Binding | None:
        """The digit timer: a match runs, a mere beginning is thrown away."""
        if self._deadline is None or now < self._deadline:
            return None
        typed, self._buffer, self._deadline = self._buffer, "", None
        return self._match(typed)

    def _take(self, digit: str, now: float) -> Binding | None:
        typed = self._buffer + digit
        self._buffer, self._deadline = "", None
        at_once = self._match(typed, only_first=True)
        if at_once is not None:
            return at_once
        if typed in self._prefixes or (self._expressions and len(typed) < MAX_TYPED):
            self._buffer, self._deadline = typed, now + self._digit_seconds
            return None
        return self._match(typed)

    def _match(self, typed: str, *, only_first: bool = False) -> Binding | None:
        """The keys themselves before expressions, these in their order. `only_first`: bindings marked `=`."""
        exact = self._exact.get(typed)
        if exact is not None and (exact.digits.startswith("=") or not only_first):
            return replace(exact, digits=typed)
        for expression, binding in self._expressions:
            if (binding.digits.startswith("=") or not only_first) and expression.fullmatch(typed):
                return replace(binding, digits=typed)
        return None
