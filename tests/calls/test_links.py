"""Public links: from a PIN over REST to the room over SIP, past a door that is closed to strangers (semantics 2.3)."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest

from mirliton.links import Invitation, LinkTokens
from mirliton.links.stored import link_secret
from mirliton.phone.listening import find_sound
from mirliton.phone.phone import CallFailed, Phone, PhoneSettings
from mirliton.store import Store

from .measuring import ALIKE, TONES, hears, recording, until
from .raw import RawAudio, RawCaller, audio_address, offer
from .rest import Body
from .serving import Server, serving
from .switchboard import NO_WELCOME, Switchboard, new_number
from .together import Together

ANNA, BRUNO, CARL = TONES[0], TONES[3], TONES[6]
PIN = "2468"
SETTINGS = """
[sip]
trusted = []
link_attempts_per_minute = 600

[links]
public_url = "https://meet.example/join"
attempts_per_minute = 600
"""


@pytest.fixture(scope="module")
def guarded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that trusts nobody, with an address for links."""
    with serving(tmp_path_factory.mktemp("linked"), SETTINGS) as running:
        yield running


strangers = Together(server="guarded_server")
trusted = Together()


async def open_conference(board: Switchboard) -> str:
    """A conference that lets links in, with a PIN and a name of its own; returns its id."""
    return await board.conference(allow_shareable_link=True, member={"pins": [PIN]}, play_welcome=False)


async def redeemed(board: Switchboard, conference_id: str, pin: str = PIN) -> httpx.Response:
    """The answer to somebody without a login who knows the names, and a PIN."""
    name = (await board.rest.call("GET", f"/conferences/{conference_id}"))["name"]
    account = "default" if board.account == board.server.account else "other"
    data = {"account_name": account, "conference_name": name, "conference_pin": pin}
    url = f"http://{board.server.http}/v2/conference_auth"
    return await asyncio.to_thread(httpx.put, url, json={"data": data}, timeout=30)


async def token_for(board: Switchboard, conference_id: str) -> str:
    answer = await redeemed(board, conference_id)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["auth_token"])


def header(token: str) -> str:
    return f"X-Conference-Token: {token}"


async def answer_to(board: Switchboard, user: str, *headers: str) -> int:
    """The code that a stranger's INVITE gets; a call that comes in is hung up."""
    with RawCaller(board.server.sip, user) as caller:
        await caller.send("INVITE", 1, offer(6000), headers)
        answered = await caller.final("INVITE")
        if answered.code != 200:
            await caller.send("ACK", 1)
            return answered.code
        caller.confirm(answered)
        await caller.send("ACK", 1)
        await caller.bye()
        return 200


@asynccontextmanager
async def joined(board: Switchboard, tone: int, user: str, *headers: str) -> AsyncIterator[RawAudio]:
    """A caller who presses no key and sends a tone."""
    async with RawAudio(tone) as audio:
        with RawCaller(board.server.sip, user) as caller:
            await caller.send("INVITE", 1, offer(audio.port), headers)
            answered = await caller.final("INVITE")
            assert answered.code == 200, answered.code
            caller.confirm(answered)
            await caller.send("ACK", 1)
            audio.remote = audio_address(answered)
            yield audio
            await caller.bye()


async def was_asked(audio: RawAudio) -> bool:
    """Whether the question for the PIN was heard."""
    question = recording("conf-enter_conf_pin", audio.rate)
    return (await asyncio.to_thread(find_sound, audio.heard(), question, audio.rate)).score > ALIKE


async def device(board: Switchboard) -> str:
    """A phone of the account; returns its SIP user name."""
    name = f"phone{new_number()}"
    await board.rest.create("devices", {"name": name, "sip": {"username": name, "password": "secret"}})
    return name


async def present_and_no_more(board: Switchboard, conference_id: str, count: int) -> None:
    assert len(await board.rest.participants(conference_id)) == count


@strangers
async def test_strangers_with_a_link_come_in_without_a_question_and_all_hear_each_other(board: Switchboard) -> None:
    conference_id = await open_conference(board)
    number = await board.number(id=conference_id, welcome_prompt=NO_WELCOME)
    token = await token_for(board, conference_id)
    carl = await board.dial(number, CARL, user=await device(board), password="secret")
    carl.press(f"{PIN}#")
    link = header(token)
    async with (
        joined(board, ANNA, "conference", link) as anna,
        joined(board, BRUNO, f"conference+{conference_id}", link) as bruno,
    ):
        await asyncio.gather(hears(anna, BRUNO, CARL), hears(bruno, ANNA, CARL), hears(carl, ANNA, BRUNO))
        present = await board.present(conference_id, 3)
        assert not any(one["conference_channel_vars"]["is_moderator"] for one in present)
        assert not await was_asked(anna)
        assert not await was_asked(bruno)


@strangers
async def test_the_link_that_the_account_makes_works_as_well(board: Switchboard) -> None:
    conference_id = await open_conference(board)
    link = (await board.rest.call("PUT", f"/conference_auth/{conference_id}"))["link"]
    address, _, token = link.partition("?auth=")
    assert address == "https://meet.example/join"
    async with joined(board, ANNA, f"conference+{conference_id}", f"X-Auth-Token: {token}"):
        await board.present(conference_id, 1)


