"""JSON that remembers where everything stands. Strings, numbers and words are read by Python's own decoder."""

import json
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

MAX_DEPTH = 100
Path = tuple[str | int, ...]
_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column, both from 1."""

    line: int
    column: int


class NotJson(ValueError):
    """The text is not JSON; `place` is where it stops being so."""

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True, slots=True)
class Located:
    """A value and the places of its parts: of the key in an object, of the value in a list and at the top."""

    value: Any
    places: Mapping[Path, Place]
    repeated: list[Path] = field(default_factory=list)  # keys that stand twice in one object; the later one counts


def locate(text: str) -> Located:
    """Parse a JSON text; raises `NotJson`."""
    reader = _Reader(text)
    value = reader.whole()
    return Located(value, reader.places, reader.repeated)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self._scalar = json.JSONDecoder(parse_constant=self._no_constant)
        self.places: dict[Path, Place] = {}
        self.repeated: list[Path] = []

    def whole(self) -> Any:
        self._skip()
        self.places[()] = self._place(self._at)
        value = self._value(())
        if self._skip() < len(self._text):
            self._fail("something follows the end of the document: remove it")
        return value

    def _value(self, path: Path) -> Any:
        if len(path) > MAX_DEPTH:
            self._fail(f"nested deeper than {MAX_DEPTH} levels: flatten it")
        match self._text[self._skip() : self._at + 1]:
            case "{":
                return self._object(path)
            case "[":
                return self._list(path)
            case _:
                return self._simple()

    def _object(self, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self._at += 1
        while not self._closed("}", first=not found):
            inner = self._key(path, found)
            if self._text[self._skip() : self._at + 1] != ":":
                self._fail("a colon is missing after this key")
            self._at += 1
            found[str(inner[-1])] = self._value(inner)
        return found

    def _key(self, path: Path, found: dict[str, Any]) -> Path:
        start = self._skip()
        if self._text[start : start + 1] != '"':
            self._fail("a key in double quotes is missing here")
        inner: Path = (*path, self._simple())
        if inner[-1] in found:
            self.repeated.append(inner)
        self.places[inner] = self._place(start)
        return inner

    def _list(self, path: Path) -> list[Any]:
        found: list[Any] = []
        self._at += 1
        while not self._closed("]", first=not found):
            inner: Path = (*path, len(found))
            self.places[inner] = self._place(self._skip())
            found.append(self._value(inner))
        return found

    def _closed(self, end: str, *, first: bool) -> bool:
        """Is this the end? If not, step over the comma that must be here unless it is the first item."""
        here = self._text[self._skip() : self._at + 1]
        if here == end:
            self._at += 1
            return True
        if not first:
            if here != ",":
                self._fail(f"a comma or {end} is missing here")
            self._at += 1
            if self._text[self._skip() : self._at + 1] == end:
                self._fail("a comma stands before the end: remove it")
        return False

    def _simple(self) -> Any:
        try:
            value, self._at = self._scalar.raw_decode(self._text, self._at)
        except json.JSONDecodeError as error:
            self._at = error.pos
            self._fail(f"this is not JSON ({error.msg})")
        return value

    def _no_constant(self, name: str) -> NoReturn:
        self._fail(f"{name} is not JSON: write a number")

    def _skip(self) -> int:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at

    def _place(self, offset: int) -> Place:
        line = bisect_right(self._lines, offset) - 1
        return Place(line + 1, offset - self._lines[line] + 1)

    def _fail(self, message: str) -> NoReturn:
        raise NotJson(message, self._place(self._at))
