"""Who listens to events: webhooks and WebSockets (semantics 7)."""

from mirliton.api.openapi.operations import Example, Operation, Section
from mirliton.api.openapi.resources import ROW, deletion_last, document_operations
from mirliton.api.openapi.shapes import COUNT, TEXT, record, rows

WEBHOOKS = "/accounts/{account_id}/webhooks"
SOCKETS = "/accounts/{account_id}/websockets"

SOCKET = record(
    {
        "websocket_session_id": TEXT,
        "bindings": rows(TEXT),
        "source": TEXT,
        "destination": TEXT,
        "timestamp": COUNT,
    }
)

_documents = document_operations(
    "webhooks", "webhooks", "W",
    one="a webhook",
    makes=(
        Example(
            body={"data": {
                "name": "Who comes", "uri": "https://hooks.example/mirliton", "hook": "conference",
                "events": ["add-member", "del-member"],
            }},
            keeps={"W": "data.id"},
        ),
    ),
    patch={"enabled": False},
    replacement={"name": "Everything", "uri": "https://hooks.example/mirliton", "hook": "all"},
    secret={"type": "string", "description": "Only in the answer to the creation"},
)  # fmt: skip

TOLD_OF_EVENTS = Section(
    "Webhooks",
    "Addresses that are told of [events](events.md) by HTTP. The creation, and nothing else, tells the secret that "
    "deliveries are signed with.",
    deletion_last({
        ("/webhooks", "GET"): Operation("What webhooks can be hooked to", reply=rows(ROW), extra={"page_size": COUNT}),
        **_documents,
        (WEBHOOKS, "PATCH"): Operation(
            "Enable what was disabled because its server failed",
            "Answers with the webhooks that it enabled.",
            rows(ROW),
            body=record({"re-enable": {"const": True}}),
            examples=(Example(body={"data": {"re-enable": True}}),),
        ),
        (f"{WEBHOOKS}/attempts", "GET"): Operation(
            "The last deliveries of all webhooks", reply=rows({"type": "object"}), extra={"page_size": COUNT}
        ),
        (f"{WEBHOOKS}/{{document_id}}/attempts", "GET"): Operation(
            "The last deliveries of one webhook",
            reply=rows({"type": "object"}),
            extra={"page_size": COUNT},
            examples=(Example(path={"document_id": "$W"}),),
        ),
    }),
)  # fmt: skip

OPEN_SOCKETS = Section(
    "WebSockets",
    "[Events](events.md) go over `/v2/events`; here is who listens.",
    {
        ("/websockets", "GET"): Operation("The forms of bindings", reply={"type": "object"}),
        (SOCKETS, "GET"): Operation("List the account's open sockets", reply=rows(SOCKET)),
        (f"{SOCKETS}/{{socket_id}}", "GET"): Operation(
            "Read one of them",
            "Here: one that was closed.",
            SOCKET,
            examples=(Example(path={"socket_id": "00000000"}, code=404),),
        ),
    },
)
