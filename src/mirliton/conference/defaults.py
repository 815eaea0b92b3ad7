"""Built-in values of semantics 2.6, 2.7, 4.3 and 5.2."""

from types import MappingProxyType

from mirliton.conference.reading import Document

LANGUAGE = "en-us"
NUMBER_TIMEOUT_MS = 5000
PIN_TIMEOUT_MS = 5000
INTERDIGIT_MS = 2000
MAX_DIGITS = 16
TERMINATOR = "#"
ATTEMPTS = 3
MODERATOR_GRACE_SECONDS = 30

NAME_BEEP = "tone_stream://%(500,100,440)"
NAME_SECONDS = 60.0
NAME_SILENCE_SCORE = 200
NAME_SILENCE_SECONDS = 5.0
NAME_REVIEW_MS = 5000
NAME_ROUNDS = 20

ENTRY_TONE = "tone_stream://v=-7;>=2;+=.1;%(300,0,523,659);v=-7;>=3;+=.1;%(800,0,659,783)"
EXIT_TONE = "tone_stream://v=-7;>=2;+=.1;%(300,0,523,440);v=-7;>=3;+=.1;%(800,0,349,440)"

RATES = (8000, 12000, 16000, 24000, 32000, 44100, 48000)
ENERGY_TOP = 1800
ENERGY_STEP = 200
LEVEL_TOP = 4

# The control groups are absent: "default" is what a lookup ends with anyway, and naming it here would hide the rule
# that moderators without a group of their own get the members' (semantics 4.3).
DEFAULT_PROFILE: Document = MappingProxyType(
    {
        "alone-sound": "conf-alone",
        "comfort-noise": 1000,
        "energy-level": 20,
        "enter-sound": ENTRY_TONE,
        "exit-sound": EXIT_TONE,
        "interval": 20,
        "rate": 48000,
        "locked-sound": "conf-locked",
        "max-members-sound": "conf-max_participants",
        "moh-sound": "$${hold_music}",
        "muted-sound": "conf-muted",
        "unmuted-sound": "conf-unmuted",
        "deaf-sound": "conf-deaf",
        "undeaf-sound": "conf-undeaf",
        "member-enter-sound": "conf-joining_conference",
        "kicked-sound": "conf-kicked",
        "wait-for-moderator-sound": "conf-wait_for_moderator",
        "ended-sound": "conf-ended",
        "is-recording-sound": "conf-recording_on",
        "is-not-recording-sound": "conf-recording_off",
    }
)

PAGE_PROFILE: Document = MappingProxyType(
    {
        "caller-controls": "paging",
        "comfort-noise": 1000,
        "energy-level": 20,
        "enter-sound": "silence_stream://1",
        "exit-sound": "silence_stream://1",
        "interval": 20,
        "rate": 8000,
        "moh-sound": "silence_stream://1",
    }
)

_DEFAULT_CONTROLS = [
    {"digits": "*1", "action": "mute"},
    {"digits": "*2", "action": "mute on"},
    {"digits": "*3", "action": "mute off"},
    {"digits": "*4", "action": "deaf"},
    {"digits": "*5", "action": "deaf on"},
    {"digits": "*6", "action": "deaf off"},
    {"digits": "#", "action": "hangup"},
]

CONTROLS: Document = MappingProxyType(
    {
        "default": _DEFAULT_CONTROLS,
        "moderator": [
            *_DEFAULT_CONTROLS,
            {"digits": "*7", "action": "lock"},
            {"digits": "*8", "action": "mute others"},
            {"digits": "*9", "action": "announce count"},
            {"digits": "*0", "action": "record"},
        ],
        "paging": [],
        "page": [],
        "none": [],
    }
)
