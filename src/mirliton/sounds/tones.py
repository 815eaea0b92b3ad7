"""Tone scripts (TGML, semantics 5.1): text such as `v=-7;>=2;+=.1;%(300,0,523,659)` to samples.

Pure: a script and a sample rate give the same samples each time. Scripts come from tenants, so length, loops and the
number of statements are bounded. What the grammar calls a syntax error is no error here: it ends that run of the
script and what was made before is kept, as `Tones.problem` reports.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
Wave = npt.NDArray[np.float64]

# The two default tones of semantics 5.2, as addresses.
ENTRY_TONE = "tone_stream://v=-7;>=2;+=.1;%(300,0,523,659);v=-7;>=3;+=.1;%(800,0,659,783)"
EXIT_TONE = "tone_stream://v=-7;>=2;+=.1;%(300,0,523,440);v=-7;>=3;+=.1;%(800,0,349,440)"

ROWS = (697.0, 770.0, 859.0, 941.0)  # 859 and not 852: what the listeners of these scripts are used to (semantics 5.1)
COLUMNS = (1209.0, 1336.0, 1477.0, 1633.0)
DIGITS = {key: (ROWS[i // 4], COLUMNS[i % 4]) for i, key in enumerate("123A456B789C*0#D")}

MOST_FREQUENCIES = 18
LOWEST_LEVEL, HIGHEST_LEVEL = -63.0, 0.0  # dBm0
PEAK_OFFSET = 128  # added to the sum before it is divided, as the original generator does
_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+))")
_LARGEST = 1e9


class ToneScriptInvalid(Exception):
    """The script makes no sound, or more than is allowed. The text says what to change."""


@dataclass(frozen=True, slots=True)
class ToneLimits:
    """Bounds of one script."""

    seconds: float = 60.0
    statements: int = 1000
    tokens: int = 5000
    runs: int = 1000


@dataclass(frozen=True, slots=True)
class Tones:
    """Mono samples at the rate asked for. `problem`: why the rest of the script was dropped, if it was."""

    samples: Samples
    problem: str | None = None


@dataclass(slots=True)
class _State:
    """The settings in force. Durations in samples, levels in dBm0, ramp step in dB."""

    rate: int
    duration: int = 2000
    wait: int = 500
    level: float = -7.0
    ramp_direction: int = 0
    ramp_every: int = 0
    ramp_step: float = 1.0
    next_loops: int = 1
    runs: int | None = None
    pieces: list[Samples] = field(default_factory=list)
    length: int = 0
    statements: int = 0
    tokens: int = 0

    def samples(self, milliseconds: float) -> int:
        return max(0, int(milliseconds * (self.rate // 1000)))


class _SyntaxError(Exception):
    """Ends one run of the script."""


def render_tones(script: str, rate: int, limits: ToneLimits | None = None) -> Tones:
    """Generate `script` (without `tone_stream://`) at `rate` Hz as mono int16.

    Raises `ToneScriptInvalid` when nothing comes out of it or when it exceeds `limits`.
    """
    limits = limits or ToneLimits()
    state, problem, run = _State(rate), None, 0
    while run < (state.runs or 1):
        run += 1
        try:
            for statement in _statements(script):
                _obey(statement, state, limits, rate)
        except _SyntaxError as error:
            problem = str(error)
    if state.length == 0:
        raise ToneScriptInvalid(f"the tone script {script!r} makes no sound: {problem or 'it holds no tone'}")
    return Tones(np.concatenate(state.pieces), problem)


def _statements(script: str) -> Iterator[str]:
    return (text for part in script.split(";") if (text := part.strip()))


def _obey(statement: str, state: _State, limits: ToneLimits, rate: int) -> None:
    state.statements += 1
    if state.statements > limits.statements:
        raise ToneScriptInvalid(f"the tone script runs more than {limits.statements} statements: make it shorter")
    if statement[1:2] == "=":
        _set(statement[0], statement[2:], state, limits)
        return
    for on, off, frequencies in _tokens(statement, state):
        state.tokens += 1
        if state.tokens > limits.tokens:
            raise ToneScriptInvalid(f"the tone script makes more than {limits.tokens} tones: make it shorter")
        _append(state, on, off, frequencies, round(limits.seconds * rate))


def _set(name: str, text: str, state: _State, limits: ToneLimits) -> None:
    """One `x=value`. Unknown names, levels out of range and text that is no number are ignored (semantics 5.1)."""
    if (value := _number(text)) is None:
        return
    match name:
        case "r":
            state.rate = int(value) if 1000 <= value <= 192_000 else state.rate
        case "d":
            state.duration = state.samples(value)
        case "w":
            state.wait = state.samples(value)
        case "v" if LOWEST_LEVEL <= value <= HIGHEST_LEVEL:
            state.level = value
        case ">" | "<":
            state.ramp_direction = -1 if name == ">" else 1
            state.ramp_every = max(1, state.samples(value))  # a step of 0 ms means every sample
        case "+":
            state.ramp_step = value
        case "l":
            state.next_loops = int(value)
        case "L" if value > 0 and state.runs is None:
            if value > limits.runs:
                raise ToneScriptInvalid(f"L={int(value)} is more than the {limits.runs} runs allowed for a tone script")
            state.runs = int(value)


def _number(text: str) -> float | None:
    found = _NUMBER.match(text)
    # Hundreds of digits are infinite as a float, and no duration, level or frequency is.
    return max(-_LARGEST, min(_LARGEST, float(found.group(1)))) if found else None


def _tokens(statement: str, state: _State) -> Iterator[tuple[int, int, tuple[float, ...]]]:
    """(samples on, samples off, frequencies) of each tone token in a run; other characters are skipped."""
    position = 0
    while position < len(statement):
        key = statement[position]
        position += 1
        if key != "%" and key not in DIGITS:
            continue
        if statement[position : position + 1] == "(":
            end = statement.find(")", position)
            if end < 0:
                raise _SyntaxError(f"{statement!r} has no closing bracket")
            yield _bracketed(key, statement[position + 1 : end], state)
            position = end + 1
        elif key == "%":
            raise _SyntaxError(f"% needs (on,off,frequency…) in {statement!r}")
        else:
            yield state.duration, state.wait, DIGITS[key]


def _bracketed(key: str, text: str, state: _State) -> tuple[int, int, tuple[float, ...]]:
    numbers = [_number(argument) for argument in text.split(",")]
    values = [value for value in numbers if value is not None]
    if len(values) != len(numbers):
        raise _SyntaxError(f"{key}({text}) holds something that is no number")
    if key == "%" and len(values) < 3:
        raise _SyntaxError(f"%({text}) has no frequency")
    if key != "%" and len(values) != 2:
        raise _SyntaxError(f"{key}({text}) takes exactly (on,off)")
    frequencies = tuple(values[2 : 2 + MOST_FREQUENCIES]) if key == "%" else DIGITS[key]
    return state.samples(values[0]), state.samples(values[1]), frequencies


def _append(state: _State, on: int, off: int, frequencies: tuple[float, ...], most: int) -> None:
    """Add one token as often as `l=` says; a negative count goes on until the script is as long as it may be."""
    times, state.next_loops = state.next_loops, 1
    times = max(times, 1) if times >= 0 else (most - state.length) // max(1, on + off)
    if state.length + times * (on + off) > most:
        raise ToneScriptInvalid("the tone script makes more sound than is allowed: shorten it or use {loops=-1}")
    if times * (on + off) == 0:
        return
    token = np.zeros(on + off, np.int16)
    token[:on] = _chord(state, on, frequencies)
    state.pieces.append(np.tile(token, times))
    state.length += times * (on + off)


def _chord(state: _State, length: int, frequencies: tuple[float, ...]) -> Wave:
    """All frequencies from phase 0, added and divided by their number, under the ramp in force."""
    index = np.arange(length)
    waves = sum((np.sin(2 * np.pi * f / state.rate * index) for f in frequencies), np.zeros(length))
    levels: Wave | float = state.level
    if state.ramp_direction:
        steps = index // state.ramp_every
        levels = np.clip(state.level + state.ramp_direction * state.ramp_step * steps, LOWEST_LEVEL, HIGHEST_LEVEL)
    mixed = (waves * peak_amplitude(levels) + PEAK_OFFSET) / len(frequencies)
    return np.asarray(np.clip(mixed, -32768, 32767))


def peak_amplitude(level: Wave | float) -> Wave | float:
    """Peak (of 32767) of one frequency at `level` dBm0: 10 186 at -7."""
    return 46_340 * 10 ** ((level - 6.16) / 20)
