"""rest.md: every path and verb, with curl lines that can be run one after the other."""

import json
import re
from collections.abc import Iterator
from typing import Any

from mirliton.api.app import ROUTES
from mirliton.api.openapi import SECTIONS, Example, Operation
from mirliton.api.openapi.document import QUERY, codes

HEAD = """# REST API

Made by `make reference` from the routes: do not edit. Programs read the same as OpenAPI at `GET /v2/openapi.json`.

Every body is an object around `data`; so is every answer, with `status`, `request_id`, `revision`. Failures have
`status` `error`, the code as `error`, a short name as `message`, and in `data` what is wrong: for 400 by dotted path,
then by code. Times are Gregorian seconds (UNIX + 62 167 219 200). Besides what stands at each request, every one can
answer 400, 408, 413, 503, and where a token is needed 401. Outside `/v2`, and without a token: `GET /healthz`, and
`GET /metrics` for Prometheus.

The lines below run in this order against a server of your own. `$A` (`account_id`), `$KEY` (`api_key`), `$LOGIN`
(`username`) and `$PASSWORD` come from `mirliton-data/credentials.json`; besides:

```
URL=http://127.0.0.1:8000/v2
SIP=127.0.0.1:5060
```
"""
COMMON = {400, 401, 408, 413, 503, 304, 423}
_NAME = re.compile(r'"([#$])(\w+)"')


def rest_page() -> str:
    """The page."""
    return "\n".join([HEAD, *(line for section in SECTIONS for line in _section(section))]).rstrip() + "\n"


def _section(section: Any) -> Iterator[str]:
    yield f"## {section.title}\n"
    yield f"{section.text}\n"
    for (path, verb), told in section.operations.items():
        yield from _operation(path, verb, told)


def _operation(path: str, verb: str, told: Operation) -> Iterator[str]:
    route = next(route for route in ROUTES if route.path == path and verb in route.handlers)
    yield f"### {told.summary}\n"
    yield f"`{verb} /v2{path}`{' (no token)' if route.public else ''}\n"
    if told.text:
        yield f"{told.text}\n"
    if told.query:
        yield "\n".join(f"- `{name}`: {QUERY[name][1]}" for name in told.query) + "\n"
    for example in told.examples:
        yield from _example(path, verb, told, example, public=route.public)
    refusals = [str(code) for code in codes(route, verb, told) if code >= 400 and code not in COMMON]
    shown = {str(example.code) for example in told.examples}
    if others := [code for code in refusals if code not in shown]:
        yield f"Can be refused with {', '.join(others)}.\n"


def _example(path: str, verb: str, told: Operation, example: Example, *, public: bool) -> Iterator[str]:
    if example.title:
        yield f"{example.title}:\n"
    if example.calls:
        yield "\n".join(["Some people call:\n", "```sh", *example.calls, "```\n", "And when all are in:\n"])
    yield "\n".join(["```sh", *example.before, curl(path, verb, told, example, public=public), "```\n"])
    kept = "; ".join(f"`{name}` is `{place}` of the answer" for name, place in example.keeps.items())
    yield f"Answers `{example.code or told.code}`." + (f" {kept}." if kept else "") + "\n"


def curl(path: str, verb: str, told: Operation, example: Example, *, public: bool) -> str:
    """One line of shell."""
    values = {"account_id": "$A", **example.path}
    url = re.sub(r"\{(\w+)\}", lambda gap: values[gap[1]], path)
    words = ["curl", "-s"] if verb == "GET" else ["curl", "-s", "-X", verb]
    words.append(f'"$URL{url}{example.query}"')
    if not public:
        words.append(f'-H "X-Auth-Token: ${example.bearer}"')
    if example.raw is not None:
        words.append(f"--data-binary @{example.raw}")
    elif example.body is not None:
        words.append(f"-H 'Content-Type: application/json' -d {_body(example.body)}")
    if told.binary:
        words.append("-o downloaded.wav")
    return " ".join(words)


def _body(body: Any) -> str:
    """JSON in single quotes, which are left for the names of the shell."""

    def named(gap: re.Match[str]) -> str:
        inside = f"""'"${gap[2]}"'"""
        return inside if gap[1] == "#" else f'"{inside}"'

    return "'" + _NAME.sub(named, json.dumps(body)) + "'"
