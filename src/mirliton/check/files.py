"""Files in, findings out: `FILE:LINE:COLUMN: error: PATH: what is wrong and what to do`."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from mirliton.check import positions
from mirliton.check.kinds import KINDS, errors_in, hints_in, kind_of
from mirliton.check.positions import Located, NotJson, Place, locate
from mirliton.schemas.errors import dotted

MAX_BYTES = 8_000_000
_TOP = Place(1, 1)


def check_files(paths: Iterable[Path], out: TextIO, kind: str | None = None) -> int:
    """Check every file and write findings to `out`; 0 when none has an error, else 1.

    A file holds one document or a list of them, as the REST API takes them in `data`. `kind` is a key of `KINDS`;
    without it the shape of a document tells. Raises `ValueError` for an unknown `kind`.
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of document: use one of {', '.join(KINDS)}")
    results = [_check_file(path, out, kind) for path in paths]
    return 0 if all(results) else 1


def _check_file(path: Path, out: TextIO, kind: str | None) -> bool:
    try:
        located = locate(_read(path))
    except NotJson as error:
        _write(out, path, error.place, "error", str(error))
        return False
    except (OSError, ValueError) as error:
        out.write(f"{path}: error: {error}\n")
        return False
    findings = [*_repeats(path, located, out)]
    kinds = [_check_document(path, located, at, document, kind, out) for at, document in _documents(located.value)]
    if findings or None in kinds or not kinds:
        if not kinds:
            _write(out, path, _TOP, "error", "the list holds no document: add one")
        return False
    out.write(f"{path}: ok ({', '.join(str(found) for found in kinds)})\n")
    return True


def _read(path: Path) -> str:
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes: no document is, split it")
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8: save the file as UTF-8") from None


def _documents(value: Any) -> Iterator[tuple[positions.Path, Any]]:
    if isinstance(value, list):
        yield from (((place,), document) for place, document in enumerate(value))
    else:
        yield (), value


def _check_document(
    path: Path, located: Located, at: positions.Path, document: Any, kind: str | None, out: TextIO
) -> str | None:
    """The kind of a good document, None for a bad one."""
    found = kind or kind_of(document)
    if found is None:
        message = f"cannot tell what this is: add keys, or name the kind (--kind {'|'.join(KINDS)})"
        _write(out, path, located.places[at], "error", message)
        return None
    places = {dotted(inner[len(at) :]): place for inner, place in located.places.items() if inner[: len(at)] == at}
    errors = errors_in(found, document)
    for where, codes in errors.items():
        for code, details in codes.items():
            message = f"{where or 'document'}: {details['message']} [{code}]"
            _write(out, path, _nearest(places, where), "error", message)
    if errors:
        return None
    for hint in hints_in(found, document):
        _write(out, path, _nearest(places, hint.path), "hint", f"{hint.path}: {hint.message}")
    return found


def _nearest(places: dict[str, Place], where: str) -> Place:
    """The place of a path, or of the innermost object around it that exists."""
    while where not in places:
        where = where.rpartition(".")[0]
    return places[where]


def _repeats(path: Path, located: Located, out: TextIO) -> Iterator[positions.Path]:
    for repeated in located.repeated:
        message = f"{dotted(repeated)}: this key stands here twice: remove one"
        _write(out, path, located.places[repeated], "error", message)
        yield repeated


def _write(out: TextIO, path: Path, place: Place, level: str, message: str) -> None:
    out.write(f"{path}:{place.line}:{place.column}: {level}: {message}\n")
