"""Media addresses (semantics 5.3): the text in a sound key, a `media_id` or a `play` command to a typed value.

One table for all of them. What looks like a plain word is a prompt id. What a tenant may not name, or what this
server cannot play, is said by an exception of its own. Pure; nothing is looked up here.
"""

import re
from dataclasses import dataclass, replace

import httpx

# Member volume levels to factors (semantics 3.3); `{vol=N}` uses the same steps.
VOLUME_FACTORS = {-4: 0.2, -3: 0.4, -2: 0.6, -1: 0.8, 0: 1.0, 1: 1.3, 2: 2.3, 3: 3.3, 4: 4.3}

LONGEST_ADDRESS = 4096
MOST_PARTS = 32
MOST_LOOPS = 999_999  # longer than any conference; what plays a sound counts its rounds in 64 bits
_MEDIA_ID = re.compile(r"[0-9a-f]{32}")
_ACCOUNT_MEDIA = re.compile(r"/([0-9a-f]{32})/([0-9a-f]{32})")
_PASSWORD = re.compile(r"//[^/?#@]*@")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_PREFIX = re.compile(r"\{([^{}]*)\}")
_TONE_LOOPS = re.compile(r";\s*loops=(-?\d{1,6})\s*(?=;|$)")


class SoundNotFound(Exception):
    """The address leads to no sound. The text says why and what to do; the other classes say it more exactly."""


class SoundRefused(SoundNotFound):
    """A form of address that a tenant may not use."""


class AddressInvalid(SoundNotFound):
    """The text follows none of the forms of semantics 5.3."""


@dataclass(frozen=True, slots=True)
class NoSound:
    """Empty or `silence`: nothing is played."""


@dataclass(frozen=True, slots=True)
class ToneScript:
    """`tone_stream://…`: TGML of semantics 5.1."""

    script: str


