"""The command line. Each command's work is elsewhere; here are its words.

What takes long to load is loaded by the command that needs it: a phone should not wait for a server.
"""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from mirliton.benchmark.command import bench
from mirliton.phone.answering_command import phone
from mirliton.phone.command import call
from mirliton.settings import Settings, load_settings

app = typer.Typer(
    help="A conference bridge that speaks Kazoo: SIP calls in, mixed rooms, Kazoo's REST API.",
    epilog="Example: mirliton serve --data ./mirliton-data --sip 0.0.0.0:5060 --rtp 0.0.0.0:10000-10031",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command(epilog="Example: mirliton call sip:3000@127.0.0.1:5060 --play tone:440 --digits '2468#@4' --seconds 20")(
    call
)
app.command(epilog="Example: mirliton phone --register sip:desk@127.0.0.1:5060 --password secret --play tone:440")(
    phone
)
app.command(epilog="Example: mirliton bench --codec pcmu --scenario rooms-of-10")(bench)


def _settings(config: Path | None, flags: dict[str, Any]) -> Settings:
    """Settings from file, environment and flags, or the end of the command with what is wrong."""
    try:
        return load_settings(config, **flags)
    except (ValidationError, FileNotFoundError, ValueError) as problem:
        if isinstance(problem, ValidationError):
            lines = [f"{'.'.join(map(str, e['loc']))}: {_wrong(e['type'], e['msg'])}" for e in problem.errors()]
        else:
            lines = [str(problem)]
        typer.echo("mirliton: the settings cannot be used\n  " + "\n  ".join(lines), err=True)
        raise typer.Exit(2) from None


def _wrong(kind: str, message: str) -> str:
    """What is wrong with one setting, in words for operators."""
    return "no such setting: see docs/mirliton.sample.toml" if kind == "extra_forbidden" else message


@app.command(epilog="Example: mirliton serve --config mirliton.toml --http 127.0.0.1:8000")
def serve(
    config: Annotated[Path | None, typer.Option(help="Settings file; see docs/mirliton.sample.toml.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder for documents, media and credentials.json.")] = None,
    http: Annotated[str | None, typer.Option(help="HOST:PORT of the REST API.")] = None,
    sip: Annotated[str | None, typer.Option(help="HOST:PORT of SIP, UDP and TCP.")] = None,
    rtp: Annotated[str | None, typer.Option(help="HOST:FIRST-LAST, the ports of audio.")] = None,
) -> None:
    """Take calls. Prints `mirliton ready ...` when it can; SIGTERM ends it, calls get BYE."""
    flags: dict[str, Any] = {}
    if data is not None:
        flags["data"] = data
    for section, listen in (("http", http), ("sip", sip), ("rtp", rtp)):
        if listen is not None:
            flags[section] = {"listen": listen}
    settings = _settings(config, flags)
    import uvloop

    from mirliton.server import serve as run_server
    from mirliton.server.telemetry import configure_logging

    try:
        configure_logging(settings.log_level, settings.log_json)
        uvloop.run(run_server(settings))
    except (OSError, ValueError) as problem:
        why = problem.strerror if isinstance(problem, OSError) and problem.strerror else problem
        typer.echo(f"mirliton: cannot start: {why}", err=True)
        raise typer.Exit(1) from problem


@app.command(epilog="Example: mirliton demo --out ./demo")
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the recordings and the picture.")] = Path("demo"),
    stay: Annotated[bool, typer.Option("--stay", help="Keep the room open afterwards, until Ctrl-C.")] = False,
) -> None:
    """Three callers meet in a conference before your eyes; takes about a minute."""
    from mirliton.demo.command import run_demo

    raise typer.Exit(run_demo(out, stay=stay))


@app.command(epilog="Example: mirliton check conference.json callflow.json")
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="JSON files; - is not read.")],
    kind: Annotated[str | None, typer.Option(help="What the files hold, when their shape does not tell.")] = None,
) -> None:
    """Validate conference, callflow and profile documents; exit 1 and say where and why."""
    from mirliton.check.files import check_files

    try:
        raise typer.Exit(check_files(files, sys.stdout, kind))
    except ValueError as problem:
        typer.echo(f"mirliton: {problem}", err=True)
        raise typer.Exit(2) from problem


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mirliton {version('mirliton')}")
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""


def main() -> None:
    """The console script."""
    app()
