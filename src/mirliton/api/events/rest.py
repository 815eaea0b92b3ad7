"""What can be listened to, and which sockets of an account are open (semantics 7.2)."""

from mirliton.api.call import Call, Reply, Route
from mirliton.api.errors import bad_identifier
from mirliton.api.events.bindings import AVAILABLE
from mirliton.api.events.hub import Socket


async def available(_call: Call) -> Reply:
    """The forms of bindings."""
    return Reply(AVAILABLE)


async def list_sockets(call: Call) -> Reply:
    """The account's open sockets, oldest first."""
    return Reply([socket.described() for socket in _sockets(call)])


async def read_socket(call: Call) -> Reply:
    """One of them; raises `ApiError` 404."""
    wanted = call.path["socket_id"]
    for socket in _sockets(call):
        if socket.session_id == wanted:
            return Reply(socket.described())
    raise bad_identifier(wanted)


def _sockets(call: Call) -> list[Socket]:
    hub = call.services.events
    return hub.of_account(call.account.id) if hub else []


ROUTES = [
    Route("/websockets", {"GET": available}, public=True),
    Route("/accounts/{account_id}/websockets", {"GET": list_sockets}),
    Route("/accounts/{account_id}/websockets/{socket_id}", {"GET": read_socket}),
]
