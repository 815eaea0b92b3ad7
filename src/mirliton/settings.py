"""One settings object for the whole server: a TOML file, then environment (`MIRLITON_SIP__LISTEN=…`), then flags.

`docs/mirliton.sample.toml` shows every key with its default and reason; a test keeps the two together.
"""

from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


def split_address(text: str) -> tuple[str, int]:
    """`"127.0.0.1:5060"` -> `("127.0.0.1", 5060)`; raises `ValueError` with what is wrong."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is not HOST:PORT")
    return host or "0.0.0.0", int(port)  # noqa: S104 - an empty host means every interface, as for other servers


def split_port_range(text: str) -> tuple[str, int, int]:
    """`"127.0.0.1:10000-10031"` -> `("127.0.0.1", 10000, 10031)`; raises `ValueError`."""
    host, _, span = text.rpartition(":")
    first, dash, last = span.partition("-")
    if not (host and dash and first.isdigit() and last.isdigit() and 0 < int(first) < int(last) <= 65535):
        raise ValueError(f"{text!r} is not HOST:FIRST-LAST")
    return host, int(first), int(last)


def _checked(split: Callable[[str], object]) -> AfterValidator:
    def check(text: str) -> str:
        split(text)
        return text

    return AfterValidator(check)


HostPort = Annotated[str, _checked(split_address)]
HostPorts = Annotated[str, _checked(split_port_range)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class HttpSettings(_Section):
    """The REST API, metrics and events."""

    listen: HostPort = "127.0.0.1:8000"
    max_body_bytes: int = 8_000_000
    max_media_bytes: int = 32_000_000
    token_lifetime_seconds: int = 3600
    page_size: int = 50
    max_page_size: int = 500
    auth_attempts_per_minute: int = 60


class SipSettings(_Section):
    """SIP over UDP and TCP (RFC 3261)."""

    listen: HostPort = "127.0.0.1:5060"
    public_address: str | None = None
    trusted: list[IPv4Network] = [IPv4Network("127.0.0.0/8")]
    max_calls: int = 1000
    max_invites_per_second: int = 200
    retry_after_seconds: int = 5
    max_transactions: int = 20_000
    max_connections: int = 2000
    max_message_bytes: int = 65_535
    session_expires_seconds: int = 1800
    min_session_expires_seconds: int = 90
    digest_algorithms: list[Literal["MD5", "SHA-256"]] = ["MD5"]
    nonce_lifetime_seconds: int = 300
    max_registrations: int = 10_000
    max_registrations_per_account: int = 5000
    register_expires_seconds: int = 3600
    min_register_expires_seconds: int = 60
    link_attempts_per_minute: int = 30


Codec = Literal["OPUS", "G722", "PCMU", "PCMA", "L16", "L16/48000", "L16/16000", "L16/8000"]


class RtpSettings(_Section):
    """Where audio is sent and received, and in which codecs."""

    listen: HostPorts = "127.0.0.1:10000-10031"
    public_address: str | None = None
    codecs: list[Codec] = Field(["OPUS", "G722", "PCMU", "PCMA"], min_length=1)
    trunk_codecs: list[Codec] | None = Field(None, min_length=1)
    srtp: Literal["off", "optional", "required"] = "optional"
    timeout_seconds: int = 60
    settle_milliseconds: int = Field(250, ge=0, le=5000)


class MediaSettings(_Section):
    """The engine process and its memory."""

    max_legs: int = Field(4096, ge=2)
    max_mixes: int = Field(1024, ge=1)
    max_taps: int = Field(256, ge=1)
    max_relations: int = Field(4096, ge=1)
    clip_memory_bytes: int = 512 * 1024 * 1024
    clip_memory_bytes_per_account: int = 384 * 1024 * 1024
    max_clip_seconds: int = 600
    max_rate: int = 48000
    opus_complexity: int = Field(5, ge=0, le=10)
    max_jitter_ms: int = Field(500, ge=20, le=600)
    core: int | None = None


class StoreSettings(_Section):
    """Documents; `sqlite+aiosqlite:///…` inside the data folder unless an URL is given."""

    url: str | None = None


class LimitSettings(_Section):
    """Bounds on what tenants can make."""

    max_rooms: int = 1000
    max_members_per_room: int = 4000
    max_documents_per_account: int = 100_000


class SoundSettings(_Section):
    """Where sounds may come from, beside uploads and prompts (semantics 5.3)."""

    fetch: bool = True
    fetch_networks: list[IPv4Network] = []
    max_fetch_bytes: int = 16_000_000
    fetch_seconds: float = 10.0
    retry_fetch_seconds: int = 30
    max_fetches: int = Field(32, ge=1)
    max_fetches_per_account: int = Field(8, ge=1)
    fetched_for_seconds: int = 3600
    cache_bytes: int = 256_000_000
    max_stations: int = Field(32, ge=1)
    max_stations_per_account: int = Field(4, ge=1)
    max_station_bytes_per_second: int = Field(250_000, ge=1000)
    station_seconds: int = Field(30, ge=10, le=600)
    station_kept_seconds: int = Field(30, ge=5)
    max_speech_characters: int = 1000
    speech_seconds: float = 10.0
    max_speaking: int = Field(32, ge=1)
    max_speaking_per_account: int = Field(8, ge=1)
    streams: dict[str, Path] = {}


class DialSettings(_Section):
    """Calls that conferences make (semantics 6.7)."""

    trunk: str | None = None
    trunk_username: str | None = None
    trunk_password: str | None = None
    numbers: list[str] = []
    uri_networks: list[IPv4Network] = [IPv4Network("127.0.0.0/8")]
    timeout_seconds: int = 30
    max_endpoints: int = 50
    max_calls_per_account: int = 100
    calls_per_day: int = 200
    minutes_per_day: int = 1000


class RecordingSettings(_Section):
    """Recordings of rooms and of names."""

    format: Literal["flac", "ogg", "wav"] = "flac"
    tracks: bool = False
    max_rate: Literal[8000, 16000, 48000] = 48000
    max_seconds: int = Field(14_400, ge=1)
    max_at_a_time: int = Field(64, ge=0)
    max_at_a_time_per_account: int = Field(32, ge=0)
    max_tracks_per_account: int = Field(100, ge=0)
    max_bytes_per_account: int = Field(0, ge=0)


class EventSettings(_Section):
    """Events over WebSocket (semantics 7.2)."""

    publish: list[str] = []
    max_sockets: int = Field(500, ge=0)
    max_sockets_per_address: int = Field(50, ge=0)
    max_sockets_per_account: int = Field(200, ge=1)
    max_bindings: int = Field(100, ge=1)
    queue: int = Field(1000, ge=1)
    login_seconds: float = Field(10.0, gt=0)
    idle_seconds: int = Field(3600, ge=1)


class WebhookSettings(_Section):
    """Events by HTTP to the servers of an account."""

    max_per_account: int = Field(20, ge=0)
    max_active: int = Field(1000, ge=1)
    networks: list[IPv4Network] = []
    queue: int = Field(1000, ge=1)
    backlog: int = Field(20_000, ge=1)
    timeout_seconds: float = Field(10.0, gt=0)
    attempts: int = Field(5, ge=1, le=5)
    max_pause_seconds: float = Field(60.0, ge=0)
    disable_after: int = Field(10, ge=1)
    kept_attempts: int = Field(20, ge=1)


class LinkSettings(_Section):
    """Public links into conferences (semantics 2.3)."""

    public_url: str | None = None
    lifetime_seconds: int = Field(86_400, ge=1)
    attempts_per_minute: int = Field(30, ge=1)
    longest_pause_seconds: float = Field(4.0, ge=0)
    max_waiting: int = Field(500, ge=1)


class ConferenceSettings(_Section):
    """Category `conferences` of the whole system (semantics 2.7); an account's own configuration lies over it."""

    language: str = "en-us"
    entry_tone: str | None = None
    exit_tone: str | None = None
    moderator_entry_tone: str | None = None
    moderator_exit_tone: str | None = None
    number_timeout: int = 5000
    pin_timeout: int = 5000
    support_name_announcement: bool = True
    review_name: bool = False
    moderators_enter_always: bool = True
    moderator_grace_seconds: int = 30
    without_moderator: Literal["wait", "end"] = "wait"
    controls: dict[str, list[dict[str, Any]]] = {}
    profiles: dict[str, dict[str, Any]] = {}


