"""Text to a WAV file, in a process of its own: `python -m mirliton.sounds.speaking FILE LANGUAGE…`, the text on stdin.

The speech engine, espeak-ng, is under the GPL and written in C for desktops: apart from the server neither its licence
nor a crash reaches further than this process. `mirliton.sounds.speech` runs it. Exit codes are in `Exit`.
"""

import ctypes
import enum
import os
import resource
import sys
import wave
from pathlib import Path

_SYNCHRONOUS, _UTF8 = 2, 1
_RATE, _WORDS_PER_MINUTE = 1, 150  # a little slower than usual: it is heard over the telephone
MOST_SECONDS = 180
MOST_BYTES = 32_000_000
MOST_CPU_SECONDS = 60
MOST_MEMORY = 1_000_000_000


class Exit(enum.IntEnum):
    """How it went."""

    SPOKEN = 0
    NO_VOICE = 3
    ENGINE_FAILED = 4
    NOTHING_SAID = 5


class _Voice(ctypes.Structure):
    """`espeak_VOICE` of the engine's interface."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def speak(text: str, languages: list[str], target: Path) -> Exit:
    """Speak with the voice of the first language that there is one for; mono 16 bits at the engine's own rate."""
    import espeakng_loader  # of the extra `speech`

    engine = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = engine.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
    if rate <= 0:
        return Exit.ENGINE_FAILED
    if not any(_choose_voice(engine, language) for language in languages):
        return Exit.NO_VOICE
    engine.espeak_SetParameter(_RATE, _WORDS_PER_MINUTE, 0)
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        return _write_speech(engine, text, file, MOST_SECONDS * rate)


def _choose_voice(engine: ctypes.CDLL, language: str) -> bool:
    voice = _Voice(languages=language.encode())
    return bool(engine.espeak_SetVoiceByProperties(ctypes.byref(voice)) == 0)


def _write_speech(engine: ctypes.CDLL, text: str, file: wave.Wave_write, most: int) -> Exit:
    written = 0

    def take(samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: int | None) -> int:
        nonlocal written
        if not samples or count <= 0:
            return 0
        if written + count > most:
            return 1  # stops the engine
        file.writeframesraw(ctypes.string_at(samples, count * 2))
        written += count
        return 0

    callback = _Callback(take)
    engine.espeak_SetSynthCallback(callback)
    encoded = text.encode()
    failed = engine.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, _UTF8, None, None)
    if failed:
        return Exit.ENGINE_FAILED
    return Exit.SPOKEN if written else Exit.NOTHING_SAID


def main(arguments: list[str]) -> int:
    """One text from stdin."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_SECONDS, MOST_CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    os.nice(10)  # calls come first
    target, *languages = arguments
    return speak(sys.stdin.buffer.read().decode(), languages, Path(target))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
