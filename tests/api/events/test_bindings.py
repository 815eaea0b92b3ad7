"""What a binding means, and that no text breaks its reading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirliton.api.events.bindings import Address, BadBinding, binding, quote, routing_key


def happening(conference: str = "C", call: str = "call-1", kind: str = "lock") -> Address:
    return Address("acc", conference, call, kind, command=False)


def command(conference: str = "C") -> Address:
    return Address("acc", conference, conference, "", command=True)


TAKEN = [
    ("conference.event.C.*", happening()),
    ("conference.event.C.call-1", happening()),
    ("conference.event.C.a@10.0.0.7", happening(call="a@10.0.0.7")),
    ("conference.event.C.a@10%2E0%2E0%2E7", happening(call="a@10.0.0.7")),
    ("conference.event.lock.C.*", happening()),
    ("conference.event.lock.C.call-1", happening()),
    ("conference.event.lock.C.a@10.0.0.7", happening(call="a@10.0.0.7")),
    ("conference.event.*.C.*", happening()),
    ("conference.event.*.*", happening("anything")),
    ("conference.event.*.*.*", happening("anything")),
    ("conference.event.lock.*", happening("lock", kind="unlock")),
    ("conference.event.our%2Eroom.*", happening("our.room")),
    ("conference.event.floor-change.C.*", happening(kind="floor-change")),
    ("conference.command.C", command()),
    ("conference.command.our%2Eroom", command("our.room")),
]

NOT_TAKEN = [
    ("conference.event.C.*", happening("D")),
    ("conference.event.C.call-1", happening(call="call-2")),
    ("conference.event.lock.C.*", happening(kind="unlock")),
    ("conference.event.lock.C.*", happening("lock")),
    ("conference.event.lock.*", happening("C")),
    ("conference.event.C.*", command()),
    ("conference.event.*.*", command()),
    ("conference.command.C", happening()),
    ("conference.command.C", command("D")),
]

REFUSED = [
    "", "conference", "conference.event", "conference.event.", "conference.event.C", "conference.event.C.",
    "conference.event..*", "conference.event.*.call-1", "conference.event.lock.*.*", "conference.event.lock.*.call-1",
    "conference.event.lock..*", "conference.event.our.room.*", "conference.event.knock.C.*", "conference.command.",
    "conference.command.*", "conference.command.a.b", "conference.command", "call.CHANNEL_CREATE.*", "*",
    "Conference.event.C.*", "conference.event." + "x" * 512 + ".*",
]  # fmt: skip


@pytest.mark.parametrize(("text", "address"), TAKEN)
def test_a_binding_takes_its_events(text: str, address: Address) -> None:
    assert binding(text).takes(address)


@pytest.mark.parametrize(("text", "address"), NOT_TAKEN)
def test_a_binding_leaves_the_others(text: str, address: Address) -> None:
    assert not binding(text).takes(address)


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_binding_is_refused(text: str) -> None:
    with pytest.raises(BadBinding):
        binding(text)


@pytest.mark.parametrize("text", ["conference.event.*.call-1", "conference.event.lock.*.*", "conference.command.*"])
def test_all_conferences_at_once_are_refused_as_kazoo_does(text: str) -> None:
    with pytest.raises(BadBinding, match="ConferenceId required"):
        binding(text)


@pytest.mark.parametrize("value", [None, 5, ["conference.event.C.*"], {}])
def test_only_texts_are_bindings(value: object) -> None:
    with pytest.raises(BadBinding):
        binding(value)


def test_the_pattern_has_the_account_in_it() -> None:
    assert binding("conference.event.C.*").pattern("acc") == "conference.event.*.acc.C.*"
    assert binding("conference.event.lock.C.x.y").pattern("acc") == "conference.event.lock.acc.C.x%2Ey"
    assert binding("conference.event.*.*").pattern("acc") == "conference.event.*.acc.*.*"
    assert binding("conference.command.C").pattern("acc") == "conference.command.C"


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_any_conference_and_call_can_be_bound_when_they_are_quoted(conference: str, call: str) -> None:
    found = binding(f"conference.event.{quote(conference)}.{quote(call)}")
    assert found.takes(happening(conference, call))
    assert not found.takes(happening(conference + "x", call))
    assert not found.takes(happening(conference, call + "x"))


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_a_routing_key_has_six_parts_whatever_the_ids_are(conference: str, call: str) -> None:
    assert routing_key(happening(conference, call)).count(".") == 5


@given(st.lists(st.sampled_from(["conference", "event", "command", "lock", "*", "C", "", "%2E", "%", "a.b"])))
def test_no_text_breaks_the_reading(parts: list[str]) -> None:
    text = ".".join(parts)
    try:
        found = binding(text)
    except BadBinding:
        return
    assert found.text == text
    assert found.conference_id != "*"
