"""The engine's memory: arrays of the records of `records`, and of samples and packets beside them.

The same kernels run compiled (numba) and as plain Python.
"""

import mmap
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mirliton.media import counting
from mirliton.media.limits import (
    BATCH,
    CONTROL_BYTES,
    EVENT_RING,
    FIFO,
    MAX_FRAME,
    MOST_UNSENT,
    OPUS_DECODER_BYTES,
    OPUS_ENCODER_BYTES,
    PACKET_BYTES,
    RECEIVE_BYTES,
    REPORT_WHEEL,
    SHARED_ENCODERS,
    SLOTS,
    TAP_CHUNKS,
    USUAL_PACKET_BYTES,
)
from mirliton.media.records import (
    CHUNK,
    ENCODER,
    ENVELOPE,
    LEG,
    LINE,
    MIX,
    NEAR,
    PLAY,
    RELATION,
    SCRATCH,
    SLOT,
    SOCKET,
    SOURCE,
    TAP,
)

Records = Any
"""An array of records; numpy's types cannot name their fields."""


class Tables(NamedTuple):
    """Everything that a kernel may touch.

    `next_leg`: who stands behind a leg in the list of its mix (-1: nobody). These lists are walked far ahead of the
    work, so they lie close together. `turns` and `due_mixes`: the legs and mixes of this step, in the order of work.
    Few arrays of rich records, so that what is handed from kernel to kernel stays small (and compiles in time).
    """

    legs: Records
    next_leg: NDArray[np.int64]
    turns: NDArray[np.int64]
    due_mixes: NDArray[np.int64]
    near: Records
    lines: Records
    spoken: NDArray[np.float32]
    slots: Records
    mixes: Records
    encoders: Records
    fifos: NDArray[np.int16]
    opus_encoders: NDArray[np.int64]
    opus_free: NDArray[np.int64]
    opus_decoders: NDArray[np.int64]
    plays: Records
    relations: Records
    taps: Records
    chunks: Records
    clips: NDArray[np.int16]
    counters: NDArray[np.int64]
    events: NDArray[np.int64]
    reports: NDArray[np.int64]
    scratch: Records
    sockets: Records
    sources: Records
    remote: NDArray[np.uint8]
    inbox: NDArray[np.uint8]
    envelopes: Records
    receive_headers: NDArray[np.uint64]
    outbox: NDArray[np.uint8]
    send_vectors: NDArray[np.uint64]
    send_headers: NDArray[np.uint64]
    send_leg: NDArray[np.int64]
    send_count: NDArray[np.int64]


class Capacity(NamedTuple):
    """How much the engine may hold."""

    legs: int
    mixes: int
    plays: int
    sockets: int
    relations: int = 1


def shared_table_bytes(legs: int) -> int:
    """Size of the memory that engine and control process share for leg records."""
    return legs * LEG.itemsize + counting.SIZE * 8


def map_shared(descriptor: int, legs: int, *, writable: bool) -> tuple[Records, NDArray[np.int64]]:
    """Map leg records and counters from a memory file; the control process reads what the engine writes."""
    access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
    memory = mmap.mmap(descriptor, shared_table_bytes(legs), access=access)
    records = np.frombuffer(memory, LEG, legs).view(np.recarray)
    counters = np.frombuffer(memory, np.int64, counting.SIZE, legs * LEG.itemsize)
    return records, counters


def tap_bytes(taps: int) -> int:
    """Size of the memory that engine and control process share for taps."""
    return taps * (TAP.itemsize + TAP_CHUNKS * CHUNK.itemsize)


def map_taps(descriptor: int, taps: int, *, writable: bool) -> tuple[Records, Records]:
    """Map taps and their chunks (`TAP_CHUNKS` each, one tap after the other) from a memory file."""
    access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
    memory = mmap.mmap(descriptor, tap_bytes(taps), access=access)
    return (
        np.frombuffer(memory, TAP, taps).view(np.recarray),
        np.frombuffer(memory, CHUNK, taps * TAP_CHUNKS, taps * TAP.itemsize).view(np.recarray),
    )


def lonely_taps() -> tuple[Records, Records]:
    """Memory for one tap that nobody shares."""
    return _records(TAP, 1), _records(CHUNK, TAP_CHUNKS)


def _records(dtype: np.dtype[np.void], count: int) -> Records:
    return np.zeros(count, dtype).view(np.recarray)


def _pages(size: int) -> mmap.mmap:
    """Memory of which only the pages that are used exist: numpy would ask for huge ones, which are filled by a byte."""
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def _sparse(dtype: np.dtype[np.void], count: int) -> Records:
    return np.frombuffer(_pages(count * dtype.itemsize), dtype, count).view(np.recarray)


def _dense(dtype: np.dtype[np.void], count: int) -> Records:
    """All of it is used, again and again: in huge pages, which are found faster (as far as the system has any)."""
    pages = _pages(count * dtype.itemsize)
    with suppress(OSError):  # a kernel without them
        pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, dtype, count).view(np.recarray)


def _sparse_plane(kind: type[Any], rows: int, width: int) -> NDArray[Any]:
    return np.frombuffer(_pages(rows * width * np.dtype(kind).itemsize), kind).reshape(rows, width)