@strangers
async def test_without_a_link_or_with_a_bad_one_strangers_are_challenged(board: Switchboard) -> None:
    conference_id = await open_conference(board)
    token = await token_for(board, conference_id)
    named = f"conference+{conference_id}"
    wrong_letter = "A" if token[-10] != "A" else "B"
    for user, headers in (
        ("conference", []),
        (named, []),
        (named, [f"X-Conference-PIN: {PIN}"]),
        (named, [header("nonsense")]),
        (named, [header(token[:-10] + wrong_letter + token[-9:])]),
        (named, [header(token.rpartition(".")[0] + ".")]),
        ("3000", [header(token)]),
    ):
        assert await answer_to(board, user, *headers) == 401
    await present_and_no_more(board, conference_id, 0)


@strangers
async def test_a_link_opens_its_own_conference_and_no_other(board: Switchboard) -> None:
    conference_id, other_id = await open_conference(board), await open_conference(board)
    link = header(await token_for(board, conference_id))
    assert await answer_to(board, f"conference+{other_id}", link) == 401
    async with joined(board, ANNA, "conference", link, f"X-Conference-ID: {other_id}"):
        await board.present(conference_id, 1)
        await present_and_no_more(board, other_id, 0)


@strangers
async def test_a_link_leads_into_its_own_account(board: Switchboard) -> None:
    other = await board.of_other_account()
    conference_id = await open_conference(other)
    async with joined(board, ANNA, "conference", header(await token_for(other, conference_id))):
        await other.present(conference_id, 1)


@strangers
async def test_an_expired_link_is_none(board: Switchboard) -> None:
    conference_id = await open_conference(board)
    store = Store(None, board.server.log.parent / "data")
    await store.open()
    try:
        tokens = LinkTokens(await link_secret(store))
    finally:
        await store.close()
    invitation = Invitation(board.account.account_id, conference_id, PIN)
    living, _ = tokens.issue(invitation, 0, time.time(), 600)
    expired, _ = tokens.issue(invitation, 0, time.time() - 601, 600)
    assert await answer_to(board, "conference", header(living)) == 200
    assert await answer_to(board, "conference", header(expired)) == 401


@strangers
async def test_revoking_and_every_change_that_matters_end_links(board: Switchboard) -> None:
    conference_id = await open_conference(board)
    path = f"/conferences/{conference_id}"
    first = header(await token_for(board, conference_id))
    await board.rest.call("DELETE", f"/conference_auth/{conference_id}")
    assert await answer_to(board, "conference", first) == 401
    second = header(await token_for(board, conference_id))
    assert await answer_to(board, "conference", second) == 200
    changes: tuple[Body, ...] = (
        {"allow_shareable_link": False},
        {"member": {"pins": []}},
        {"member": {"pins": ["1357"]}},
    )
    for change in changes:
        await board.rest.call("PATCH", path, change)
        assert await answer_to(board, "conference", second) == 401
        await board.rest.call("PATCH", path, {"allow_shareable_link": True, "member": {"pins": [PIN]}})
        assert await answer_to(board, "conference", second) == 200
    await board.rest.call("DELETE", path)
    assert await answer_to(board, "conference", second) == 401


@strangers
async def test_wrong_pins_get_no_token_and_keep_nobody_out(board: Switchboard) -> None:
    conference_id = await open_conference(board)
    for number in range(5):
        assert (await redeemed(board, conference_id, f"000{number}")).status_code == 401
    assert (await redeemed(board, conference_id)).status_code == 201


@strangers
async def test_a_device_with_a_bad_link_is_forbidden_and_it_is_counted(board: Switchboard) -> None:
    before = (await asyncio.to_thread(board.server.metrics))["mirliton_links_refused_total"]
    async with Phone(PhoneSettings(user=await device(board), password="secret")) as phone:
        with pytest.raises(CallFailed) as failure:
            await phone.call(f"sip:conference@{board.account.domain}:{board.server.sip[1]};auth=nonsense")
    assert failure.value.report.code == 403
    assert (await asyncio.to_thread(board.server.metrics))["mirliton_links_refused_total"] == before + 1


@trusted
async def test_a_trusted_caller_brings_the_pin_or_is_asked_for_it(board: Switchboard) -> None:
    conference_id = await open_conference(board)
    user = f"conference+{conference_id}"
    async with joined(board, ANNA, user, f"X-Conference-PIN: {PIN}") as anna:
        await board.present(conference_id, 1)
        assert not await was_asked(anna)
        async with joined(board, BRUNO, "conference", f"X-Conference-ID: {conference_id}", "X-Conference-PIN: 1") as b:
            await until(lambda: was_asked(b), "the question for the PIN is heard")
            await present_and_no_more(board, conference_id, 1)
            b.press(f"{PIN}#")
            await board.present(conference_id, 2)
            await asyncio.gather(hears(anna, BRUNO), hears(b, ANNA))


@trusted
async def test_a_bad_link_from_a_trusted_address_is_forbidden(board: Switchboard) -> None:
    conference_id = await open_conference(board)
    assert await answer_to(board, f"conference+{conference_id}", header("nonsense")) == 403
    token = await token_for(board, conference_id)
    assert await answer_to(board, f"conference+{conference_id}", header(token)) == 200
    assert await answer_to(board, f"conference+{'d' * 32}", header(token)) == 403