class Settings(BaseSettings):
    """Everything an operator can set."""

    model_config = SettingsConfigDict(env_prefix="MIRLITON_", env_nested_delimiter="__", extra="forbid")

    data: Path = Path("mirliton-data")
    log_level: str = "info"
    log_json: bool = False
    http: HttpSettings = HttpSettings()
    sip: SipSettings = SipSettings()
    rtp: RtpSettings = RtpSettings()
    media: MediaSettings = MediaSettings()
    store: StoreSettings = StoreSettings()
    limits: LimitSettings = LimitSettings()
    sounds: SoundSettings = SoundSettings()
    dial: DialSettings = DialSettings()
    recording: RecordingSettings = RecordingSettings()
    events: EventSettings = EventSettings()
    webhooks: WebhookSettings = WebhookSettings()
    links: LinkSettings = LinkSettings()
    conferences: ConferenceSettings = ConferenceSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *rest: Any,
        **sources: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags win over the environment, which wins over the file."""
        env = sources.get("env_settings") or rest[0]
        return init_settings, env, TomlConfigSettingsSource(settings_cls)


def load_settings(config: Path | None = None, **flags: Any) -> Settings:
    """Read the TOML file (if any), the environment and the given flags; raises `pydantic.ValidationError`.

    A missing file is an error (`FileNotFoundError`): a typo in a path must not start a server with defaults.
    """
    if config is None:
        return Settings(**flags)
    if not config.is_file():
        raise FileNotFoundError(f"{config}: no such settings file")

    class FromFile(Settings):
        model_config = SettingsConfigDict(
            env_prefix="MIRLITON_", env_nested_delimiter="__", extra="forbid", toml_file=config
        )

    return FromFile(**flags)
