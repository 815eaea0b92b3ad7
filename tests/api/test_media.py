"""Recordings: real files of every accepted format, and what is refused."""

import asyncio
import io

import numpy as np
import pytest
import soundfile

from .conftest import Api


def recording(form: str, seconds: float = 1.0, rate: int = 16000, subtype: str | None = None) -> bytes:
    """A tone in a file of this format."""
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
    buffer = io.BytesIO()
    soundfile.write(buffer, tone, rate, format=form, subtype=subtype)
    return buffer.getvalue()


async def upload(api: Api, media_id: str, body: bytes, method: str = "POST") -> tuple[int, dict[str, object]]:
    path = f"/v2/accounts/{api.account.id}/media/{media_id}/raw"
    headers = {"X-Auth-Token": api.token, "Content-Type": "audio/x-whatever"}
    answer = await api.http.request(method, path, content=body, headers=headers)
    return answer.status_code, answer.json()["data"]


@pytest.mark.parametrize(
    ("form", "subtype", "content_type"),
    [
        ("WAV", "PCM_16", "audio/wav"), ("WAV", "ULAW", "audio/wav"), ("FLAC", None, "audio/flac"),
        ("OGG", "VORBIS", "audio/ogg"), ("OGG", "OPUS", "audio/ogg"), ("MP3", None, "audio/mpeg"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_a_recording_comes_back_byte_for_byte(
    api: Api, form: str, subtype: str | None, content_type: str, method: str
) -> None:
    body = recording(form, subtype=subtype)
    made = await api.make("media", name="hello")
    code, data = await upload(api, made["id"], body, method)
    assert code == 200
    assert (data["content_type"], data["content_length"], data["rate"]) == (content_type, len(body), 16000)
    assert isinstance(data["duration"], float)
    assert abs(data["duration"] - 1) < 0.1
    answer = await api.call("GET", f"/media/{made['id']}/raw")
    assert (answer.content, answer.headers["content-type"]) == (body, content_type)
    assert api.store.media.path(api.account.id, made["id"]) is not None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"RIFF",
        b"not a sound" * 100,
        recording("WAV")[:30],
        recording("WAV", seconds=0),
        recording("AIFF"),
        recording("WAV", rate=1000),
    ],
)
async def test_what_is_no_recording_is_refused_and_the_old_one_stays(api: Api, body: bytes) -> None:
    made = await api.make("media", name="hello")
    good = recording("FLAC")
    await upload(api, made["id"], good)
    code, data = await upload(api, made["id"], body)
    assert code == 400
    assert "file" in data
    assert (await api.call("GET", f"/media/{made['id']}/raw")).content == good
    folder = api.store.data_dir / "media" / api.account.id
    assert [path.name for path in folder.iterdir()] == [made["id"]]


async def test_a_long_recording_is_refused_even_when_it_is_small(api: Api) -> None:
    made = await api.make("media", name="hello")
    code, data = await upload(api, made["id"], recording("FLAC", seconds=3.2, rate=8000))
    assert code == 400
    assert "longer than 3 seconds" in str(data["file"])


async def test_a_large_recording_is_413_and_leaves_nothing_behind(api: Api) -> None:
    made = await api.make("media", name="hello")
    assert (await upload(api, made["id"], b"x" * 400_001))[0] == 413
    assert (await api.call("GET", f"/media/{made['id']}/raw")).status_code == 404
    folder = api.store.data_dir / "media" / api.account.id
    assert list(folder.iterdir()) == []


async def test_a_recording_needs_a_document_and_a_token(api: Api) -> None:
    assert (await upload(api, "0" * 32, recording("WAV")))[0] == 404
    assert (await upload(api, "..%2f..%2fx", recording("WAV")))[0] == 404
    made = await api.make("media", name="hello")
    api.token = "wrong"
    assert (await upload(api, made["id"], recording("WAV")))[0] == 401


async def test_the_file_goes_with_its_document(api: Api) -> None:
    made = await api.make("media", name="hello")
    await upload(api, made["id"], recording("WAV"))
    await api.call("DELETE", f"/media/{made['id']}")
    assert api.store.media.path(api.account.id, made["id"]) is None
    assert (await api.call("GET", f"/media/{made['id']}/raw")).status_code == 404


async def test_clients_cannot_say_what_the_file_is(api: Api) -> None:
    made = await api.make("media", name="hello", content_type="text/html", duration=1)
    assert not {"content_type", "duration"} & set(made)
    await upload(api, made["id"], recording("WAV"))
    patch = {"data": {"content_type": "text/html", "duration": None}}
    data = (await api.call("PATCH", f"/media/{made['id']}", patch)).json()["data"]
    assert (data["content_type"], data["duration"]) == ("audio/wav", 1.0)


async def test_concurrent_uploads_leave_one_whole_recording(api: Api) -> None:
    made = await api.make("media", name="hello")
    bodies = [recording("WAV", seconds=0.2 + n / 10) for n in range(6)]
    results = await asyncio.gather(*(upload(api, made["id"], body) for body in bodies))
    assert {code for code, _ in results} == {200}
    assert (await api.call("GET", f"/media/{made['id']}/raw")).content in bodies
