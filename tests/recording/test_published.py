"""What clients and callers get of a recording: over the REST API, in the sound library, in the numbers."""

import io

import numpy as np
import soundfile

from mirliton.recording.recordings import RecordingStatistics
from mirliton.recording.room_recording import Reason
from mirliton.server.telemetry import flat
from mirliton.sounds.decoding import decode_file
from tests.api.conftest import Api, api, settings  # noqa: F401 - the application is a fixture there

from .conftest import SECOND, Changes, Clock, FakeTap, ticks, tone
from .inline import recordings as inline_recordings


async def recorded(api: Api, clock: Clock, tap: FakeTap) -> str:  # noqa: F811
    recordings = inline_recordings(api.store, Changes(), clock)
    await recordings.open()
    running = await recordings.start(api.account.id, "c" * 32, "Weekly", tap)
    tap.feed(ticks(tone(1.0, 8000), 8000, clock.now))
    clock.now += SECOND
    media_id = await recordings.stop(running)
    await recordings.close()
    assert media_id is not None
    return media_id


async def test_a_recording_is_read_and_fetched_like_an_upload(api: Api, clock: Clock, tap: FakeTap) -> None:  # noqa: F811
    media_id = await recorded(api, clock, tap)
    document = (await api.call("GET", f"/media/{media_id}")).json()["data"]
    assert (document["media_source"], document["source_type"], document["source_id"]) == (
        "recording", "conference", "c" * 32,
    )  # fmt: skip
    answer = await api.call("GET", f"/media/{media_id}/raw")
    assert answer.headers["content-type"] == "audio/flac"
    assert len(answer.content) == document["content_length"]
    samples, rate = soundfile.read(io.BytesIO(answer.content), dtype="int16")
    assert len(samples) / rate == document["duration"] == 1.0
    rows = (await api.call("GET", f"/media?filter_source_id={'c' * 32}")).json()["data"]
    assert [(row["id"], row["duration"], row["start"]) for row in rows] == [(media_id, 1.0, document["start"])]


async def test_clients_may_rename_a_recording_and_not_say_where_it_is_from(
    api: Api,  # noqa: F811
    clock: Clock,
    tap: FakeTap,
) -> None:
    media_id = await recorded(api, clock, tap)
    before = (await api.call("GET", f"/media/{media_id}")).json()["data"]
    body = {"data": {"name": "Minutes", "media_source": "upload", "source_id": "x", "duration": 9, "start": 1}}
    for method in ("PATCH", "POST"):
        data = (await api.call(method, f"/media/{media_id}", body)).json()["data"]
        assert data["name"] == "Minutes"
        for key in ("media_source", "source_type", "source_id", "start", "duration", "content_type"):
            assert data[key] == before[key]


async def test_an_upload_may_say_where_it_is_from(api: Api) -> None:  # noqa: F811
    made = await api.make("media", name="hello", source_type="call", source_id="abc")
    assert (made["source_type"], made["source_id"], made["media_source"]) == ("call", "abc", "upload")
    answer = await api.call("PUT", "/media", {"data": {"name": "hello", "start": "yesterday"}})
    assert answer.status_code == 400
    assert "start" in answer.json()["data"]


async def test_a_recording_can_be_played_to_callers(api: Api, clock: Clock, tap: FakeTap) -> None:  # noqa: F811
    path = api.store.media.path(api.account.id, await recorded(api, clock, tap))
    assert path is not None
    played = decode_file(path, [8000, 16000], max_seconds=60, max_bytes=1_000_000)
    assert np.abs(played[8000][800:-800].astype(int) - tone(1.0, 8000)[800:-800]).max() < 100


async def test_deleting_a_recording_deletes_the_file(api: Api, clock: Clock, tap: FakeTap) -> None:  # noqa: F811
    media_id = await recorded(api, clock, tap)
    assert (await api.call("DELETE", f"/media/{media_id}")).status_code == 200
    assert api.store.media.path(api.account.id, media_id) is None


def test_the_numbers_have_plain_names() -> None:
    names = flat(RecordingStatistics())
    assert {f"ended_{reason.value}" for reason in Reason} <= set(names)
