"""The envelope, the verbs, and every way in which a request can be malformed."""

import json
import re
from collections.abc import AsyncIterator

import pytest

from .conftest import Api


async def test_a_success_has_the_common_fields(api: Api) -> None:
    made = await api.make("conferences", name="x")
    answer = await api.call("GET", f"/conferences/{made['id']}")
    body = answer.json()
    assert set(body) == {
        "data", "status", "request_id", "revision", "auth_token", "tokens", "node", "timestamp", "version",
    }  # fmt: skip
    assert body["status"] == "success"
    assert answer.headers["etag"] == f'"{body["revision"]}"'
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body["timestamp"])
    assert answer.headers["x-request-id"] == body["request_id"]


async def test_a_failure_has_its_code_as_text(api: Api) -> None:
    body = (await api.call("POST", f"/conferences/{'0' * 32}", {"data": {"name": "x"}})).json()
    assert (body["status"], body["error"], body["message"]) == ("error", "404", "bad_identifier")
    assert body["data"]["cause"] == "0" * 32
    assert set(body) >= {"request_id", "node", "timestamp", "tokens"}


async def test_the_client_may_name_the_request(api: Api) -> None:
    assert (await api.call("GET", "", headers={"X-Request-ID": "mine-1"})).json()["request_id"] == "mine-1"
    assert (await api.call("GET", "", headers={"X-Request-ID": "<script>"})).json()["request_id"] != "<script>"


@pytest.mark.parametrize("options", [{"params": {"pretty_print": "true"}}, {"headers": {"X-Pretty-Print": "true"}}])
async def test_pretty_print_spreads_the_answer_over_lines(api: Api, options: dict[str, dict[str, str]]) -> None:
    assert "\n" not in (await api.call("GET", "")).text
    assert "\n" in (await api.call("GET", "", **options)).text


async def test_jsonp_wraps_for_safe_names_only(api: Api) -> None:
    answer = await api.call("GET", "", params={"jsonp": "app.take"})
    assert answer.text.startswith("/**/app.take({")
    assert answer.headers["content-type"].startswith("application/javascript")
    for name in ("alert(1)//", "", "a" * 100):
        assert (await api.call("GET", "", params={"jsonp": name})).json()["status"] == "success"


async def test_a_post_may_stand_for_another_verb(api: Api) -> None:
    made = await api.make("conferences", name="x", language="de-de")
    path = f"/conferences/{made['id']}"
    answer = await api.call("POST", path, {"data": {"name": "y"}, "verb": "PATCH"})
    assert (answer.json()["data"]["name"], answer.json()["data"]["language"]) == ("y", "de-de")
    assert (await api.call("POST", path, params={"verb": "delete"})).json()["data"]["_read_only"]["deleted"] is True
    for verb in ("BREW", 5, ["GET"]):
        assert (await api.call("POST", path, {"data": {}, "verb": verb})).status_code == 405


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/conferences", "GET, PUT"),
        ("POST", "/conferences", "GET, PUT"),
        ("PUT", "/callflows/" + "0" * 32, "DELETE, GET, PATCH, POST"),
        ("DELETE", "", "GET, PATCH, POST"),
        ("POST", "/conferences/x/participants", "GET, PUT"),
        ("OPTIONS", "/conferences", "GET, PUT"),
        ("GET", "/v2/api_auth", "PUT"),
    ],
)
async def test_a_verb_without_meaning_is_405(api: Api, method: str, path: str, allowed: str) -> None:
    answer = await api.call(method, path)
    assert (answer.status_code, answer.json()["message"], answer.headers["allow"]) == (405, "invalid_method", allowed)


@pytest.mark.parametrize("path", ["/v2/songs", "/", "/v1/accounts", "/conferences/x/participants/1/more", "/songs"])
async def test_a_path_without_meaning_is_a_faulty_request(api: Api, path: str) -> None:
    answer = (
        await api.http.get(path) if path.startswith(("/v", "/songs")) or path == "/" else await api.call("GET", path)
    )
    assert (answer.status_code, answer.json()["message"]) == (404, "faulty_request")
    assert answer.json()["error"] == "404"


async def test_an_unusual_method_is_answered_in_the_same_shape(api: Api) -> None:
    answer = await api.http.request("TRACE", "/v2/schemas")
    assert (answer.status_code, answer.json()["message"]) == (405, "invalid_method")


async def test_a_slash_at_the_end_changes_nothing(api: Api) -> None:
    assert (await api.call("GET", "/conferences/")).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"nonsense", b"\xff\xfe", b"[1]", b'"x"', b"5", b'{"data": NaN}', b'{"data": {"a": 1e999}}',
        b'{"data": "\\ud800"}', b'{"data": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"data": ' + b"[" * 101 + b"]" * 101 + b"}", b'{"data": {"a": 99999999999999999999}}', b"\x00",
    ],
)  # fmt: skip
async def test_a_malformed_body_is_told_so(api: Api, body: bytes) -> None:
    path = f"/v2/accounts/{api.account.id}/conferences"
    answer = await api.http.put(path, content=body, headers={"X-Auth-Token": api.token})
    assert (answer.status_code, answer.json()["message"]) == (400, "validation error")
    assert answer.json()["data"]["json"]["invalid"]["target"] == "body"


@pytest.mark.parametrize("data", ["x", 5, None, True])
async def test_data_is_an_object_or_a_list(api: Api, data: object) -> None:
    answer = await api.call("PUT", "/conferences", {"data": data})
    assert answer.status_code == 400
    assert answer.json()["data"]["data"]["type"]["target"] == ["object", "array"]


async def test_a_document_is_an_object(api: Api) -> None:
    assert "type" in (await api.call("PUT", "/conferences", {"data": [{"name": "x"}]})).json()["data"]["data"]


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_limit_is_413(api: Api, declared: bool) -> None:
    text = json.dumps({"data": {"name": "x", "own": "x" * 100_000}}).encode()

    async def chunks() -> AsyncIterator[bytes]:
        yield text

    headers = {"X-Auth-Token": api.token}
    path = f"/v2/accounts/{api.account.id}/conferences"
    answer = await api.http.put(path, content=text if declared else chunks(), headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (413, "413")
    assert (await api.call("GET", "/conferences")).json()["data"] == []


async def test_health_and_metrics_need_no_token(api: Api) -> None:
    await api.call("GET", "/conferences")
    assert (await api.http.get("/healthz")).json() == {"status": "ok"}
    text = (await api.http.get("/metrics")).text
    assert 'mirliton_http_requests_total{code="200",route="/accounts/{account_id}/conferences",verb="GET"} 1.0' in text


async def test_a_fault_is_a_kazoo_shaped_500_with_one_log_line(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("room on fire")

    api.rooms.snapshot = broken  # type: ignore[method-assign, assignment]
    answer = await api.call("GET", "/conferences/adhoc", headers={"X-Request-ID": "fault-1"})
    assert (answer.status_code, answer.json()["message"]) == (500, "unspecified_fault")
    assert "fault-1" in answer.json()["data"]["message"]
    assert "on fire" not in answer.text
    logged = capsys.readouterr().out
    assert logged.count("request met a fault") == 1
    assert "fault-1" in logged
    assert "mirliton_http_faults_total 1.0" in (await api.http.get("/metrics")).text
