"""SRTP (RFC 3711; AES-GCM: RFC 7714) by libsrtp, which compiled kernels call without the interpreter.

The library comes with the wheel of pylibsrtp. Sessions are made in `keyring`; here packets are protected and
unprotected where they lie. What does not authenticate is counted and changes nothing else.

libsrtp counts how often sequence numbers began again (RFC 3711 3.3.1), and so does the leg's record: that outlives an
engine process. A successor's sessions begin at zero, so before the first packet they are told. `RESUMES`: the keys are
those of before, what is older than the newest packet heard is a replay. `REKEYED` and one more, in turn: with new keys
the counter goes on (RFC 3711 3.3.1), but many begin at zero again.
"""

import ctypes
from importlib import import_module
from typing import Any

import numpy as np
from llvmlite import binding
from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media.kernels import Int, kernel
from mirliton.media.limits import SRTP_STREAMS
from mirliton.media.rtcp import get16, get32
from mirliton.media.samples import copy
from mirliton.media.tables import Tables

RESUMES, REKEYED, _REKEYED_FROM_ZERO = 1, 2, 3
_OK, _REFUSED, _REPLAY_OLD = 0, 7, 10  # srtp_err_status_t
_SHORTEST_REPORT = 8
_REPLAYS = (9, _REPLAY_OLD, 26)  # came before, older than the window, older than the roll-over counter


def _path() -> str:
    """Where libsrtp lies; importing it also starts it."""
    return str(import_module("pylibsrtp._binding").__file__)


_library = ctypes.CDLL(_path())


def _external(name: str, third: Any) -> Any:
    """A function of libsrtp (session, number or address, another) -> srtp_err_status_t, for kernels and for Python.

    Compiled code finds it by its name, so that machine code can be kept on disk. Numba compares the signatures of the
    two levels to the letter, so they have no annotations.
    """
    kinds = {types.uintp: ctypes.c_void_p, types.uint32: ctypes.c_uint32}
    second = types.uint32 if name.endswith("_roc") else types.uintp
    function = getattr(_library, name)
    function.argtypes = [kinds[kind] for kind in (types.uintp, second, third)]

    def call(session, second, third):  # type: ignore[no-untyped-def]
        return function(int(session), int(second), int(third))

    binding.add_symbol(name, ctypes.cast(function, ctypes.c_void_p).value)
    external = types.ExternalFunction(name, types.int32(types.uintp, second, third))

    def compiled(session, second, third):  # type: ignore[no-untyped-def]
        def direct(session, second, third):  # type: ignore[no-untyped-def]
            return external(session, second, third)

        return direct

    overload(call)(compiled)
    return call


_protect = _external("srtp_protect", types.uintp)
"""(session, packet, where its int32 length stands and is changed); so are the next three."""
_unprotect = _external("srtp_unprotect", types.uintp)
_protect_rtcp = _external("srtp_protect_rtcp", types.uintp)
_unprotect_rtcp = _external("srtp_unprotect_rtcp", types.uintp)
_set_roc = _external("srtp_set_stream_roc", types.uint32)
"""(session, SSRC, roll-over counter); the SSRC must be known."""
_get_roc = _external("srtp_get_stream_roc", types.uintp)
"""(session, SSRC, where the uint32 goes)."""


def begin_at(session: int, ssrc: int, roc: int) -> None:
    """A stream of a session that begins at this roll-over counter."""
    status = _set_roc(session, ssrc, roc)
    if status != _OK:
        raise ValueError(f"libsrtp knows no stream {ssrc:#x} of this session: error {status}")


def leave_out(session: int, ssrc: int, reports: int) -> None:
    """Let the index of SRTCP begin after so many reports (RFC 3711 3.4: no index is used twice with one key).

    libsrtp cannot be told, so it encrypts as many empty ones, for nobody: about 2 ms for an hour of a call.
    """
    report, length = np.zeros(64, np.uint8), np.zeros(1, np.int32)
    for _ in range(reports):
        report[:8] = (0x80, 201, 0, 1, *ssrc.to_bytes(4, "big"))
        length[0] = 8
        _protect_rtcp(session, report.ctypes.data, length.ctypes.data)


@kernel
def protect(t: Tables, leg: Int, b: NDArray[np.uint8], size: Int) -> Int:
    """Encrypt a packet of `b[0:size]`; its new size, or -1 (counted) for what must not be sent."""
    record, length = t.legs[leg], t.scratch[0].wire_bytes
    length[0] = size
    if b[2] == 0xFF and b[3] == 0xFF:
        record.srtp_roc += 1
    status = _protect(record.srtp_out, b.ctypes.data, length.ctypes.data)
    if status != _OK:
        record.send_failures += 1
        t.counters[counting.SEND_FAILED] += 1
        return np.int64(-1)
    return np.int64(length[0])


@kernel
def protect_report(t: Tables, leg: Int, b: NDArray[np.uint8], size: Int) -> Int:
    """The same for RTCP (RFC 3711 3.4)."""
    record, length = t.legs[leg], t.scratch[0].wire_bytes
    length[0] = size
    if _protect_rtcp(record.srtp_out, b.ctypes.data, length.ctypes.data) != _OK:
        record.send_failures += 1
        t.counters[counting.SEND_FAILED] += 1
        return np.int64(-1)
    record.srtcp_sent += 1
    return np.int64(length[0])


