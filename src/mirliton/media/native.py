"""`recvmmsg` and `sendmmsg`, callable from compiled kernels and from plain Python.

Numba resolves an external function by name in the running process, so the compiled kernel calls libc without passing
through the interpreter, and can still be cached on disk. With NUMBA_DISABLE_JIT=1 ctypes does the same.
"""

import ctypes
from typing import Any

from numba import config, types

if config.DISABLE_JIT:
    _libc = ctypes.CDLL(None, use_errno=True)

    def recvmmsg(descriptor: int, headers: int, count: int, flags: int, timeout: int) -> int:
        """Returns how many datagrams were read, -1 when none."""
        return int(_libc.recvmmsg(int(descriptor), ctypes.c_void_p(int(headers)), count, flags, None))

    def sendmmsg(descriptor: int, headers: int, count: int, flags: int) -> int:
        """Returns how many datagrams were sent, -1 when the first failed."""
        return int(_libc.sendmmsg(int(descriptor), ctypes.c_void_p(int(headers)), count, flags))

else:
    _receive = types.int32(types.int32, types.uintp, types.uint32, types.int32, types.uintp)
    _send = types.int32(types.int32, types.uintp, types.uint32, types.int32)
    recvmmsg: Any = types.ExternalFunction("recvmmsg", _receive)
    sendmmsg: Any = types.ExternalFunction("sendmmsg", _send)
