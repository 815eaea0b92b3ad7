"""Calls from networks that are not trusted: only a device with its password comes in (RFC 8760, design section 2)."""

from collections.abc import Iterator

import pytest

from mirliton.phone.phone import CallFailed

from .measuring import TONES, hear_each_other
from .serving import Server, serving
from .switchboard import Switchboard, new_number
from .together import Together


@pytest.fixture(scope="module")
def guarded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that trusts nobody."""
    with serving(tmp_path_factory.mktemp("guarded"), "[sip]\ntrusted = []\n") as running:
        yield running


together = Together(server="guarded_server")

ANNA, BRUNO = TONES[0], TONES[3]


async def device(board: Switchboard, password: str, **document: object) -> str:
    """A device; returns its SIP user name."""
    name = f"phone{new_number()}"
    await board.rest.create("devices", {"name": name, "sip": {"username": name, "password": password}, **document})
    return name


async def refused(board: Switchboard, number: str, user: str | None, password: str | None) -> int:
    """The code of the refusal."""
    with pytest.raises(CallFailed) as failure:
        await board.dial(number, user=user, password=password)
    return failure.value.report.code


@together
async def test_devices_with_their_passwords_meet(board: Switchboard) -> None:
    number, name = await board.quiet_room()
    users = [await device(board, "secret-one"), await device(board, "secret-two")]
    calls = {
        ANNA: await board.dial(number, ANNA, user=users[0], password="secret-one"),
        BRUNO: await board.dial(number, BRUNO, user=users[1], password="secret-two", transport="tcp"),
    }
    await hear_each_other(calls)
    await board.present(name, 2)


@together
async def test_a_wrong_password_an_unknown_device_and_no_password_are_refused(board: Switchboard) -> None:
    number, name = await board.quiet_room()
    user = await device(board, "secret")
    for who, password in ((user, "wrong"), (user, ""), ("nobody", "secret"), (None, None)):
        assert await refused(board, number, who, password) in (401, 403)
    assert await board.rest.participants(name) == []


@together
async def test_a_disabled_device_is_refused(board: Switchboard) -> None:
    number, _ = await board.quiet_room()
    user = await device(board, "secret", enabled=False)
    assert await refused(board, number, user, "secret") in (401, 403)
