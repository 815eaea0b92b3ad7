"""List filters from the query (semantics 6.3): all must hold; dotted keys address nested ones."""

from collections.abc import Callable, Iterable
from typing import Any

from mirliton.api.errors import wrong
from mirliton.store import Document
from mirliton.store.documents import Span

MAX_FILTERS = 50
_ABSENT = object()
_EMPTY: tuple[Any, ...] = (_ABSENT, None, "", [], {})

Test = Callable[[dict[str, Any]], bool]


def span(query: dict[str, str]) -> Span:
    """`created_from` and its three sisters, Gregorian seconds; raises `ApiError` 400."""
    names = ("created_from", "created_to", "modified_from", "modified_to")
    return Span(**{name: whole_number(name, query[name]) for name in names if name in query})


def whole_number(name: str, text: str) -> int:
    """A query value as a number of at most 15 digits; raises `ApiError` 400."""
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise wrong(name, "type", "must be a whole number: write digits only", value=text, target="integer")
    return int(text)


def keep(items: Iterable[tuple[str, str]]) -> Callable[[Document], bool] | None:
    """The test that a document has to pass, None when the query asks for nothing; raises `ApiError` 400."""
    tests = [test for name, value in items if (test := _test(name, value)) is not None]
    if len(tests) > MAX_FILTERS:
        raise wrong("filter", "maxItems", f"at most {MAX_FILTERS} filters: use fewer", target=MAX_FILTERS)
    if not tests:
        return None
    return lambda document: all(test(document.body | {"id": document.id}) for test in tests)


def _test(name: str, value: str) -> Test | None:
    if name.startswith("filter_not_"):
        key = name.removeprefix("filter_not_")
        return lambda body: not _equals(_at(body, key), value)
    if name.startswith("filter_"):
        key = name.removeprefix("filter_")
        return lambda body: _equals(_at(body, key), value)
    match name:
        case "has_key":
            return lambda body: _at(body, value) is not _ABSENT
        case "key_missing":
            return lambda body: _at(body, value) is _ABSENT
        case "has_value":
            return lambda body: _at(body, value) not in _EMPTY
        case "missing_value":
            return lambda body: _at(body, value) in _EMPTY
        case _:
            return None


def _at(body: Any, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(body, dict) or part not in body:
            return _ABSENT
        body = body[part]
    return body


def _equals(found: Any, wanted: str) -> bool:
    if isinstance(found, list):
        return any(_equals(item, wanted) for item in found)
    if isinstance(found, bool):
        return wanted == str(found).lower()
    return found is not _ABSENT and found is not None and wanted == str(found)
