"""What is sent: fields, forms, signatures."""

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from mirliton.webhooks.hook import Hook
from mirliton.webhooks.message import Delivery, message

EVENT = {
    "event": "add-member",
    "sequence": 7,
    "account_id": "a",
    "conference_id": "c",
    "caller_id_name": "Zoë \udcff",
    "conference_vars": {"size": 2, "is_locked": False, "list": [1, None]},
}


def hook(**more: Any) -> Hook:
    given: dict[str, Any] = {"verb": "post", "format": "json", "uri": "https://hook.example/in?key=1", **more}
    return Hook("a", "h", "1-x", hook="conference", attempts=3, secret="key", **given)


def expected_signature(text: bytes) -> str:
    return "sha256=" + hmac.new(b"key", text, hashlib.sha256).hexdigest()


def test_json_is_the_event_and_what_is_said_of_the_delivery() -> None:
    sent = message(hook(custom_data={"mine": "x"}), Delivery("d1", EVENT), 1000.9)
    told = json.loads(sent.content)
    assert told == EVENT | {
        "mine": "x",
        "hook": "conference",
        "hook_event": "conference",
        "custom_data": {"mine": "x"},
        "delivery_id": "d1",
    }
    assert (sent.method, str(sent.url)) == ("POST", "https://hook.example/in?key=1")
    assert sent.headers == {
        "Content-Type": "application/json",
        "X-Mirliton-Delivery": "d1",
        "X-Mirliton-Timestamp": "1000",
        "X-Mirliton-Signature": expected_signature(b"1000." + sent.content),
    }


def test_lost_events_are_told_of_only_when_there_are_any() -> None:
    assert "lost" not in json.loads(message(hook(), Delivery("d1", EVENT), 0).content)
    assert json.loads(message(hook(), Delivery("d1", EVENT, lost=3), 0).content)["lost"] == 3


def test_custom_data_lies_over_the_event_but_not_over_the_delivery() -> None:
    custom = {"event": "mine", "delivery_id": "forged", "sequence": 99}
    told = json.loads(message(hook(custom_data=custom), Delivery("d1", EVENT), 0).content)
    assert (told["event"], told["delivery_id"], told["sequence"]) == ("mine", "d1", 7)


def test_a_form_nests_names() -> None:
    sent = message(hook(format="form-data", verb="put"), Delivery("d1", EVENT), 5)
    pairs = parse_qsl(sent.content.decode(), keep_blank_values=True)
    assert sent.method == "PUT"
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert sent.headers["X-Mirliton-Signature"] == expected_signature(b"5." + sent.content)
    assert ("conference_vars[size]", "2") in pairs
    assert ("conference_vars[is_locked]", "false") in pairs
    assert [value for name, value in pairs if name == "conference_vars[list][]"] == ["1", ""]


def test_get_carries_the_event_behind_the_query_that_the_address_has() -> None:
    sent = message(hook(verb="get"), Delivery("d1", EVENT), 5)
    assert (sent.method, sent.content) == ("GET", b"")
    assert sent.url.query.startswith(b"key=1&event=add-member&")
    assert sent.headers["X-Mirliton-Signature"] == expected_signature(b"5." + sent.url.raw_path.partition(b"?")[2])
    assert "Content-Type" not in sent.headers


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError):
        message(hook(), Delivery("d1", {"event": object()}), 0)
    with pytest.raises(ValueError, match="JSON"):
        message(hook(), Delivery("d1", {"event": float("nan")}), 0)


@pytest.mark.parametrize(
    ("narrowed", "wanted"),
    [
        ({}, True),
        ({"events": frozenset({"add-member", "lock"})}, True),
        ({"events": frozenset({"lock"})}, False),
        ({"conference_id": "c"}, True),
        ({"conference_id": "other"}, False),
        ({"conference_id": "c", "events": frozenset({"lock"})}, False),
    ],
)
def test_a_webhook_can_be_narrowed(narrowed: dict[str, Any], wanted: bool) -> None:
    assert hook(**narrowed).wants(EVENT) is wanted


def test_the_secret_is_not_in_what_logs_show() -> None:
    assert "key'" not in repr(hook())
