"""`mirliton phone`: a phone on the command line that waits for calls and answers them."""

import asyncio
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import soundfile
import structlog
import typer
from rich.console import Console

from mirliton.phone.codecs import CodecMissing, open_codec
from mirliton.phone.conversation import Conversation
from mirliton.phone.phone import Phone, PhoneSettings, Tell
from mirliton.phone.placing import unless, until_over
from mirliton.phone.playing import CannotPlay, load
from mirliton.phone.report import HINTS
from mirliton.sip.outgoing import callable_uri
from mirliton.sip.types import SessionRefused
from mirliton.sounds.addresses import SoundNotFound

_NOT_THIS_DEVICE = "the user name in --register and --password must be those of an enabled device of the account"


@dataclass(frozen=True, slots=True)
class _Wishes:
    """What to do with the calls that come."""

    register: str | None
    server: str | None
    answer: bool
    ring: float
    play: str
    record: Path | None
    seconds: float | None
    calls: int | None


def phone(
    register: Annotated[
        str | None, typer.Option(help="Be reachable as this device, e.g. sip:desk@127.0.0.1:5060")
    ] = None,
    password: Annotated[str | None, typer.Option(help="SIP password of the device.")] = None,
    server: Annotated[
        str | None, typer.Option(help="Send the registration to this SIP URI instead of the host of --register.")
    ] = None,
    bind: Annotated[str | None, typer.Option(help="Own SIP address, HOST:PORT; port 0 is any free one.")] = None,
    answer: Annotated[bool, typer.Option("--answer/--refuse", help="Answer calls, or say that we are busy.")] = True,
    ring: Annotated[float, typer.Option(help="Ring for so many seconds before the answer.", min=0)] = 0.0,
    play: Annotated[str, typer.Option(help="A sound file, tone:HERTZ, or silence.")] = "silence",
    record: Annotated[
        Path | None, typer.Option(help="Write what is heard to this WAV file; the second call to NAME-2.wav.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="Hang up each call after so many seconds.", min=0)] = None,
    calls: Annotated[int | None, typer.Option(help="End after so many calls.", min=1)] = None,
    transport: Annotated[str, typer.Option(help="udp or tcp, for the registration.")] = "udp",
    codec: Annotated[
        str,
        typer.Option(help="PCMU, PCMA, G722, OPUS, L16/48000, L16/16000 or L16/8000; several with commas, best first."),
    ] = "PCMU,PCMA",
    srtp: Annotated[bool, typer.Option("--srtp", help="Encrypt the sound, or take no call.")] = False,
) -> None:
    """Wait for calls and answer them: play a sound, record what is heard.

    Without --register it can be called at the address that it prints. One call at a time; others ring meanwhile. It
    ends after --calls, or at Ctrl-C. The exit code is 1 when it could not register.
    """
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("warning"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    wishes = _Wishes(register, server, answer, ring, play, record, seconds, calls)
    settings = PhoneSettings(
        bind=bind,
        password=password,
        transport=transport.lower(),
        codecs=tuple(part.strip().upper() for part in codec.split(",")),
        srtp=srtp,
    )
    console = Console(highlight=False, markup=False, soft_wrap=True)
    try:
        _check(settings, wishes)
        asyncio.run(_wait_for_calls(settings, wishes, console.print))
    except SessionRefused as refusal:
        hint = _NOT_THIS_DEVICE if refusal.code in (401, 403, 407) else HINTS.get(refusal.code)
        typer.echo(f"not registered: {refusal}" + (f"\nwhat to do: {hint}" if hint else ""), err=True)
        raise typer.Exit(1) from refusal
    except (ValueError, OSError, CannotPlay, SoundNotFound, CodecMissing) as error:
        typer.echo(f"cannot wait for calls: {error}", err=True)
        raise typer.Exit(1) from error


def _check(settings: PhoneSettings, wishes: _Wishes) -> None:
    """What would go wrong when somebody calls is said before."""
    if settings.transport not in ("udp", "tcp"):
        raise ValueError(f"--transport {settings.transport}: use udp or tcp")
    if wishes.register is not None and callable_uri(wishes.register).user is None:
        raise ValueError(f"--register {wishes.register}: a device has a user name: sip:USER@HOST[:PORT]")
    load(wishes.play, min(open_codec(name).rate for name in settings.codecs))


async def _wait_for_calls(settings: PhoneSettings, wishes: _Wishes, tell: Tell) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Phone(settings) as phone:
        if await unless(stop, _open(phone, wishes, tell)) is None:
            return
        taken = 0
        while not stop.is_set() and (wishes.calls is None or taken < wishes.calls):
            taken += 1
            await unless(stop, _take(phone, wishes, taken, tell))


async def _open(phone: Phone, wishes: _Wishes, tell: Tell) -> bool:
    if wishes.register is None:
        tell(f"waiting for calls at sip:phone@{await phone.listen()}")
        return True
    name = callable_uri(wishes.register)
    registration = await phone.register(
        wishes.server or wishes.register, name.host, name.user or "", phone.settings.password or ""
    )

    def changed(refusal: SessionRefused | None) -> None:
        if refusal is not None:
            tell(f"the registration was not renewed: {refusal}" + ("" if registration.ended else "; trying again"))

    registration.on_change = changed
    tell(f"registered as {wishes.register} for {registration.expires} s, at {phone.address}; waiting for calls")
    return True


async def _take(phone: Phone, wishes: _Wishes, number: int, tell: Tell) -> None:
    """One call from ringing to its report."""
    if not wishes.answer:
        tell(f"refused: {await phone.refuse_call()}")
        return
    call = await phone.next_call(ring=wishes.ring, tell=tell)
    try:
        call.say(wishes.play)
        await until_over(call, wishes.seconds, False, finite=False)
    finally:
        await call.hang_up()
        _report(call, wishes.record, number, tell)


def _report(call: Conversation, record: Path | None, number: int, tell: Tell) -> None:
    report = call.report
    for line in report.lines():
        tell(line)
    if record is None:
        return
    path = record if number == 1 else record.with_stem(f"{record.stem}-{number}")
    soundfile.write(path, report.heard, report.rate, subtype="PCM_16", format="WAV")
    tell(f"recorded  {len(report.heard) / report.rate:.1f} s in {path}")
