"""Conferences that call, in virtual time: who rings, who joins, and that nothing is left afterwards."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import IPv4Network
from typing import Any

import pytest

from mirliton.calls.live import BadEndpoints, Dialling, Refused
from mirliton.sip.peer import Peer
from mirliton.sip.types import BRIDGE_HEADER

from ..fakes import FakeEngine
from .house import ACCOUNT, OTHER_ACCOUNT, ROOM, House, Phone

pytestmark = pytest.mark.looptime

PHONE = "sip:anna@192.0.2.1"
OTHER_PHONE = "sip:bruno@192.0.2.2"
TRUNK: dict[str, Any] = {
    "trunk": "sip:trunk.example.com", "trunk_username": "me", "trunk_password": "s3cret", "numbers": ["+49"],
}  # fmt: skip


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House(**TRUNK)
    made.hosts["trunk.example.com"] = ["203.0.113.1"] * 10
    yield made
    await left_clean(made)


async def left_clean(house: House) -> None:
    """After the end of the server there is no leg, no mix, no call, and every answered call was hung up."""
    await house.dialler.close()
    await house.rooms.close()
    assert not house.engine.legs
    assert not house.engine.open_mixes
    assert house.dialler.statistics.active == 0
    assert all(invite.session.over for invite in house.sip.invites if invite.session)


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_an_address_that_answers_is_in_the_room(house: House) -> None:
    dialling: Dialling = house.dialler
    house.sip.phones[PHONE] = Phone()
    responses = await dialling.dial(ACCOUNT, ROOM, {"endpoints": [PHONE], "custom_application_vars": {"foo": "bar"}})
    (response,) = responses
    assert (response["status"], response["endpoint_id"]) == ("success", PHONE)
    assert response["job_id"]
    (member,) = house.participants()
    assert member["call_id"] == response["call_id"] == house.sip.invites[0].options["call_id"]
    assert (member["caller_id_number"], member["custom_application_vars"]) == ("anna", {"foo": "bar"})
    assert (member["speak"], member["hear"], member["is_moderator"]) == (True, True, False)
    (leg,) = house.engine.legs
    assert leg.agreements[0].remote_address == "192.0.2.7"
    assert leg.agreements[0].signalling_address == "192.0.2.1"


async def test_the_phone_sees_the_conference_or_what_the_request_says(house: House) -> None:
    for phone in (PHONE, OTHER_PHONE):
        house.sip.phones[phone] = Phone()
    await house.dial(PHONE)
    await house.dial(OTHER_PHONE, caller_id_name="Conference\r\nXYZ", caller_id_number="555 1212")
    first, second = (invite.options for invite in house.sip.invites)
    assert (first["display"], first["from_uri"]) == ("sales", "sip:mirliton@acc.example.org")
    assert (second["display"], second["from_uri"]) == ("ConferenceXYZ", "sip:555%201212@acc.example.org")


async def test_endpoints_ring_at_the_same_time_and_are_answered_for_in_order(house: House) -> None:
    house.sip.phones = {PHONE: Phone(20.0), OTHER_PHONE: Phone(15.0, code=486)}
    began = now()
    slow, busy, never = await house.dial(PHONE, OTHER_PHONE, "sip:nobody@192.0.2.3", timeout=25)
    assert now() - began == pytest.approx(25.0, abs=0.1)
    assert [slow["status"], busy["status"], never["status"]] == ["success", "error", "error"]
    assert (busy["message"], never["message"]) == ("busy", "no answer")
    assert len({one["call_id"] for one in (slow, busy, never)}) == 3
    assert len(house.engine.legs) == 1


async def test_a_refusal_says_what_the_other_side_said(house: House) -> None:
    house.sip.phones = {PHONE: Phone(code=488), OTHER_PHONE: Phone(code=603)}
    first, second = await house.dial(PHONE, OTHER_PHONE)
    assert (first["message"], second["message"]) == ("refused: 488 Whatever Phrase", "declined")
    assert house.dialler.statistics.unreached == 2
    assert not house.engine.legs


async def test_a_users_phones_ring_together_and_the_first_to_answer_wins(house: House) -> None:
    user = house.callees.put("u" * 32, "user", first_name="Anna", last_name="Lind", username="anna")
    house.device(1, "sip:desk@10.0.0.1", seconds=9.0, owner_id=user)
    house.device(2, "sip:soft@10.0.0.2", "sip:cell@10.0.0.3", seconds=5.0, owner_id=user)
    house.device(3, "sip:off@10.0.0.4", owner_id=user, enabled=False)
    house.sip.phones["sip:cell@10.0.0.3"].seconds = 3.0
    (response,) = await house.dial(user)
    assert (response["status"], response["endpoint_id"]) == ("success", user)
    assert sorted(house.sip.called) == ["sip:cell@10.0.0.3", "sip:desk@10.0.0.1", "sip:soft@10.0.0.2"]
    assert {invite.at for invite in house.sip.invites} == {house.sip.invites[0].at}
    assert {invite.uri for invite in house.sip.invites if invite.cancelled} == {
        "sip:desk@10.0.0.1",
        "sip:soft@10.0.0.2",
    }
    (member,) = house.participants()
    assert (member["caller_id_name"], member["call_id"]) == ("Anna Lind", response["call_id"])
    assert member["custom_channel_vars"] == {
        "account_id": ACCOUNT, "authorizing_id": f"{2:032d}", "owner_id": user,
    }  # fmt: skip
    assert len(house.engine.legs) == 1


async def test_two_phones_that_answer_at_the_same_moment_make_one_member(house: House) -> None:
    device = house.device(1, "sip:one@10.0.0.1", "sip:two@10.0.0.2", seconds=2.0)
    (response,) = await house.dial(device)
    assert response["status"] == "success"
    assert len(house.participants()) == 1
    assert len(house.engine.legs) == 1
    over = [invite.session.over for invite in house.sip.invites if invite.session]
    assert sorted(bool(reason) for reason in over) in ([False], [False, True])


async def test_when_one_phone_declines_the_others_ring_on(house: House) -> None:
    device = house.device(1, "sip:one@10.0.0.1", "sip:two@10.0.0.2")
    house.sip.phones = {"sip:one@10.0.0.1": Phone(1.0, code=486), "sip:two@10.0.0.2": Phone(4.0)}
    (response,) = await house.dial(device)
    assert response["status"] == "success"


async def test_a_registered_phone_is_called_where_it_registered_from(house: House) -> None:
    await house.dial(house.device(1, "sip:anna@10.0.0.1"))
    assert house.sip.invites[0].options["headers"] == {}
    assert house.sip.invites[0].options["flow"] == Peer("udp", "198.51.100.9", 5060)


async def test_a_device_with_a_route_is_called_there_inside_the_operators_networks(house: House) -> None:
    house.sip.phones["sip:gate@192.0.2.5"] = Phone()
    inside = house.callees.put("1" * 32, "device", name="gate", sip={"route": "sip:gate@192.0.2.5"})
    outside = house.callees.put("2" * 32, "device", name="gate", sip={"route": "sip:gate@10.0.0.5"})
    nowhere = house.callees.put("3" * 32, "device", name="gate")
    responses = await house.dial(inside, outside, nowhere)
    assert [response["status"] for response in responses] == ["success", "error", "error"]
    assert responses[2]["message"] == "not registered"
    assert house.sip.called == ["sip:gate@192.0.2.5"]


@pytest.mark.parametrize(
    "uri",
    [
        "sip:x@10.0.0.1",
        "sip:x@evil.example.com",
        "sip:x@no.example.com",
        "sip:x@six.example.com",
        "sip:x@[2001:db8::1]",
        "sip:x@127.1",
        "sip:x@2130706433",
    ],
)
async def test_addresses_outside_the_operators_networks_do_not_ring(house: House, uri: str) -> None:
    house.hosts |= {"evil.example.com": ["127.0.0.1"], "six.example.com": ["2001:db8::1"]}
    house.hosts |= {"127.1": ["127.0.0.1"], "2130706433": ["127.0.0.1"], "[2001:db8::1]": ["2001:db8::1"]}
    (response,) = await house.dial(uri)
    assert response["status"] == "error"
    assert house.sip.called == []
    assert not house.engine.legs


@pytest.mark.parametrize(
    ("uri", "called", "flow"),
    [
        ("sip:x@twofaced.example.com", "sip:x@twofaced.example.com", Peer("udp", "192.0.2.9", 5060)),
        ("sip:x@twofaced.example.com:5070;transport=tcp", "sip:x@192.0.2.9:5070;transport=tcp", None),
    ],
)
async def test_the_address_that_was_checked_is_the_one_that_is_called(
    house: House, uri: str, called: str, flow: Peer | None
) -> None:
    house.hosts["twofaced.example.com"] = ["2001:db8::1 127.0.0.1 192.0.2.9", "127.0.0.1"]
    house.sip.phones[called] = Phone()
    await house.dial(uri)
    assert [(invite.uri, invite.options["flow"]) for invite in house.sip.invites] == [(called, flow)]


async def test_a_device_object_is_called_by_its_route_with_its_password(house: House) -> None:
    house.sip.phones["sip:room@192.0.2.6"] = Phone()
    endpoint = {
        "device_type": "sip_uri",
        "name": "Berlin",
        "bridge": True,
        "sip": {"route": "sip:room@192.0.2.6", "username": "link", "password": "hunter22", "invite_format": "route"},
    }
    responses = await house.dial(endpoint)
    assert responses[0]["status"] == "success"
    assert house.sip.invites[0].options["credentials"] == ("link", "hunter22")
    assert house.sip.invites[0].options["headers"][BRIDGE_HEADER] == "1"
    assert "hunter22" not in str(responses)
    assert house.participants()[0]["caller_id_name"] == "Berlin"
    (leg,) = house.engine.legs
    assert leg.settings.get("voices_only") is True


async def test_secrets_are_in_no_log(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.sip.phones["sip:room@192.0.2.6"] = Phone(code=401)
    sip = {"username": "link", "password": "hunter22"}
    await house.dial(
        {"sip": sip | {"route": "sip:room@192.0.2.6"}}, {"sip": sip | {"route": "sip:x@10.0.0.1"}}, "+4930123"
    )
    with pytest.raises(BadEndpoints) as bad:
        await house.dial({"sip": sip})
    said = capsys.readouterr()
    for secret in ("hunter22", "s3cret"):
        assert secret not in said.out + said.err + str(bad.value) + repr(house.sip.invites[0].uri)


async def test_the_first_leg_has_the_call_id_that_was_asked_for(house: House) -> None:
    for phone in (PHONE, OTHER_PHONE):
        house.sip.phones[phone] = Phone()
    first, second = await house.dial(PHONE, OTHER_PHONE, outbound_call_id="xyz-abc")
    assert first["call_id"] == "xyz-abc"
    assert second["call_id"] != "xyz-abc"
    assert [invite.options["call_id"] for invite in house.sip.invites] == ["xyz-abc", second["call_id"]]


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        (["mute"], {"speak": False, "hear": True}),
        (["deaf"], {"speak": True, "hear": False}),
        (["deaf", "mute"], {"speak": False, "hear": False}),
        (["is_moderator"], {"is_moderator": True}),
        (["video_mute", "disable_moh", "distribute_dtmf"], {"speak": True, "hear": True, "is_moderator": False}),
        (["ghost"], {"member_ghost": True}),
    ],
)
async def test_flags_say_how_they_join(house: House, flags: list[str], shown: dict[str, bool]) -> None:
    house.sip.phones[PHONE] = Phone()
    await house.dial(PHONE, participant_flags=flags)
    member = house.participants()[0]["conference_channel_vars"]
    assert {key: member[key] for key in shown} == shown


async def test_a_called_member_is_not_muted_by_the_conference() -> None:
    house = House(conference={"member": {"join_muted": True, "join_deaf": True, "pins": ["1234"]}})
    house.sip.phones[PHONE] = Phone()
    await house.dial(PHONE)
    (member,) = house.participants()
    assert (member["speak"], member["hear"]) == (True, True)
    await left_clean(house)


async def test_join_existing_makes_no_room_and_rings_at_nobody(house: House) -> None:
    for phone in (PHONE, OTHER_PHONE):
        house.sip.phones[phone] = Phone()
    (response,) = await house.dial(PHONE, participant_flags=["join_existing"])
    assert (response["status"], house.sip.called) == ("error", [])
    await house.dial(PHONE)
    (response,) = await house.dial(OTHER_PHONE, participant_flags=["join_existing"])
    assert response["status"] == "success"


async def test_join_existing_does_not_join_a_room_that_ended_meanwhile(house: House) -> None:
    house.sip.phones = {PHONE: Phone(1.0), OTHER_PHONE: Phone(10.0)}
    await house.dial(PHONE)
    asking = asyncio.ensure_future(house.dial(OTHER_PHONE, participant_flags=["join_existing"]))
    await asyncio.sleep(1.0)
    await house.rooms.command_participants(ACCOUNT, ROOM, None, "kick", {})
    (response,) = await asking
    assert response["status"] == "error"
    assert house.participants() == []


async def test_a_lock_does_not_stop_who_is_called(house: House) -> None:
    house.sip.phones = {PHONE: Phone(), OTHER_PHONE: Phone()}
    await house.dial(PHONE)
    await house.rooms.command_room(ACCOUNT, ROOM, "lock", {})
    (response,) = await house.dial(OTHER_PHONE)
    assert response["status"] == "success"
    assert len(house.participants()) == 2


async def test_a_full_conference_tells_who_is_called_and_who_called() -> None:
    house = House(conference={"max_participants": 2, "max_members_media": "full"})
    phones = [f"sip:{name}@192.0.2.1" for name in ("a", "b", "c")]
    house.sip.phones = dict(zip(phones, (Phone(1.0), Phone(2.0), Phone(3.0)), strict=True))
    asking = asyncio.ensure_future(house.dial(*phones))
    await asyncio.sleep(3.5)
    late = next(leg for leg in house.engine.legs if leg.mix is None)
    assert late.heard == ["full"]
    responses = await asking
    assert [response["status"] for response in responses] == ["success", "success", "error"]
    assert "full" in responses[2]["message"]
    assert house.sip.invites[2].session is not None
    assert house.sip.invites[2].session.over
    await left_clean(house)


async def test_an_answer_without_common_media_is_hung_up(house: House) -> None:
    house.sip.phones[PHONE] = Phone(sdp=b"v=0\r\n")
    (response,) = await house.dial(PHONE)
    assert response["status"] == "error"
    assert house.sip.invites[0].session is not None
    assert house.sip.invites[0].session.hang_ups == 1
    assert house.dialler.statistics.not_acceptable == 1
    assert not house.engine.legs


async def test_without_a_leg_nobody_rings() -> None:
    house = House(engine=FakeEngine(max_legs=1))
    house.sip.phones = {PHONE: Phone(), OTHER_PHONE: Phone()}
    first, second = await house.dial(PHONE, OTHER_PHONE)
    assert (first["status"], second["status"]) == ("success", "error")
    assert house.sip.called == [PHONE]
    assert house.dialler.statistics.media_full == 1
    await left_clean(house)


async def test_a_member_who_hangs_up_leaves_and_nothing_stays(house: House) -> None:
    house.sip.phones[PHONE] = Phone()
    await house.dial(PHONE)
    session = house.sip.invites[0].session
    assert session is not None
    session.end("BYE")
    await asyncio.sleep(10.0)
    assert house.participants() == []
    assert not house.engine.legs
    assert house.dialler.statistics.active == 0


async def test_a_phone_that_sends_nothing_is_hung_up(house: House) -> None:
    house.sip.phones[PHONE] = Phone()
    await house.dial(PHONE)
    (leg,) = house.engine.legs
    leg.silent_for_ms = 61_000.0
    await asyncio.sleep(70.0)
    assert house.dialler.statistics.silent == 1
    assert house.participants() == []


async def test_the_end_of_the_server_cancels_what_rings_and_hangs_up_what_talks(house: House) -> None:
    house.sip.phones[PHONE] = Phone()
    await house.dial(PHONE)
    asking = asyncio.ensure_future(house.dial(OTHER_PHONE))
    await asyncio.sleep(1.0)
    await house.dialler.close()
    (response,) = await asking
    assert (response["status"], response["message"]) == ("error", "the server stops")
    assert house.sip.invites[1].cancelled
    with pytest.raises(Refused):
        await house.dial(PHONE)


async def test_calls_go_on_when_nobody_waits_for_the_answer(house: House) -> None:
    house.sip.phones[PHONE] = Phone()
    asking = asyncio.ensure_future(house.dial(PHONE))
    await asyncio.sleep(0.5)
    asking.cancel()
    await asyncio.sleep(1.0)
    assert len(house.participants()) == 1


async def test_an_unknown_conference_is_an_ad_hoc_room_set_up_by_the_request(house: House) -> None:
    house.sip.phones[PHONE] = Phone()
    settings: dict[str, Any] = {
        "play_entry_tone": "ping",
        "profile": {"alone-sound": "", "moh-sound": ""},
        "_private": 1,
    }
    await house.dial(PHONE, room="party", **settings)
    (member,) = house.participants("party")
    assert member["conference_name"] == "party"
    room = house.rooms.find(ACCOUNT, "party")
    assert room is not None
    assert room.settings.enter_sound == "ping"


async def test_devices_and_users_of_other_accounts_do_not_exist(house: House) -> None:
    theirs = house.device(1, "sip:anna@10.0.0.1", account_id=OTHER_ACCOUNT)
    house.callees.extensions[OTHER_ACCOUNT, "100"] = theirs
    with pytest.raises(BadEndpoints) as bad:
        await house.dial(theirs)
    assert [(position, code) for position, code, _ in bad.value.problems] == [(None, "minItems")]
    (response,) = await house.dial("100")
    assert response["status"] == "error"
    assert house.sip.called == []


async def test_unknown_ids_are_skipped_silently(house: House) -> None:
    house.sip.phones[PHONE] = Phone()
    responses = await house.dial("f" * 32, PHONE, "e" * 32)
    assert [response["endpoint_id"] for response in responses] == [PHONE]


async def test_what_is_wrong_with_endpoints_is_told_by_position_and_nobody_rings(house: House) -> None:
    user = house.callees.put("u" * 32, "user")
    conference = house.callees.put("c" * 32, "conference")
    disabled = house.device(1, "sip:x@10.0.0.1", enabled=False)
    with pytest.raises(BadEndpoints) as bad:
        await house.dial(PHONE, "not a number", user, conference, {"sip": {}}, disabled, "sip:", "sip:a@b?Subject=x", 5)
    problems = [(position, code) for position, code, _ in bad.value.problems]
    assert problems == [
        (2, "enum"), (3, "minItems"), (4, "not_found"), (5, "enum"), (6, "not_found"), (7, "enum"), (8, "enum"),
        (9, "enum"),
    ]  # fmt: skip
    assert house.sip.called == []


async def test_a_request_has_a_limit_of_endpoints() -> None:
    house = House(max_endpoints=2)
    with pytest.raises(BadEndpoints) as bad:
        await house.dial(PHONE, PHONE, PHONE)
    assert [(position, code) for position, code, _ in bad.value.problems] == [(None, "maxItems")]


async def test_a_number_goes_over_the_trunk_and_each_minute_begun_is_paid(house: House) -> None:
    house.sip.phones["sip:+4930123@trunk.example.com"] = Phone()
    (response,) = await house.dial("+49 (30) 1-2.3")
    assert (response["status"], response["endpoint_id"]) == ("success", "+4930123")
    assert house.sip.invites[0].options["credentials"] == ("me", "s3cret")
    await asyncio.sleep(130.0)
    assert house.budgets.spent == [(ACCOUNT, 1, 0), (ACCOUNT, 0, 1), (ACCOUNT, 0, 1), (ACCOUNT, 0, 1)]


async def test_a_call_on_the_trunk_ends_when_its_minutes_are_used_up(house: House) -> None:
    house.budgets.minutes = 2
    house.sip.phones["sip:+4930123@trunk.example.com"] = Phone()
    await house.dial("+4930123")
    await asyncio.sleep(115.0)
    assert len(house.participants()) == 1
    await asyncio.sleep(15.0)
    assert house.participants() == []
    assert house.dialler.statistics.over_budget == 1


async def test_without_budget_the_trunk_does_not_ring(house: House) -> None:
    house.budgets.calls = 0
    (response,) = await house.dial("+4930123")
    assert response["status"] == "error"
    assert house.sip.called == []


@pytest.mark.parametrize("number", ["+1900123456", "911", "0049301234", "4930123"])
async def test_numbers_that_the_operator_does_not_allow_do_not_ring(house: House, number: str) -> None:
    (response,) = await house.dial(number)
    assert response["status"] == "error"
    assert house.sip.called == []
    assert house.budgets.spent == []


async def test_without_a_trunk_numbers_do_not_ring() -> None:
    house = House(numbers=["+49"])
    (response,) = await house.dial("+4930123")
    assert (response["status"], house.sip.called) == ("error", [])


async def test_an_extension_is_the_device_behind_it_and_costs_nothing(house: House) -> None:
    device = house.device(1, "sip:anna@10.0.0.1")
    house.callees.extensions[ACCOUNT, "100"] = device
    (response,) = await house.dial("100")
    assert response["status"] == "success"
    assert house.sip.called == ["sip:anna@10.0.0.1"]
    assert house.budgets.spent == []


async def test_a_duration_beyond_sense_is_cut(house: House) -> None:
    began = now()
    await house.dial(PHONE, timeout=10**9)
    assert now() - began < 400


async def test_a_failure_of_our_own_is_logged_and_fails_one_endpoint_only(house: House) -> None:
    device = house.device(1, "sip:anna@10.0.0.1")
    house.hosts["example.com"] = ["what no resolver answers"]
    first, second = await house.dial("sip:x@example.com", device)
    assert (first["status"], second["status"]) == ("error", "success")
    assert house.dialler.statistics.failed == 1


async def test_one_account_cannot_take_every_call_of_the_server() -> None:
    house = House(max_calls_per_account=2)
    phones = [f"sip:{name}@192.0.2.1" for name in ("a", "b", "c")]
    house.sip.phones = {phone: Phone(2.0) for phone in phones} | {OTHER_PHONE: Phone(2.0)}
    asking = asyncio.ensure_future(house.dial(*phones))
    await asyncio.sleep(1.0)
    (theirs,) = await house.dial(OTHER_PHONE, account=OTHER_ACCOUNT)
    assert theirs["status"] == "success"
    assert [response["status"] for response in await asking] == ["success", "success", "error"]
    assert house.dialler.statistics.over_share == 1
    for invite in house.sip.invites[:2]:
        assert invite.session is not None
        invite.session.end()
    await asyncio.sleep(1.0)
    first, second = await house.dial(*phones[:2])
    assert (first["status"], second["status"]) == ("success", "success")
    await left_clean(house)


async def test_phones_that_do_not_answer_give_their_places_back() -> None:
    house = House(max_calls_per_account=2)
    device = house.device(1, "sip:one@10.0.0.1", "sip:two@10.0.0.2")
    for seconds, code in ((1.0, 486), (1e6, None), (1.0, None)):
        house.sip.phones = {uri: Phone(seconds, code) for uri in ("sip:one@10.0.0.1", "sip:two@10.0.0.2")}
        (response,) = await house.dial(device)
    assert response["status"] == "success"
    await left_clean(house)


async def test_users_of_one_request_cost_one_reading_of_the_devices(house: House) -> None:
    users = [house.callees.put(letter * 32, "user") for letter in "abd"]
    for number, user in enumerate(users):
        house.device(number, f"sip:phone{number}@10.0.0.1", owner_id=user)
    responses = await house.dial(*users)
    assert [response["status"] for response in responses] == ["success"] * 3
    assert house.callees.listings == 1


async def test_halves_of_characters_go_no_further_than_the_request(house: House) -> None:
    house.sip.phones[PHONE] = Phone()
    device = {"name": "Berlin \ud800", "sip": {"route": PHONE}}
    await house.dial(device, caller_id_name="\udfffAnna", caller_id_number="\ud8001")
    options = house.sip.invites[0].options
    assert (options["display"], options["from_uri"]) == ("Anna", "sip:1@acc.example.org")
    assert house.participants()[0]["caller_id_name"] == "Berlin "
    house.sip.phones["sip:a%0d%0ab@192.0.2.1"] = Phone()
    await house.dial("sip:a%0d%0ab@192.0.2.1")
    assert house.participants()[1]["caller_id_number"] == "ab"


async def test_when_the_budget_cannot_be_read_the_call_ends(house: House) -> None:
    house.sip.phones["sip:+4930123@trunk.example.com"] = Phone()
    await house.dial("+4930123")

    async def broken(*_: Any, **__: Any) -> bool:
        raise RuntimeError("no database")

    house.budgets.spend = broken  # type: ignore[method-assign]
    await asyncio.sleep(70.0)
    assert house.participants() == []
    assert house.dialler.statistics.failed == 1


async def test_a_called_member_waits_for_its_ears_before_it_joins() -> None:
    house = House(settle_seconds=0.5)
    house.sip.phones[PHONE] = Phone(1.0)
    began = now()
    await house.dial(PHONE)
    assert now() - began == pytest.approx(1.5, abs=0.05)
    await left_clean(house)


async def test_a_server_calls_itself_only_to_link_rooms() -> None:
    house = House(uri_networks=[IPv4Network("127.0.0.0/8")])
    for uri in ("sip:3000@127.0.0.1:5099", "sip:3000@127.0.0.1:5099;transport=tcp", "sip:3000@127.9.9.9:5099"):
        (response,) = await house.dial(uri)
        assert response["status"] == "error"
    assert house.sip.called == []
    for uri in ("sip:3000@127.0.0.1:5099", "sip:3000@127.0.0.1"):
        house.sip.phones[uri] = Phone()
    link = {"bridge": True, "sip": {"route": "sip:3000@127.0.0.1:5099", "username": "u", "password": "secret"}}
    responses = await house.dial(link, "sip:3000@127.0.0.1")
    assert [response["status"] for response in responses] == ["success", "success"]
    await left_clean(house)


async def test_the_trunk_and_linked_rooms_have_codecs_of_their_own() -> None:
    house = House(trunk="sip:192.0.2.99", numbers=["+49"])
    bridge = {"device_type": "sip_uri", "bridge": True, "sip": {"route": "sip:room@192.0.2.6", "username": "link",
              "password": "hunter22", "invite_format": "route"}}  # fmt: skip
    house.device(7, "sip:desk@192.0.2.5")
    asking = asyncio.ensure_future(house.dial(bridge, "+4930123", f"{7:032d}", "sip:somebody@192.0.2.8"))
    await asyncio.sleep(0.1)
    offered = {invite.uri: b"L16/16000" in invite.options["sdp"] for invite in house.sip.invites}
    assert offered == {
        "sip:room@192.0.2.6": True,
        "sip:+4930123@192.0.2.99": True,
        "sip:desk@192.0.2.5": False,
        "sip:somebody@192.0.2.8": False,
    }
    assert all((b"opus" in invite.options["sdp"]) != offered[invite.uri] for invite in house.sip.invites)
    asking.cancel()
    await house.dialler.close()
