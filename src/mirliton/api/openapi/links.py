"""Public links into conferences (semantics 2.3)."""

from mirliton.api.openapi.operations import Example, Operation, Section, Shape
from mirliton.api.openapi.shapes import COUNT, EMPTY, FLAG, TEXT, described, record

PUBLIC = "/conference_auth"
OF_CONFERENCE = "/accounts/{account_id}/conference_auth/{document_id}"
ONE = {"document_id": "$L"}

_WORD: Shape = {"type": "string", "minLength": 1, "maxLength": 128}
_CLAIMS: dict[str, Shape] = {
    "account_id": TEXT,
    "conference_id": TEXT,
    "scope": {"const": "crossbar:conference_join"},
    "exp": described(COUNT, "Until when it works, UNIX seconds"),
    "iat": described(COUNT, "When it was made, UNIX seconds"),
    "jti": described(TEXT, "The token's own id"),
}

LINKS = Section(
    "Public links",
    "A conference with `allow_shareable_link` and a member PIN can be joined from anywhere with a link, which holds a "
    "signed token. [How to use them](../how-to/links.md).",
    {
        (PUBLIC, "PUT"): Operation(
            "Get a token with a PIN",
            "Needs no login. The answer's `auth_token` opens the one conference and nothing of this API. Whatever is "
            "wrong, the answer is the same 401; after some wrong PINs it comes later.",
            record(_CLAIMS),
            201,
            record({"account_name": _WORD, "conference_name": _WORD, "conference_pin": _WORD}),
            refusals=frozenset({401, 429}),
            extra={"auth_token": TEXT},
            examples=(
                Example(
                    before=(
                        "curl -s -o /dev/null -X PUT $URL/accounts/$A/conferences "
                        "-H \"X-Auth-Token: $TOKEN\" -H 'Content-Type: application/json' "
                        """-d '{"data": {"name": "Open house", "allow_shareable_link": true, """
                        """"member": {"pins": ["8642"]}}}'""",
                    ),
                    body={
                        "data": {
                            "account_name": "default",
                            "conference_name": "Open house",
                            "conference_pin": "8642",
                        }
                    },
                    keeps={"L": "data.conference_id"},
                ),
            ),
        ),
        (OF_CONFERENCE, "GET"): Operation(
            "Whether a conference has links",
            "`problems` says what is missing, as the validation errors of PUT do.",
            record({"shareable": FLAG, "problems": {"type": "object"}}),
            examples=(Example(path=ONE),),
        ),
        (OF_CONFERENCE, "PUT"): Operation(
            "Make a link",
            "`link` is the operator's `links.public_url` with the token behind it; without that setting it is 400.",
            record({"link": TEXT, **_CLAIMS}),
            201,
            examples=(Example("Here: on a server without `links.public_url`", path=ONE, code=400),),
        ),
        (OF_CONFERENCE, "DELETE"): Operation(
            "End every link made so far",
            "Links that are made afterwards work.",
            EMPTY,
            examples=(Example(path=ONE),),
        ),
    },
)
