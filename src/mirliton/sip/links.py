"""Calls by a public link (semantics 1.1, 2.3): what an INVITE to `conference` or `conference+<id>` says."""

from urllib.parse import parse_qsl, unquote

from sipmessage import Request

from mirliton.sip.types import Link

_USER = "conference"
_HEADERS = ("X-Conference-Token", "X-Auth-Token")
_PARAMETER = "auth"


def read_link(invite: Request) -> Link | None:
    """The link of an INVITE, or None when it is to another number or carries no token.

    The token is in a header `X-Conference-Token` or `X-Auth-Token`, in the URI's parameter `auth`, or in the headers
    of the URI (`?X-Auth-Token=…`; RFC 3261 section 19.1.1), whichever comes first in this order.
    """
    user, plus, conference = (invite.uri.user or "").partition("+")
    if user != _USER or (plus and not conference):
        return None
    token = _token(invite)
    return Link(token, conference or None) if token else None


def _token(invite: Request) -> str | None:
    for name in _HEADERS:
        if value := invite.headers.get(name):
            return value
    if value := invite.uri.parameters.get(_PARAMETER):
        return unquote(value)
    given = {name.lower(): value for name, value in _uri_headers(str(invite.uri))}
    return next((given[name.lower()] for name in _HEADERS if name.lower() in given), None)


def _uri_headers(uri: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(uri.partition("?")[2].replace("+", "%2B"), max_num_fields=16)
    except ValueError:  # more fields than anybody needs
        return []
