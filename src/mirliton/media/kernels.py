"""How kernels are compiled: small functions that run as plain Python, and compiled inside the one entry, `tick.step`.

`kernel` marks a function that compiled code may call; called from Python it stays Python, so that commands, which run
rarely, need no compiler and tests can step through it. `entry` compiles, and keeps the machine code in a folder whose
name depends on the sources of all kernels: numba itself looks at one file only and would run stale code.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.extending import register_jitable

F = TypeVar("F", bound=Callable[..., Any])


def _cache_folder() -> Path:
    """A user's cache folder for this version of the kernels."""
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "mirliton" / f"kernels-{digest.hexdigest()[:16]}"


def is_compiled() -> bool:
    """Whether a start will be warm."""
    return numba.config.DISABLE_JIT or any(_cache_folder().rglob("*.nbc"))


def kernel(function: F) -> F:
    """Callable from compiled code."""
    return register_jitable(function)  # type: ignore[no-any-return]


def fast_kernel(function: F) -> F:
    """The same, where the order of additions may be changed for vector instructions."""
    return register_jitable(fastmath=True)(function)  # type: ignore[no-any-return]


def entry(function: F) -> F:
    """Compiled for callers in Python, and cached on disk."""
    numba.config.CACHE_DIR = str(_cache_folder())
    return numba.njit(cache=True)(function)  # type: ignore[no-any-return]
