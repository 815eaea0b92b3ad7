"""Recordings that were not closed, or were written in parts, made into one whole file: in a process of its own.

`python -m mirliton.recording.mending JSON` reads all of it, which for hours of sound takes a while: no writer and no
event loop should wait for that.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import soundfile

from mirliton.recording.sound_files import CONTENT_TYPES, FileFacts, Format, SoundWriter, WriteFailed, open_file
from mirliton.recording.timeline import Samples

_BLOCK = 4096
"""libFLAC's block. Larger steps would lose more good samples before a broken block; smaller ones are much slower."""
_NICE = 19


class Part(msgspec.Struct, frozen=True, order=True):
    """A file and where it belongs in the whole, in samples."""

    offset: int
    path: str


class Work(msgspec.Struct, frozen=True):
    """What to put together, and where to put it."""

    parts: list[Part]
    whole: str


class Mended(msgspec.Struct, frozen=True):
    """`facts` None: nothing can be read. `in_place`: the only part is a whole file as it is. Or what is wrong."""

    facts: FileFacts | None = None
    in_place: bool = False
    problem: str = ""


def mend(parts: list[Part], whole: Path) -> Mended:
    """Put together what can be decoded; where two parts have the same time the earlier one counts.

    A single part that has all in its header stays as it is. Raises `WriteFailed` when the new file cannot be written:
    the old ones may still be good.
    """
    readable = [(part.offset, source) for part in sorted(parts) if (source := _opened(part.path)) is not None]
    try:
        return _mended(readable, whole)
    finally:
        for _, source in readable:
            source.close()


def _mended(parts: list[tuple[int, Any]], whole: Path) -> Mended:
    if not parts:
        return Mended()
    first = parts[0][1]
    form, rate = Format(first.format.lower()), int(first.samplerate)
    if form != Format.FLAC and len(parts) == 1 and not parts[0][0]:
        frames = sum(map(len, _blocks(first)))
        size = Path(first.name).stat().st_size
        facts = FileFacts(size, round(frames / rate, 3), rate, CONTENT_TYPES[form])
        return Mended(facts if frames else None, in_place=True)
    copy = open_file(whole, form, rate)
    try:
        written = 0
        for offset, source in parts:
            if source.samplerate == rate:
                written = _append(copy, written, offset, source)
        facts = copy.close()
    except WriteFailed:
        copy.abandon()
        raise
    return Mended(facts if written else None)


def _append(copy: SoundWriter, written: int, offset: int, source: Any) -> int:
    position = offset
    for block in _blocks(source):
        while written < position:
            written += _write(copy, np.zeros(min(_BLOCK, position - written), np.int16))
        fresh = block[written - position :]
        position += len(block)
        written += _write(copy, fresh)
    return written


def _write(copy: SoundWriter, samples: Samples) -> int:
    if len(samples):
        copy.write(samples)
    return len(samples)


def _opened(path: str) -> Any:
    try:
        return soundfile.SoundFile(path)
    except (soundfile.SoundFileError, OSError):
        return None


def _blocks(source: Any) -> Iterator[Samples]:
    """Up to where the file was cut."""
    while True:
        try:
            block: Samples = source.read(_BLOCK, dtype="int16")
        except soundfile.SoundFileError:
            return
        if not len(block):
            return
        yield block


async def mend_apart(parts: list[Part], whole: Path) -> Mended:
    """`mend` in another process, which yields to everything else. Raises `WriteFailed`, and `OSError` without one."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mirliton.recording.mending",
        msgspec.json.encode(Work(parts, os.fspath(whole))).decode(),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        answer, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise WriteFailed(f"the recording could not be put together (exit code {process.returncode})")
    mended = msgspec.json.decode(answer, type=Mended)
    if mended.problem:
        raise WriteFailed(mended.problem)
    return mended


def main() -> None:
    """Do what the argument says, and print what came of it."""
    os.nice(_NICE)
    work = msgspec.json.decode(sys.argv[1], type=Work)
    try:
        mended = mend(work.parts, Path(work.whole))
    except WriteFailed as problem:
        mended = Mended(problem=str(problem))
    sys.stdout.write(msgspec.json.encode(mended).decode())


if __name__ == "__main__":
    main()
