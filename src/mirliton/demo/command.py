"""`mirliton demo`: runs the scene against a server of its own and checks by measurement that it went well."""

import asyncio
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

import soundfile
import structlog

from mirliton.demo.picture import NoPictures, draw
from mirliton.demo.rest import Rest, RestRefused
from mirliton.demo.scene import NUMBER, PIN, NotJoined, Scene, play_scene, set_up
from mirliton.demo.server import Server, ServerFailed, serve
from mirliton.demo.stage import Stage
from mirliton.demo.verification import verify
from mirliton.demo.voices import RATE, load_voices
from mirliton.phone.phone import CallFailed


def run_demo(out_dir: Path, *, stay: bool = False) -> int:
    """Run the whole demo; returns 0 when everybody heard the others and nobody themselves, else 1."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("warning"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    out_dir.mkdir(parents=True, exist_ok=True)
    stage = Stage()
    try:
        return asyncio.run(_demo(out_dir, stage, stay))
    except (ServerFailed, CallFailed, NotJoined, RestRefused, OSError) as error:
        stage.say(f"the demo failed: {error}", style="bold red")
        stage.say(f"the server's log is {out_dir / 'server.log'}")
        return 1
    except KeyboardInterrupt:
        return 130


async def _demo(out_dir: Path, stage: Stage, stay: bool) -> int:
    start = time.monotonic()
    with stage.open():
        async with AsyncExitStack() as stack:
            with stage.task("starting a server (the first time it compiles the audio engine)"):
                server = await stack.enter_async_context(serve(out_dir / "server.log"))
            stage.say(f"the server is ready after {time.monotonic() - start:.1f} s: {server.http}, sip {server.sip}")
            scene = await _meet(server, stage)
            good = await asyncio.to_thread(_judge, scene, out_dir, stage)
            stage.say(f"done in {time.monotonic() - start:.0f} s")
            if stay:
                await _stay(server, stage)
    _say_goodbye(out_dir, stage)
    return 0 if good else 1


async def _meet(server: Server, stage: Stage) -> Scene:
    rest = Rest(server.http, server.account_id)
    await rest.log_in(server.api_key)
    conference = await set_up(rest)
    stage.say(f"created over REST: a conference with the PIN {PIN}, and the number {NUMBER} that leads to it")
    return await play_scene(load_voices(), server.sip, rest, conference, stage)


def _judge(scene: Scene, out_dir: Path, stage: Stage) -> bool:
    """Write the files, measure, tell. True when all is as it should be."""
    for name, recording in scene.heard.items():
        soundfile.write(out_dir / f"{name.lower()}.wav", recording, RATE, subtype="PCM_16")
    with stage.task("looking for every sentence in every recording"):
        findings = verify(scene)
    for finding in findings:
        stage.say(finding.line(), style="" if finding.good else "bold red")
    good = all(finding.good for finding in findings)
    verdict = "everybody heard the others, and nobody themselves"
    stage.say(verdict if good else f"it is not so that {verdict}", style="bold green" if good else "bold red")
    with stage.task("drawing what they heard"):
        try:
            draw(scene, out_dir / "picture.png")
        except NoPictures as missing:
            stage.say(str(missing))
    return good


async def _stay(server: Server, stage: Stage) -> None:
    stage.say(f"the room stays open: call sip:{NUMBER}@{server.sip} and key in {PIN}# (Ctrl-C ends it)")
    stage.say(f"with the built-in phone: mirliton call sip:{NUMBER}@{server.sip} --digits {PIN}#@1 --play tone:440")
    with stage.task("open"):
        await asyncio.Event().wait()


def _say_goodbye(out_dir: Path, stage: Stage) -> None:
    files = ", ".join(sorted(path.name for path in out_dir.iterdir() if path.suffix in (".wav", ".png")))
    stage.say(f"what they heard is in {out_dir}/: {files}")
    stage.say("Dial in yourself: run `mirliton demo --stay`, then call the address it shows with any softphone")
    stage.say(f"(no account or password needed on this machine; UDP or TCP; PIN {PIN}, then #).")
    stage.say('For a room of your own: README.md, "First call in five minutes".')
