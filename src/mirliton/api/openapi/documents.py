"""Users, devices, media and callflows."""

from mirliton.api.openapi.operations import Example, Operation, Section
from mirliton.api.openapi.resources import deletion_last, document_operations
from mirliton.api.openapi.shapes import stored

RAW = "/accounts/{account_id}/media/{document_id}/raw"
RECORDING = (
    "A WAV, FLAC, MP3 or Ogg file as the whole body, whatever `Content-Type` says. It is decoded before it counts."
)

USERS = Section(
    "Users",
    "Who may log in. Passwords come in and never go out.",
    document_operations(
        "users", "users", "U",
        one="a user",
        makes=(
            Example(
                body={"data": {"username": "anna", "password": "correct horse", "first_name": "Anna"}},
                keeps={"U": "data.id"},
            ),
        ),
        patch={"last_name": "Arendt"},
        replacement={"username": "anna", "password": "battery staple"},
    ),
)  # fmt: skip

DEVICES = Section(
    "Devices",
    "Who may register and call over SIP. Passwords come in and never go out.",
    document_operations(
        "devices", "devices", "D",
        one="a device",
        makes=(
            Example(
                body={"data": {"name": "Desk", "sip": {"username": "desk", "password": "correct horse"}}},
                keeps={"D": "data.id"},
            ),
        ),
        patch={"enabled": False},
        replacement={"name": "Desk", "sip": {"username": "desk", "password": "battery staple"}},
    ),
)  # fmt: skip

MEDIA = Section(
    "Media",
    "A document, and the recording itself below it.",
    deletion_last({
        **document_operations(
            "media", "media", "M",
            one="a media document",
            makes=(Example(body={"data": {"name": "Greeting"}}, keeps={"M": "data.id"}),),
            patch={"language": "en-gb"},
            replacement={"name": "Greeting", "prompt_id": "conf-welcome"},
        ),
        (RAW, "PUT"): Operation(
            "Upload the recording",
            RECORDING,
            stored("media"),
            examples=(
                Example(
                    path={"document_id": "$M"},
                    raw="greeting.wav",
                    before=(
                        "python3 -c 'import wave; w = wave.open(\"greeting.wav\", \"wb\"); "
                        "w.setparams((1, 2, 8000, 0, \"NONE\", \"\")); w.writeframes(bytes(16000))'",
                    ),
                ),
            ),
        ),
        (RAW, "POST"): Operation(
            "Upload the recording",
            "The same as PUT.",
            stored("media"),
            examples=(Example(path={"document_id": "$M"}, raw="greeting.wav"),),
        ),
        (RAW, "GET"): Operation(
            "Download the recording",
            binary=True,
            examples=(Example(path={"document_id": "$M"}),),
        ),
    }),
)  # fmt: skip

CALLFLOWS = Section(
    "Callflows",
    "Where calls to a number go. The data of the action `conference`: [its keys](keys.md#callflowsconference).",
    document_operations(
        "callflows", "callflows", "F",
        one="a callflow",
        makes=(
            Example(
                "3000 leads into a room that needs no document: its name is its id",
                {"data": {"numbers": ["3000"], "flow": {"module": "conference", "data": {
                    "config": {"name": "sales"}, "welcome_prompt": {"play": False}}}}},
            ),
            Example(
                "Dialling a conference's id leads into it",
                {"data": {"patterns": ["^([0-9a-f]{32})$"], "flow": {"module": "conference_feature", "data": {}}}},
                keeps={"F": "data.id"},
            ),
        ),
        patch={"name": "any conference"},
        replacement={"numbers": ["3001"], "flow": {"module": "conference", "data": {}}},
    ),
)  # fmt: skip
