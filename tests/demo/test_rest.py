"""The demo's client speaks Kazoo's envelope."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mirliton.demo.rest import Rest, RestRefused
from mirliton.demo.scene import set_up


class Recorder(BaseHTTPRequestHandler):
    """Answers what Kazoo would; keeps what was asked."""

    asked: list[tuple[str, str, str | None, Any]]

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = self.headers.get("X-Auth-Token")
        self.asked.append((self.command, self.path, token, json.loads(body) if body else None))
        refused = "broken" in self.path
        data: Any = [] if self.path.endswith("participants") else {"id": "c" * 32}
        text = json.dumps({"data": data, "auth_token": "TOKEN", "status": "success"}).encode()
        self.send_response(404 if refused else 201)
        self.end_headers()
        self.wfile.write(b'{"message":"bad_identifier"}' if refused else text)

    do_PUT = do_GET = answer  # noqa: N815 - the names that http.server wants

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Recorder.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


async def test_setting_up_makes_a_conference_and_a_number_that_leads_to_it(server: ThreadingHTTPServer) -> None:
    rest = Rest(f"127.0.0.1:{server.server_port}", "A")
    await rest.log_in("KEY")
    conference = await set_up(rest)
    assert await rest.participants(conference) == []
    await rest.act(conference, 7, "mute")
    login, document, callflow, look, mute = Recorder.asked
    assert login[:2] == ("PUT", "/v2/api_auth")
    assert login[3] == {"data": {"api_key": "KEY"}}
    assert document[:3] == ("PUT", "/v2/accounts/A/conferences", "TOKEN")
    assert document[3]["data"]["member"] == {"pins": ["2468"], "join_muted": False}
    assert callflow[3]["data"]["flow"] == {"module": "conference", "data": {"id": conference}, "children": {}}
    assert look[:2] == ("GET", f"/v2/accounts/A/conferences/{conference}/participants")
    assert mute[1:] == (
        f"/v2/accounts/A/conferences/{conference}/participants/7",
        "TOKEN",
        {"data": {"action": "mute"}},
    )


async def test_a_refusal_tells_the_servers_answer(server: ThreadingHTTPServer) -> None:
    rest = Rest(f"127.0.0.1:{server.server_port}", "broken")
    with pytest.raises(RestRefused, match=r"404 .*bad_identifier"):
        await rest.create("conferences", {})
