"""Whatever is sent: no request is answered with a fault of ours, and every answer has Kazoo's shape."""

from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirliton.api.app import ROUTES

from .conftest import Api

KEYS = [
    "data",
    "action",
    "verb",
    "auth_token",
    "name",
    "numbers",
    "patterns",
    "flow",
    "module",
    "children",
    "member",
    "pins",
    "moderator",
    "sip",
    "username",
    "password",
    "realm",
    "media_id",
    "endpoints",
    "participant_id",
    "other_participant",
    "relationship",
    "credentials",
    "account_name",
    "api_key",
    "method",
    "profiles",
    "controls",
    "id",
    "_x",
    "focus",
]
WORDS = [
    "mute",
    "kick",
    "play",
    "lock",
    "record",
    "dial",
    "relate",
    "start",
    "GET",
    "PATCH",
    "1",
    "true",
    "(",
    "no_match",
]
leaves = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8) | st.sampled_from(WORDS)
)  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=10,
)
envelopes = st.fixed_dictionaries({"data": values}, optional={"action": leaves, "verb": leaves}) | values
segments = st.sampled_from(["sales", "1", "0" * 32, "conferences", "\x00", "..", "é"]) | st.text(min_size=1, max_size=6)
queries = st.dictionaries(
    st.sampled_from(["page_size", "start_key", "filter_name", "has_key", "created_from", "verb", "jsonp", "paginate"]),
    st.text(max_size=8) | st.sampled_from(["true", "false", "5", "PATCH"]),
    max_size=3,
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, dict[str, str], Any]:
    """A method, a path of a route with anything in its gaps (`{account}` left), a query, and a body."""
    path = draw(st.sampled_from(ROUTES)).path
    parts = [
        part if not part.startswith("{") or part == "{account_id}" else quote(draw(segments), safe="")
        for part in path.split("/")
    ]
    method = draw(st.sampled_from(["GET", "PUT", "POST", "PATCH", "DELETE"]))
    return method, "/v2" + "/".join(parts), draw(queries), draw(envelopes)


@given(request=requests())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_no_request_meets_a_fault(api: Api, request: tuple[str, str, dict[str, str], Any]) -> None:
    method, path, query, body = request
    api.rooms.open(api.account.id, "sales", True, False)
    if await api.store.tokens.look(api.token) is None:
        await api.login()
    answer = await api.call(method, path.replace("{account_id}", api.account.id), body, params=query)
    assert answer.status_code not in (500, 503), answer.text
    if path != "/v2/openapi.json" and answer.headers.get("content-type") == "application/json":
        envelope = answer.json()
        assert envelope["status"] == ("success" if answer.status_code < 400 else "error")
        assert len(envelope["request_id"]) == 32
        if answer.status_code >= 400:
            assert envelope["error"] == str(answer.status_code)
            assert envelope["message"]
