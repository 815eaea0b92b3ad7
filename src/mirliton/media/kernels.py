"""How kernels are compiled: small functions that run as plain Python, and compiled inside the one entry, `running.run`.

`kernel` marks a function that compiled code may call; called from Python it stays Python, so that commands, which run
rarely, need no compiler and tests can step through it. `entry` compiles, and keeps the machine code in a folder whose
name depends on the sources of all kernels: numba itself looks at one file only and would run stale code.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import event
from numba.extending import register_jitable

Int = int | np.integer[Any]
Real = float | np.floating[Any]
"""Kernels mix Python's numbers with numpy's: what is an `int` when interpreted is an int64 when compiled."""

F = TypeVar("F", bound=Callable[..., Any])

INTERPRETED = bool(vars(numba.config)["DISABLE_JIT"])
"""NUMBA_DISABLE_JIT=1: kernels run as plain Python, for debuggers."""


def _cache_folder() -> Path:
    """A user's cache folder for this version of the kernels."""
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "mirliton" / f"kernels-{digest.hexdigest()[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a service user without a home: every start is a cold one, but it is a start
        return Path(tempfile.mkdtemp(prefix="mirliton-kernels-"))
    return folder


_ABOUT_ALL = 100
"""How many functions and specialisations `running.run` consists of, for a progress bar."""


class _Watch(event.Listener):
    """Tells how many functions were compiled so far."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell, self._done = tell, 0

    def on_start(self, event: event.Event) -> None:
        """Nothing yet."""

    def on_end(self, event: event.Event) -> None:
        """One more."""
        self._done += 1
        self._tell(min(0.99, self._done / _ABOUT_ALL))


@contextmanager
def watch_compiling(tell: Callable[[float], None]) -> Iterator[None]:
    """Inside the block `tell` hears the share (0..1) of kernels compiled; nothing when they are loaded from disk."""
    watch = _Watch(tell)
    event.register("numba:compile", watch)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        event.unregister("numba:compile", watch)  # type: ignore[no-untyped-call]


def kernel(function: F) -> F:
    """Callable from compiled code."""
    return register_jitable(function)


def fast_kernel(function: F) -> F:
    """The same, where the order of additions may be changed for vector instructions."""
    return register_jitable(fastmath=True)(function)


def entry(function: F) -> F:
    """Compiled for callers in Python, and cached on disk."""
    vars(numba.config)["CACHE_DIR"] = str(_cache_folder())
    compiled: Any = numba.njit(cache=True)(function)
    return cast(F, compiled)
