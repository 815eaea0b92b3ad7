"""The pages of docs/reference that are made from the code are up to date, and what they show works."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from mirliton.api.app import ROUTES
from mirliton.api.openapi import openapi_document
from tests.calls.serving import Server, serving

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "rest.md"
DOCUMENT = openapi_document(ROUTES)
PRESENT_SECONDS = 30.0
_BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:\nAnswers `(\d{3})`\.([^\n]*))?", re.MULTILINE | re.DOTALL)
_PLACE = re.compile(r"^`([A-Z]+) (/v2/\S*)`", re.MULTILINE)
_KEPT = re.compile(r"`(\w+)` is `([\w.]+)` of the answer")
# The answer's code goes where no body can be taken for it.
_CURL = 'curl() { command curl -sS -w "%{stderr}CODE=%{http_code}" "$@"; }\n'


def test_the_pages_are_what_the_code_says() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tools")}
    done = subprocess.run(
        [sys.executable, "-m", "reference", "--check"], capture_output=True, env=environment, text=True
    )
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True, slots=True)
class Step:
    """One block of shell; `code` None: calls that stay."""

    line: int
    shell: str
    code: str | None
    keeps: dict[str, str]
    place: tuple[str, str]


def steps() -> list[Step]:
    text = PAGE.read_text(encoding="utf-8")
    return [
        Step(
            text.count("\n", 0, found.start()) + 1,
            found[1],
            found[2],
            dict(_KEPT.findall(found[3] or "")),
            _PLACE.findall(text, 0, found.start())[-1],
        )
        for found in _BLOCK.finditer(text)
    ]


def as_described(step: Step, answer: bytes) -> None:
    """The answer has the shape that the OpenAPI document promises."""
    verb, path = step.place
    content = DOCUMENT["paths"][path][verb.lower()]["responses"][step.code]["content"].get("application/json")
    if content is not None:  # else a file
        rules = {**content["schema"], "components": DOCUMENT["components"]}
        jsonschema_rs.Draft202012Validator(rules).validate(json.loads(answer))


@dataclass
class Reader:
    """Somebody who tries one line of the page after the other."""

    folder: Path
    names: dict[str, str]
    phones: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def follow(self, step: Step) -> None:
        if step.code is None:
            self.call(step)
            return
        done = subprocess.run(
            ["bash", "-c", _CURL + step.shell], cwd=self.folder, env=self.environment(), capture_output=True, timeout=60
        )
        code = done.stderr.decode().rpartition("CODE=")[2]
        assert code == step.code, f"rest.md:{step.line}: {code} and not {step.code}\n{step.shell}{done.stdout.decode()}"
        as_described(step, done.stdout)
        for name, place in step.keeps.items():
            self.names[name] = str(_at(json.loads(done.stdout), place))

    def call(self, step: Step) -> None:
        lines = step.shell.splitlines()
        for line in lines:
            assert line.startswith("mirliton call ") and line.endswith(" &"), line
            command = ["bash", "-c", f"exec {line.removesuffix(' &')}"]
            with (self.folder / "calls.log").open("ab") as log:
                self.phones.append(
                    subprocess.Popen(command, cwd=self.folder, env=self.environment(), stdout=log, stderr=log)
                )
        self.until_present(len(lines))

    def until_present(self, count: int) -> None:
        url = f"{self.names['URL']}/accounts/{self.names['A']}/conferences/sales/participants"
        deadline = time.monotonic() + PRESENT_SECONDS
        while True:  # starting a phone and asking takes its time: this is no busy waiting
            answer = httpx.get(url, headers={"X-Auth-Token": self.names["TOKEN"]})
            if len(answer.json()["data"]) == count:
                return
            assert time.monotonic() < deadline, f"{answer.text}\n{(self.folder / 'calls.log').read_text()}"

    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return os.environ | self.names | {"PATH": path}


def _at(value: Any, place: str) -> Any:
    for part in place.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("reference")) as running:
        yield running


@pytest.fixture
def reader(server: Server, tmp_path: Path) -> Iterator[Reader]:
    credentials = json.loads((server.log.parent / "data" / "credentials.json").read_text())
    names = {
        "URL": f"http://{server.http}/v2",
        "SIP": f"{server.sip[0]}:{server.sip[1]}",
        "A": credentials["account_id"],
        "KEY": credentials["api_key"],
        "LOGIN": credentials["username"],
        "PASSWORD": credentials["password"],
    }
    reader = Reader(tmp_path, names)
    yield reader
    for phone in reader.phones:
        phone.kill()
        phone.wait()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_line_of_the_rest_reference_runs_and_answers_as_it_says(reader: Reader) -> None:
    found = steps()
    assert (
        sum(step.shell.count("curl -s") for step in found) == PAGE.read_text(encoding="utf-8").count("\ncurl -s") > 80
    )
    for step in found:
        reader.follow(step)