@kernel
def unprotect_report(t: Tables, leg: Int, row: Int, size: Int) -> Int:
    """Decrypt a datagram of RTCP in the inbox; its new size, or -1 (counted).

    Only with the keys agreed: reports are no more than late when keys change.
    """
    record, length, b = t.legs[leg], t.scratch[0].wire_bytes, t.inbox[row]
    length[0] = size
    another, status = not _knows(t, leg, get32(b, 4)), np.int64(_REFUSED)
    if size >= _SHORTEST_REPORT and (not another or record.srtp_streams < SRTP_STREAMS):
        status = np.int64(_unprotect_rtcp(record.srtp_in, b.ctypes.data, length.ctypes.data))
    if status == _OK:
        record.srtp_streams += another
        return np.int64(length[0])
    _count(t, leg, status)
    return np.int64(-1)


@kernel
def _count(t: Tables, leg: Int, status: Int) -> None:
    if status in _REPLAYS:
        t.legs[leg].srtp_replayed += 1
        t.counters[counting.SRTP_REPLAYED] += 1
    else:
        t.legs[leg].srtp_refused += 1
        t.counters[counting.SRTP_REFUSED] += 1


@kernel
def unprotect(t: Tables, leg: Int, row: Int, size: Int) -> Int:
    """Decrypt a packet of the inbox; its new size, or -1 for what is not authentic or came before (counted)."""
    record, b = t.legs[leg], t.inbox[row]
    sequence, ssrc = get16(b, 2), get32(b, 8)
    index = np.int64(-1)
    if record.srtp_streams > 0 and ssrc == record.srtp_ssrc:
        step = (sequence - record.srtp_index) & 0xFFFF
        index = record.srtp_index + step - ((step >> 15) << 16)
    another = bool(index < 0 and not _knows(t, leg, ssrc))
    status = np.int64(_REFUSED)
    if not another or record.srtp_streams < SRTP_STREAMS:
        status = np.int64(_open(t, leg, row, size, ssrc, index))
    if status == _OK:
        record.srtp_streams += another
        _note(t, leg, ssrc, sequence, index)
        return np.int64(t.scratch[0].wire_bytes[0])
    _count(t, leg, status)
    return np.int64(-1)


@kernel
def _open(t: Tables, leg: Int, row: Int, size: Int, ssrc: Int, index: Int) -> Int:
    """With the keys agreed or, while those were not heard, with the ones before; a status of libsrtp."""
    record = t.legs[leg]
    if record.srtp_finding != 0 and index >= 0:
        if record.srtp_finding == RESUMES and index <= record.srtp_index:
            return np.int64(_REPLAY_OLD)
        _find(t, leg, ssrc, index)
    if record.srtp_before == 0:
        return _decrypt(t, record.srtp_in, row, size)
    b, sealed = t.inbox[row], t.scratch[0].sealed
    copy(b, sealed, size)
    status = _decrypt(t, record.srtp_in, row, size)
    if status == _OK:
        record.srtp_before = 0
        return status
    copy(sealed, b, size)
    before = _decrypt(t, record.srtp_before, row, size)
    return before if before == _OK else status


@kernel
def _note(t: Tables, leg: Int, ssrc: Int, sequence: Int, index: Int) -> None:
    """Where the other side's stream stands."""
    record = t.legs[leg]
    if index < 0 or (record.srtp_finding != 0 and record.srtp_before == 0):
        _knows(t, leg, ssrc)
        record.srtp_ssrc = ssrc
        record.srtp_index = (np.int64(t.scratch[0].wire_roc[0]) << 16) | sequence
    elif index > record.srtp_index:
        record.srtp_index = index
    if record.srtp_before == 0:
        record.srtp_finding = 0


@kernel
def _decrypt(t: Tables, session: Int, row: Int, size: Int) -> Int:
    length = t.scratch[0].wire_bytes
    length[0] = size
    return np.int64(_unprotect(session, t.inbox[row].ctypes.data, length.ctypes.data))


@kernel
def _knows(t: Tables, leg: Int, ssrc: Int) -> bool:
    """Whether a stream was heard with the keys agreed; then the scratch `wire_roc` is its roll-over counter, else 0."""
    roc = t.scratch[0].wire_roc
    roc[0] = 0
    return bool(_get_roc(t.legs[leg].srtp_in, np.uint32(ssrc), roc.ctypes.data) == _OK)


@kernel
def _find(t: Tables, leg: Int, ssrc: Int, index: Int) -> None:
    """Tell libsrtp which roll-over counter to try."""
    record = t.legs[leg]
    roc = index >> 16
    if record.srtp_finding == _REKEYED_FROM_ZERO:
        roc = 0
    if record.srtp_finding != RESUMES:
        record.srtp_finding = REKEYED + _REKEYED_FROM_ZERO - record.srtp_finding
    _set_roc(record.srtp_in, np.uint32(ssrc), np.uint32(roc))
