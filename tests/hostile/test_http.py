"""Requests that no client sends: each gets an answer in Kazoo's shape, and none is a fault of the server."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from mirliton.api.body import read_envelope
from mirliton.api.errors import ApiError

JSON = {"Content-Type": "application/json"}

BODIES: dict[str, bytes] = {
    "not a number": b'{"data":{"name":NaN}}',
    "infinite": b'{"data":{"name":"x","max_members":1e999}}',
    "long number": b'{"data":{"name":"x","max_members":' + b"9" * 5000 + b"}}",
    "deep list": b'{"data":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "deep object": b'{"data":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001,
    "surrogate": b'{"data":{"name":"\\ud800"}}',
    "surrogate key": b'{"data":{"name":"x","\\udfff":1}}',
    "no UTF-8": b'{"data":{"name":"\xff"}}',
    "other UTF": '{"data":{"name":"x"}}'.encode("utf-16"),
    "list": b"[]",
    "text": b'{"data":"x"}',
    "nothing": b"",
    "types of PINs": b'{"data":{"name":"x","member":{"pins":[1,null,true,{}]}}}',
    "PIN of other digits": '{"data":{"name":"x","member":{"pins":["\u0661"]}}}'.encode(),
    "number with NUL": b'{"data":{"name":"x","conference_numbers":["1\\u0000"]}}',
}


@pytest.mark.parametrize("kind", BODIES)
def test_bodies_that_cannot_be_stored_are_refused(rest: httpx.Client, kind: str) -> None:
    answer = rest.put("/conferences", content=BODIES[kind], headers=JSON)
    assert answer.status_code == 400, answer.text[:200]
    assert answer.json()["status"] == "error"


@pytest.mark.parametrize("size", [300_000, 9_000_000])
def test_a_document_that_is_too_large_is_refused(rest: httpx.Client, size: int) -> None:
    answer = rest.put("/conferences", json={"data": {"name": "x", "more": "y" * size}})
    assert answer.status_code == 413
    assert answer.json()["message"] == "too_large"


def test_a_conference_cannot_have_all_numbers(rest: httpx.Client) -> None:
    document = {"name": "x", "conference_numbers": [str(number) for number in range(20_000)]}
    assert rest.put("/conferences", json={"data": document}).status_code == 400


def test_a_document_cannot_grow_too_large(rest: httpx.Client) -> None:
    made = rest.put("/conferences", json={"data": {"name": "grows"}}).json()["data"]["id"]
    answer = rest.patch(f"/conferences/{made}", json={"data": {"more": "y" * 300_000}})
    assert answer.status_code == 413
    assert "more" not in rest.get(f"/conferences/{made}").json()["data"]


PATHS = [
    "/media/%2e%2e%2f%2e%2e%2fetc%2fpasswd/raw", "/media/%00/raw", "/conferences/%00", "/conferences/%ed%a0%80",
    "/conferences/%ff", "/conferences/%2F", "/conferences/" + "a" * 50_000, "/conferences/a%0d%0aX:y",
    "/conferences/x/participants/" + "9" * 20, "/conferences/x/participants/%D9%A1", "/config/..%2f..%2fx",
    "/config/conferences%00", "/callflows/%00", "/devices/%00", "/users/%00",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:32])
@pytest.mark.parametrize("verb", ["GET", "PUT", "POST", "PATCH", "DELETE"])
def test_paths_that_lead_nowhere_find_nothing(rest: httpx.Client, verb: str, path: str) -> None:
    answer = rest.request(verb, path, content=b'{"data":{}}', headers=JSON)
    assert answer.status_code in (200, 400, 404, 405)
    assert "root:" not in answer.text


QUERIES = [
    "a=" + "x" * 50_000, "filter_" + "a." * 20_000 + "=1", "filter_name=%00", "filter_name=%ed%a0%80", "page_size=-1",
    "page_size=" + "9" * 15, "page_size=%D9%A1", "start_key=%ff%fe", "start_key=" + "QUFB" * 10_000,
    "start_key=OTk5OTk5OTk5OTk5OTk5OTk5OS5h", "created_from=" + "9" * 15, "&".join(f"filter_{i}=1" for i in range(51)),
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query[:32])
def test_queries_that_mean_nothing_are_answered(rest: httpx.Client, query: str) -> None:
    assert rest.get(f"/conferences?{query}").status_code in (200, 400)


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "a" * 50_000, "\xff", "eyJhbGciOiJub25lIn0.e30."])
def test_tokens_that_are_none_are_refused(rest: httpx.Client, token: str) -> None:
    headers = {b"X-Auth-Token": token.encode("latin-1")}
    assert rest.get("/conferences", headers=headers).status_code == 401


def test_other_accounts_are_not_there(rest: httpx.Client) -> None:
    base = str(rest.base_url).rstrip("/").rpartition("/")[0]
    for other in ("a" * 32, "%00", "..%2f"):
        assert rest.get(f"{base}/{other}/conferences").status_code in (403, 404)


def test_changes_at_once_are_made_one_after_the_other(rest: httpx.Client) -> None:
    made = rest.put("/conferences", json={"data": {"name": "race"}}).json()["data"]["id"]

    def change(at: int) -> int:
        return rest.patch(f"/conferences/{made}", json={"data": {f"x{at}": at}}).status_code

    def create(_: int) -> int:
        return rest.put("/conferences", json={"data": {"name": "race", "conference_numbers": ["5550177"]}}).status_code

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(change, range(16))) == {200}
        assert sorted(threads.map(create, range(8))) == [201] + [400] * 7
    stored = rest.get(f"/conferences/{made}").json()["data"]
    assert all(stored[f"x{at}"] == at for at in range(16))


@pytest.mark.looptime
async def test_a_body_that_trickles_is_given_up() -> None:
    async def trickle() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(1)
            yield b" "

    with pytest.raises(ApiError) as refused:
        await read_envelope(trickle(), 1_000_000)
    assert refused.value.code == 408
    assert asyncio.get_running_loop().time() < 60


def test_a_rejected_upload_leaves_the_document_without_a_file(rest: httpx.Client) -> None:
    made = rest.put("/media", json={"data": {"name": "broken"}}).json()["data"]["id"]
    broken: list[Any] = [
        b"<html>",
        b"\xff\xfb\x90\x00" * 5000,
        b"RIFF\xff\xff\xff\xffWAVE",
        b"OggS\x00\x02" + bytes(20) + b"\x80theora",
    ]
    for body in broken:
        assert rest.post(f"/media/{made}/raw", content=body).status_code == 400
    oversize = (bytes(65_536) for _ in range(600))
    assert rest.post(f"/media/{made}/raw", content=oversize).status_code == 413
    assert rest.get(f"/media/{made}/raw").status_code == 404
