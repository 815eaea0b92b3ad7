"""Logging in, the account, its configuration, and the schemas."""

from mirliton.api.openapi.operations import Example, Operation, Section
from mirliton.api.openapi.resources import A_MERGE, A_REPLACEMENT
from mirliton.api.openapi.shapes import EMPTY, TEXT, record, reference, rows, stored

ACCOUNT = "/accounts/{account_id}"
CONFIG = f"{ACCOUNT}/config/{{category}}"
CONFERENCES = {"category": "conferences"}

LOGGING_IN = Section(
    "Logging in",
    "A token lives an hour after its last use. It goes into the header `X-Auth-Token`, or as `auth_token` into query "
    "or body. A token reaches its own account.",
    {
        ("/api_auth", "PUT"): Operation(
            "Log in with an account's API key",
            reply=reference("token"),
            code=201,
            body=record({"api_key": TEXT}),
            refusals=frozenset({401, 423, 429}),
            examples=(Example(body={"data": {"api_key": "$KEY"}}, keeps={"TOKEN": "auth_token"}),),
        ),
        ("/user_auth", "PUT"): Operation(
            "Log in as a user",
            "`credentials` is the MD5 (or with `method` `sha` the SHA-1) of `USERNAME:PASSWORD` in hexadecimal. One of "
            "`account_name`, `account_realm`, `phone_number` says which account.",
            reply=reference("token"),
            code=201,
            body=record(
                {
                    "credentials": TEXT,
                    "method": {"enum": ["md5", "sha"]},
                    "account_name": TEXT,
                    "account_realm": TEXT,
                    "phone_number": TEXT,
                },
                "credentials",
            ),
            refusals=frozenset({401, 423, 429}),
            examples=(
                Example(
                    body={"data": {"credentials": "$CREDENTIALS", "account_name": "default"}},
                    keeps={"OTHER": "auth_token"},
                    before=("CREDENTIALS=$(printf %s \"$LOGIN:$PASSWORD\" | md5sum | cut -d' ' -f1)",),
                ),
            ),
        ),
        ("/token_auth", "GET"): Operation("What the request's own token stands for", reply=reference("token")),
        ("/user_auth/{token}", "GET"): Operation(
            "What a token of one's account stands for",
            reply=reference("token"),
            refusals=frozenset({404}),
            examples=(Example(path={"token": "$OTHER"}),),
        ),
        ("/token_auth", "DELETE"): Operation(
            "Log out: the token dies", reply=EMPTY, examples=(Example(bearer="OTHER"),)
        ),
    },
)

THE_ACCOUNT = Section(
    "Account",
    "Accounts are made by the operator.",
    {
        (ACCOUNT, "GET"): Operation("Read the account", reply=stored("accounts")),
        (ACCOUNT, "PATCH"): Operation(
            "Change the account",
            A_MERGE,
            stored("accounts"),
            body={"type": "object"},
            refusals=frozenset({409}),
            examples=(Example(body={"data": {"language": "en-us"}}),),
        ),
        (ACCOUNT, "POST"): Operation(
            "Replace the account",
            f"{A_REPLACEMENT} The realm stays: devices authenticate with it.",
            stored("accounts"),
            body=reference("accounts"),
            refusals=frozenset({409}),
            examples=(Example(body={"data": {"name": "default", "language": "en-us"}}),),
        ),
        (f"{ACCOUNT}/api_key", "GET"): Operation("Read the API key", reply=record({"api_key": TEXT})),
    },
)

CONFIGURATION = Section(
    "Configuration",
    "Category `conferences` holds for all conferences of the account ([its keys](keys.md#system_configconferences)).",
    {
        (CONFIG, "GET"): Operation(
            "Read the configuration", reply=record({"id": TEXT}), examples=(Example(path=CONFERENCES),)
        ),
        (CONFIG, "POST"): Operation(
            "Replace the configuration",
            A_REPLACEMENT,
            stored("system_config.conferences"),
            body=reference("system_config.conferences"),
            refusals=frozenset({403, 409}),
            examples=(
                Example(
                    body={"data": {"pin_timeout": 8000, "profiles": {"quiet": {"enter-sound": "", "exit-sound": ""}}}},
                    path=CONFERENCES,
                ),
            ),
        ),
        (CONFIG, "PATCH"): Operation(
            "Change the configuration",
            A_MERGE,
            stored("system_config.conferences"),
            body={"type": "object"},
            refusals=frozenset({403, 409}),
            examples=(Example(body={"data": {"pin_timeout": None}}, path=CONFERENCES),),
        ),
    },
)

SCHEMAS = Section(
    "Schemas",
    "No token is needed.",
    {
        ("/schemas", "GET"): Operation("List the schemas", reply=rows(TEXT)),
        ("/schemas/{schema_id}", "GET"): Operation(
            "Read a schema",
            reply=record({"id": TEXT}),
            refusals=frozenset({404}),
            examples=(Example(path={"schema_id": "conferences"}),),
        ),
        ("/schemas/{schema_id}/validation", "PUT"): Operation(
            "Check a document without storing it",
            "Answers with the document as it would be stored: types repaired, defaults written.",
            body={"type": "object"},
            refusals=frozenset({404}),
            examples=(Example(body={"data": {"name": "Sales"}}, path={"schema_id": "conferences"}),),
        ),
        ("/openapi.json", "GET"): Operation(
            "This API as an OpenAPI 3.1 document",
            "Not in the envelope: tools read it as it is.",
            reply=record({"openapi": TEXT, "paths": {"type": "object"}}),
            plain=True,
        ),
    },
)