def _sockets(descriptors: list[int], odd: Sequence[int]) -> Records:
    """Those for RTP first, so that legs number them as the control process does."""
    reports = {even: descriptor for even, descriptor in enumerate(odd) if descriptor >= 0}
    sockets = _records(SOCKET, len(descriptors) + len(reports))
    sockets["descriptor"] = [*descriptors, *reports.values()]
    sockets["odd"] = sockets["even"] = -1
    for at, even in enumerate(reports, len(descriptors)):
        sockets[even].odd, sockets[at].even = at, even
    return sockets


def _wheel() -> NDArray[np.int64]:
    """The first leg of each moment, and the last moment that was looked at."""
    wheel = np.full(REPORT_WHEEL + 1, -1, np.int64)
    wheel[REPORT_WHEEL] = 0
    return wheel


def _all_free(rows: int) -> NDArray[np.int64]:
    """Rows of which the last is taken first, and how many there are."""
    return np.append(np.arange(rows - 1, -1, -1), rows)


def make_tables(
    capacity: Capacity,
    legs: Records,
    counters: NDArray[np.int64],
    clips: NDArray[np.int16],
    descriptors: list[int],
    taps: tuple[Records, Records] | None = None,
    odd: Sequence[int] = (),
) -> Tables:
    """Allocate everything once; pages that are never used cost nothing, so tables may be generous.

    `odd`: the descriptors of the ports above those of `descriptors`, for reports; -1 where there is none.
    """
    n = capacity.legs
    most_unsent = min(max(2 * n, 64), MOST_UNSENT)
    sources = _records(SOURCE, 1 << max(6, (8 * n - 1).bit_length()))
    sources["key"] = -1
    sockets = _sockets(descriptors, odd)
    scratch = _records(SCRATCH, 1)
    scratch["random"] = 0x9E3779B9
    encoders = _dense(ENCODER, n + capacity.mixes * SHARED_ENCODERS)
    tap_counts, chunks = taps or lonely_taps()
    tables = Tables(
        legs=legs,
        next_leg=np.full(n, -1, np.int64),
        turns=np.zeros(n, np.int64),
        due_mixes=np.zeros(capacity.mixes, np.int64),
        near=_dense(NEAR, n),
        lines=_sparse(LINE, n),
        spoken=_sparse_plane(np.float32, n, MAX_FRAME),
        slots=_dense(SLOT, n * SLOTS),
        mixes=_records(MIX, capacity.mixes),
        encoders=encoders,
        fifos=_sparse_plane(np.int16, len(encoders), FIFO),
        opus_encoders=_sparse_plane(np.int64, len(encoders), OPUS_ENCODER_BYTES // 8),
        opus_free=_all_free(len(encoders)),
        opus_decoders=_sparse_plane(np.int64, n, OPUS_DECODER_BYTES // 8),
        plays=_records(PLAY, capacity.plays),
        relations=_records(RELATION, capacity.relations),
        taps=tap_counts,
        chunks=chunks,
        clips=clips,
        counters=counters,
        events=np.zeros((EVENT_RING, 4), np.int64),
        reports=_wheel(),
        scratch=scratch,
        sockets=sockets,
        sources=sources,
        remote=np.zeros((2 * n, 16), np.uint8),
        inbox=np.zeros((BATCH, RECEIVE_BYTES), np.uint8),
        envelopes=_records(ENVELOPE, BATCH),
        receive_headers=np.zeros((BATCH, 8), np.uint64),
        outbox=np.zeros(most_unsent * USUAL_PACKET_BYTES + PACKET_BYTES, np.uint8),
        send_vectors=np.zeros((most_unsent, 2), np.uint64),
        send_headers=np.zeros((len(sockets), BATCH, 8), np.uint64),
        send_leg=np.zeros((len(sockets), BATCH), np.int64),
        send_count=np.zeros(len(sockets) + 2, np.int64),
    )
    _point_headers_at_buffers(tables)
    return tables


def _point_headers_at_buffers(t: Tables) -> None:
    """Fill in `struct mmsghdr` and `struct iovec` (Linux, 64 bit) where they never change."""
    envelopes = t.envelopes.ctypes.data + np.arange(BATCH, dtype=np.uint64) * np.uint64(ENVELOPE.itemsize)
    offset = {name: np.uint64(ENVELOPE.fields[name][1]) for name in ("name", "vector", "control")}  # type: ignore[index]
    t.envelopes["vector"][:, 0] = t.inbox.ctypes.data + np.arange(BATCH, dtype=np.uint64) * np.uint64(RECEIVE_BYTES)
    t.envelopes["vector"][:, 1] = RECEIVE_BYTES
    t.receive_headers[:, 0] = envelopes + offset["name"]
    t.receive_headers[:, 1] = 16
    t.receive_headers[:, 2] = envelopes + offset["vector"]
    t.receive_headers[:, 3] = 1
    t.receive_headers[:, 4] = envelopes + offset["control"]
    t.receive_headers[:, 5] = CONTROL_BYTES
    t.send_headers[:, :, 1] = 16
    t.send_headers[:, :, 3] = 1
