"""Calls of the system: packets in and out, waiting, clocks; callable from compiled kernels and from plain Python.

Numba resolves an external function by name in the running process, so the compiled kernel calls libc without passing
through the interpreter, and can still be cached on disk. With NUMBA_DISABLE_JIT=1 ctypes does the same.
"""

import ctypes
from typing import Any

from numba import types

from mirliton.media.kernels import INTERPRETED

_libc = ctypes.CDLL(None, use_errno=True)


def _receive(descriptor: int, headers: int, count: int, flags: int, timeout: int) -> int:
    return int(_libc.recvmmsg(int(descriptor), ctypes.c_void_p(int(headers)), int(count), int(flags), None))


def _send(descriptor: int, headers: int, count: int, flags: int) -> int:
    return int(_libc.sendmmsg(int(descriptor), ctypes.c_void_p(int(headers)), int(count), int(flags)))


def _poll(lines: int, count: int, timeout: int, _signals: int) -> int:
    return int(_libc.ppoll(ctypes.c_void_p(int(lines)), int(count), ctypes.c_void_p(int(timeout)), None))


def _clock(clock: int, out: int) -> int:
    return int(_libc.clock_gettime(int(clock), ctypes.c_void_p(int(out))))


def _external(name: str, signature: Any, interpreted: Any) -> Any:
    return interpreted if INTERPRETED else types.ExternalFunction(name, signature)


recvmmsg = _external(
    "recvmmsg", types.int32(types.int32, types.uintp, types.uint32, types.int32, types.uintp), _receive
)
"""(descriptor, address of the headers, count, flags, 0) -> datagrams read, -1 when none."""

sendmmsg = _external("sendmmsg", types.int32(types.int32, types.uintp, types.uint32, types.int32), _send)
"""(descriptor, address of the headers, count, flags) -> datagrams sent, -1 when the first failed."""

ppoll = _external("ppoll", types.int32(types.uintp, types.uint64, types.uintp, types.uintp), _poll)
"""(address of `struct pollfd`s, count, address of a `struct timespec`, 0) -> how many are ready, -1: interrupted."""

clock_gettime = _external("clock_gettime", types.int32(types.int32, types.uintp), _clock)
"""(clock, address of a `struct timespec`) -> 0."""
