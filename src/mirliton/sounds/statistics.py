"""What the sound library counts since the start."""

from dataclasses import dataclass, field

FETCH_FAILURES = ("address", "connection", "time", "size", "status", "content", "disk", "busy", "off")
SPEECH_FAILURES = ("missing", "length", "voice", "time", "engine", "busy")


@dataclass(slots=True)
class LibraryStatistics:
    """Counters; `kept_bytes` (decoded, in memory) and `cache_bytes` (on disk) are sizes at present.

    `fetched`: files that came in whole. `revalidated`: the web server said that the copy is still good. `cached`: no
    server was asked. `stale`: an old copy was played because the server failed. `spoken`: texts rendered to speech.
    `stations`: radio stations that are listened to at present. `station_connections`: how often one answered with
    sound. `station_losses`: connections that ended after that, or failed when it was asked again. `station_gaps`:
    silences because sound came too late. `station_throttled`: pieces that were made to wait for coming too fast.
    `language_fallbacks`: prompts played in another language than the one asked for.
    """

    resolved: int = 0
    decoded: int = 0
    failed: int = 0
    kept_bytes: int = 0
    fetched: int = 0
    revalidated: int = 0
    cached: int = 0
    stale: int = 0
    fetch_failed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FETCH_FAILURES, 0))
    spoken: int = 0
    speech_failed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPEECH_FAILURES, 0))
    stations: int = 0
    station_connections: int = 0
    station_losses: int = 0
    station_gaps: int = 0
    station_throttled: int = 0
    language_fallbacks: int = 0
    cache_bytes: int = 0
    cache_evicted: int = 0
