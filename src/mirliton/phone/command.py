"""`mirliton call`: the phone on the command line."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Annotated

import soundfile
import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from mirliton.phone.codecs import CodecMissing, open_codec
from mirliton.phone.phone import PhoneSettings
from mirliton.phone.placing import place_call
from mirliton.phone.playing import CannotPlay, load
from mirliton.phone.report import CallReport
from mirliton.phone.rtp import EVENTS
from mirliton.sounds.addresses import SoundNotFound

FIRST_DIGIT_SECONDS = 1.0


def call(
    uri: Annotated[str, typer.Argument(metavar="SIP_URI", help="Whom to call, e.g. sip:3000@127.0.0.1:5060")],
    play: Annotated[str, typer.Option(help="A sound file, tone:HERTZ, or silence.")] = "silence",
    record: Annotated[Path | None, typer.Option(help="Write what is heard to this WAV file.")] = None,
    digits: Annotated[
        list[str] | None, typer.Option(help="Keys to press, at a second of the call: 2468#@3. Can be repeated.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="Hang up after so many seconds.", min=0)] = None,
    bind: Annotated[str | None, typer.Option(help="Own SIP address, HOST:PORT; port 0 is any free one.")] = None,
    user: Annotated[str | None, typer.Option(help="SIP user name of a device.")] = None,
    password: Annotated[str | None, typer.Option(help="SIP password of the device.")] = None,
    name: Annotated[str, typer.Option(help="Name shown to the others.")] = "",
    transport: Annotated[str, typer.Option(help="udp or tcp.")] = "udp",
    codec: Annotated[
        str,
        typer.Option(help="PCMU, PCMA, G722, OPUS, L16/48000, L16/16000 or L16/8000; several with commas, best first."),
    ] = "PCMU,PCMA",
    ptime: Annotated[int, typer.Option(help="Milliseconds of sound in a packet.", min=10, max=60)] = 20,
    inband: Annotated[bool, typer.Option("--inband", help="Send digits as sound.")] = False,
    srtp: Annotated[bool, typer.Option("--srtp", help="Encrypt the sound, or make no call.")] = False,
    hang_up_after_digits: Annotated[
        bool, typer.Option("--hang-up-after-digits", help="Hang up a second after the last key.")
    ] = False,
) -> None:
    """Place a call: play a sound, press keys, record what is heard.

    Without --seconds a call that plays a file ends a second after it; any other when the other side hangs up, or at
    Ctrl-C. The exit code is 0 when the call was answered, 1 when not.
    """
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("warning"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    settings = PhoneSettings(
        bind=bind,
        user=user,
        password=password,
        display=name,
        transport=transport.lower(),
        codecs=tuple(part.strip().upper() for part in codec.split(",")),
        ptime=ptime,
        events=not inband,
        srtp=srtp,
    )
    try:
        _check(settings, play)
        report = _in_front_of_you(uri, settings, play, read_digits(digits or []), seconds, hang_up_after_digits)
    except (ValueError, OSError, CannotPlay, SoundNotFound, CodecMissing) as error:
        typer.echo(f"cannot call: {error}", err=True)
        raise typer.Exit(1) from error
    if record is not None and report.answered:
        soundfile.write(record, report.heard, report.rate, subtype="PCM_16", format="WAV")
        typer.echo(f"recorded  {len(report.heard) / report.rate:.1f} s in {record}")
    raise typer.Exit(report.exit_code)


def read_digits(texts: list[str]) -> list[tuple[str, float]]:
    """`["2468#@3", "1"]` -> `[("2468#", 3.0), ("1", 1.0)]`. Raises `ValueError`."""
    pressed = []
    for text in texts:
        keys, at, time = text.partition("@")
        if not keys or not set(keys.upper()) <= set(EVENTS):
            raise ValueError(f"--digits {text}: keys are 0-9, *, # and A-D, then perhaps @SECONDS")
        try:
            pressed.append((keys.upper(), float(time) if at else FIRST_DIGIT_SECONDS))
        except ValueError:
            raise ValueError(f"--digits {text}: {time!r} is no number of seconds") from None
    return pressed


def _check(settings: PhoneSettings, play: str) -> None:
    """What would go wrong after the other side has answered is said before it rings."""
    if settings.transport not in ("udp", "tcp"):
        raise ValueError(f"--transport {settings.transport}: use udp or tcp")
    if settings.ptime % 10:
        raise ValueError(f"--ptime {settings.ptime}: use 10, 20, 30, 40, 50 or 60")
    load(play, min(open_codec(name).rate for name in settings.codecs))


def _in_front_of_you(
    uri: str,
    settings: PhoneSettings,
    play: str,
    digits: list[tuple[str, float]],
    seconds: float | None,
    hang_up_after_digits: bool,
) -> CallReport:
    """Run the call with lines for what happens, and a bar on a terminal; Ctrl-C hangs up."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("calling", total=None)

        def tell(line: str) -> None:
            console.print(line)
            progress.update(bar, description=line.partition(":")[0])

        async def run() -> CallReport:
            stop = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
            return await place_call(
                uri,
                settings=settings,
                play=play,
                digits=digits,
                seconds=seconds,
                hang_up_after_digits=hang_up_after_digits,
                tell=tell,
                stop=stop,
            )

        report = asyncio.run(run())
    for line in report.lines():
        console.print(line)
    return report
