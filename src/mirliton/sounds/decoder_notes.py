"""What decoders write to the log of the server about damaged sound, which anybody may send without end: nothing."""

import ctypes
import faulthandler
import sys
from contextlib import suppress
from functools import cache

_NOWHERE = b"/dev/null"


@cache
def keep_decoders_quiet() -> None:
    """Lead the C library's `stderr` nowhere, once for the process; Python's own `sys.stderr` does not go through it.

    The decoder of MP3 writes a line there about each damaged frame, and the library around it has no switch for that.
    What else is lost is what the interpreter says when it dies; `faulthandler` says it instead.
    """
    library = ctypes.CDLL(None)
    library.fopen.restype = ctypes.c_void_p
    with suppress(ValueError):  # a C library that names it otherwise
        stream = ctypes.c_void_p.in_dll(library, "stderr")
        if (nowhere := library.fopen(_NOWHERE, b"w")) is not None:
            stream.value = nowhere
    if not faulthandler.is_enabled() and sys.stderr is not None:
        with suppress(OSError, AttributeError):  # a stream without a descriptor
            faulthandler.enable()
