"""Callflow patterns: regular expressions from tenants, run by RE2, whose time grows with the text alone.

Python's `re` can take exponential time on `(a+)+b`; RE2 has no backtracking, hence neither back references nor
look-around, and refuses expressions that would need much memory. Two bounds on top: 256 characters an expression and 50
expressions a callflow (the schema of `callflows`).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]

from mirliton.schemas import Errors

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 1 << 20

MAX_NUMBER_LENGTH = 128


class BadPattern(ValueError):
    """RE2 cannot run this expression; the text says why."""


def check_pattern(pattern: str) -> None:
    """Raises `BadPattern`."""
    _compiled(pattern)


def pattern_errors(expressions: Sequence[str]) -> Errors:
    """What is wrong with a valid callflow's `patterns`, by path as in validation (semantics 6.4)."""
    errors: Errors = {}
    for place, expression in enumerate(expressions):
        try:
            check_pattern(expression)
        except BadPattern as refusal:
            message = f"cannot be used as an expression ({refusal}): use RE2 syntax without back references"
            errors[f"patterns.{place}"] = {"invalid": {"message": message, "value": expression}}
    return errors


def match(pattern: str, number: str) -> tuple[str, ...] | None:
    """The captured groups of a match anywhere in the number (the whole match if there are no groups), else None.

    A group that took no part is "". Anchors are the pattern's business, as in Kazoo.
    """
    if len(number) > MAX_NUMBER_LENGTH:
        return None
    found = _compiled(pattern).search(number)
    if found is None or not found.group(0):
        return None
    return tuple(group or "" for group in found.groups()) or (found.group(0),)


def longest(groups: Sequence[str]) -> int:
    """How much a match captured: among several patterns the one that captures most is the most exact."""
    return max(map(len, groups))


@lru_cache(4096)
def _compiled(pattern: str) -> Any:
    try:
        return re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        reason = error.args[0] if error.args else "cannot be read"
        raise BadPattern(reason.decode() if isinstance(reason, bytes) else str(reason)) from None