@dataclass(frozen=True, slots=True)
class SilenceStream:
    """`silence_stream://MS[,D]`. `milliseconds` -1: never ends. `divisor`: noise of full scale / divisor (3.4)."""

    milliseconds: int
    divisor: int | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A spoken sentence. `account_id` and `language` None: those of the caller; "system_media": the shipped one."""

    prompt_id: str
    account_id: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class StoredMedia:
    """A media document of an account (None: the caller's)."""

    media_id: str
    account_id: str | None = None


@dataclass(frozen=True, slots=True)
class Variable:
    """`$${name}`: a sound the operator sets for the whole server."""

    name: str


@dataclass(frozen=True, slots=True)
class WebFile:
    """`http://…`, `https://…`: a file of a web server. `url` as it was written, without a fragment."""

    url: str

    @property
    def shown(self) -> str:
        """The URL for messages: without the password, and without a query, which may be as good as one."""
        return _shown_url(self.url)


@dataclass(frozen=True, slots=True)
class Radio:
    """`shout://host/path`: a radio station that sends MP3 or Ogg over HTTP. `url` begins with `http://`."""

    url: str

    @property
    def shown(self) -> str:
        """As `WebFile.shown`, and as it was written."""
        return f"shout{_shown_url(self.url).removeprefix('http')}"


@dataclass(frozen=True, slots=True)
class Speech:
    """`tts://text`, `say:text`: spoken in the language of the room or the caller."""

    text: str


@dataclass(frozen=True, slots=True)
class LocalStream:
    """`local_stream://name`: a sound of the operator's that begins again when it ends."""

    name: str


@dataclass(frozen=True, slots=True)
class Parts:
    """`file_string://a!b!c`: one after the other. Each part has its own loops and volume."""

    addresses: "tuple[Address, ...]"


Source = (
    NoSound
    | ToneScript
    | SilenceStream
    | Prompt
    | StoredMedia
    | Variable
    | WebFile
    | Speech
    | LocalStream
    | Radio
    | Parts
)


@dataclass(frozen=True, slots=True)
class Address:
    """What to play and how: `loops` times (-1 never ends), at volume level `volume` (-4..4)."""

    source: Source
    loops: int = 1
    volume: int = 0

    @property
    def gain(self) -> float:
        """The factor of the volume level."""
        return VOLUME_FACTORS[self.volume]


def shown(text: str) -> str:
    """An address as it may be logged: without a password that stands in it."""
    return _PASSWORD.sub("//", text)


def parse_address(text: str | None) -> Address:
    """Parse one media address as a tenant may write it. Raises `SoundNotFound` or a subclass, with what to do."""
    text = (text or "").strip()
    if len(text) > LONGEST_ADDRESS:
        raise AddressInvalid(f"a media address has at most {LONGEST_ADDRESS} characters")
    parameters = ""
    while found := _PREFIX.match(text):
        parameters += f",{found.group(1)}"
        text = text[found.end() :].lstrip()
    if text.startswith("say:"):
        return _with_parameters(Address(_speech(text.removeprefix("say:"))), parameters)
    scheme, colon, rest = text.partition("://")
    address = _by_scheme(scheme.lower(), rest, text) if colon else Address(_plain(text))
    return _with_parameters(address, parameters)


def _with_parameters(address: Address, text: str) -> Address:
    """Apply `vol=N,loops=N`; other parameters of that syntax steer machinery that is not here and are ignored."""
    for pair in text.split(","):
        name, _, value = (part.strip() for part in pair.partition("="))
        if name not in ("vol", "loops"):
            continue
        try:
            number = int(value)
        except ValueError:
            raise AddressInvalid(f"{{{name}={value}}} is not a whole number") from None
        if name == "vol":
            address = replace(address, volume=max(-4, min(4, number)))
        else:
            address = replace(address, loops=_loops(number))
    return address


def _loops(number: int) -> int:
    """-1 never ends; 0 and 1 are once."""
    return -1 if number < 0 else max(1, min(number, MOST_LOOPS))


def _by_scheme(scheme: str, rest: str, text: str) -> Address:
    match scheme:
        case "tone_stream":
            return _tone(rest)
        case "silence_stream":
            return Address(_silence(rest))
        case "prompt":
            return Address(_prompt(rest))
        case "file_string":
            return Address(_parts(rest))
        case "http" | "https":
            return Address(WebFile(_web_url(text)))
        case "tts":
            return Address(_speech(rest))
        case "local_stream":
            return Address(_local_stream(rest), loops=-1)
        case "shout":
            return Address(Radio(_web_url(f"http://{rest}")), loops=-1)
    raise AddressInvalid(f"{text!r}: unknown kind of media address {scheme}://")


def _tone(rest: str) -> Address:
    """A tone script; `;loops=N` is taken out of it, wherever it stands."""
    if rest.lstrip().startswith("path="):
        raise SoundRefused("tone_stream://path=… reads a file of the server: put the script itself into the address")
    loops = [int(number) for number in _TONE_LOOPS.findall(rest)]
    script = _TONE_LOOPS.sub("", rest)
    return Address(ToneScript(script), loops=_loops(loops[-1]) if loops else 1)


def _silence(rest: str) -> SilenceStream:
    milliseconds, comma, divisor = rest.partition(",")
    try:
        length = int(milliseconds)
        noise = int(divisor) if comma else None
    except ValueError:
        raise AddressInvalid(f"silence_stream://{rest} is not MS or MS,DIVISOR") from None
    if length == 0 or (noise is not None and noise < 1):
        raise AddressInvalid(f"silence_stream://{rest}: 0 is no length and no divisor")
    return SilenceStream(max(-1, length), noise)


def _web_url(text: str) -> str:
    try:
        url = httpx.URL(text).copy_with(fragment=None)
        host = url.host
    except (httpx.InvalidURL, UnicodeError) as error:
        raise AddressInvalid(f"this is no address of a file in the web: {error}") from None
    if not host or not 0 < (url.port or 80) <= 65535:
        raise AddressInvalid(f"{url.scheme}:// is not followed by HOST/FILE or HOST:PORT/FILE")
    return str(url)


def _shown_url(text: str) -> str:
    return str(httpx.URL(text).copy_with(username=None, password=None, query=None))


def _speech(text: str) -> Speech:
    """What is not printed cannot be spoken: control characters become spaces."""
    spoken = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if not spoken:
        raise AddressInvalid("tts:// and say: are followed by the text to speak")
    return Speech(spoken)


def _local_stream(rest: str) -> LocalStream:
    name = rest.strip("/")
    if not _WORD.fullmatch(name):
        raise AddressInvalid(f"local_stream://{rest} is not local_stream://NAME")
    return LocalStream(name)


def _prompt(rest: str) -> Prompt:
    account_id, _, tail = rest.partition("/")
    prompt_id, _, language = tail.partition("/")
    if not _WORD.fullmatch(prompt_id) or not account_id:
        raise AddressInvalid(f"prompt://{rest} is not prompt://ACCOUNT/PROMPT[/LANGUAGE]")
    return Prompt(prompt_id, account_id, language.lower() or None)


def _parts(rest: str) -> Parts:
    texts = rest.split("!")
    if len(texts) > MOST_PARTS:
        raise AddressInvalid(f"file_string:// has more than {MOST_PARTS} parts")
    if "file_string://" in rest.lower():  # looked for in the text: nested ones must not make parsing recurse
        raise AddressInvalid("file_string:// cannot hold another file_string://")
    addresses = tuple(parse_address(text) for text in texts)
    if any(address.loops < 0 or _endless(address.source) for address in addresses):
        raise AddressInvalid("file_string:// cannot hold a part that never ends")
    return Parts(addresses)


def _endless(source: Source) -> bool:
    return isinstance(source, Radio) or (isinstance(source, SilenceStream) and source.milliseconds < 0)


def _plain(text: str) -> Source:
    if text in ("", "silence"):
        return NoSound()
    if text.startswith("$${") and text.endswith("}"):
        return Variable(text[3:-1])
    if _MEDIA_ID.fullmatch(text):
        return StoredMedia(text)
    if found := _ACCOUNT_MEDIA.fullmatch(text):
        return StoredMedia(found.group(2), found.group(1))
    if text.startswith("/"):
        raise SoundRefused(f"{text}: files of the server cannot be played; upload the file under media and use its id")
    if _WORD.fullmatch(text):
        return Prompt(text)
    raise AddressInvalid(f"{text!r} is neither a prompt id, a media id nor an address of a known kind")
