"""What an agent refuses, drops and counts."""

import asyncio
from pathlib import Path

import pytest
from sipmessage import Response

from mirliton.sip.digest import answer_challenges
from mirliton.sip.message import to_tag, top_via
from mirliton.sip.types import Session, SessionRefused

from .conftest import OFFER, Credentials, StartAgent, uri_of
from .messages import request_text
from .raw import Datagrams

CORPUS = Path(__file__).parent / "corpus"


async def never_answers(session: Session) -> None:
    await session.ring()


async def closed(reader: asyncio.StreamReader) -> bool:
    """Wait until the other side closed or reset the connection without a word."""
    try:
        return await asyncio.wait_for(reader.read(), 5) == b""
    except ConnectionResetError:
        return True


async def test_more_calls_than_allowed_get_503(start_agent: StartAgent) -> None:
    server, phone = await start_agent(max_calls=1, retry_after_seconds=7), await start_agent()
    await phone.invite(uri_of(server), OFFER)
    with pytest.raises(SessionRefused) as refused:
        await phone.invite(uri_of(server), OFFER)
    assert refused.value.code == 503
    assert server.statistics()["rejected: too many calls"] == 1
    with Datagrams(server.listening[1]) as raw:
        first = await raw.ask("INVITE", body=OFFER, branch="z9hG4bKsame")
        again = await raw.ask("INVITE", body=OFFER, branch="z9hG4bKsame")
    assert first.headers["Retry-After"] == "7"
    assert to_tag(first) == to_tag(again) != ""


async def test_calls_in_a_burst_get_503(start_agent: StartAgent) -> None:
    async def busy(session: Session) -> None:
        session.reject(486)

    server = await start_agent(busy, max_invites_per_second=3)
    with Datagrams(server.listening[1]) as raw:
        codes = [(await raw.ask("INVITE", body=OFFER, call=f"burst-{n}")).code for n in range(8)]
    assert codes[:3] == [486, 486, 486]
    assert 503 in codes
    assert server.statistics()["rejected: too many rate"] == codes.count(503)


async def test_transactions_are_bounded(start_agent: StartAgent) -> None:
    server = await start_agent(max_transactions=2)
    with Datagrams(server.listening[1]) as raw:
        codes = [(await raw.ask("OPTIONS", cseq=n)).code for n in range(1, 5)]
    assert codes == [200, 200, 503, 503]
    assert server.statistics()["transactions"] == 2


async def test_a_call_can_end_while_no_new_transaction_is_taken(start_agent: StartAgent) -> None:
    server = await start_agent(max_transactions=4)
    with Datagrams(server.listening[1]) as raw:
        accepted = await raw.ask("INVITE", body=OFFER)
        assert [(await raw.ask("OPTIONS", cseq=n)).code for n in range(1, 5)] == [200, 200, 200, 503]
        assert (await raw.ask("BYE", cseq=2, to_tag=to_tag(accepted))).code == 200


async def test_garbage_is_dropped_counted_and_never_answered(start_agent: StartAgent) -> None:
    server = await start_agent()
    bad = sorted(CORPUS.glob("bad-*.bin"))
    with Datagrams(server.listening[1]) as raw:
        for file in bad:
            await raw.send(file.read_bytes())
        # The loopback keeps the order: whatever had been answered would come before this.
        assert (await raw.ask("OPTIONS")).code == 200
    statistics = server.statistics()
    assert statistics["garbage"] + statistics.get("keep_alives", 0) == len(bad)


async def test_a_tcp_connection_with_garbage_is_closed_and_the_others_live(start_agent: StartAgent) -> None:
    server = await start_agent()
    reader, writer = await asyncio.open_connection(*server.listening)
    other_reader, other_writer = await asyncio.open_connection(*server.listening)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await closed(reader)
    other_writer.write(b"\r\n\r\n" + request_text("OPTIONS", via="SIP/2.0/TCP 192.0.2.1"))
    assert (await asyncio.wait_for(other_reader.readuntil(b"\r\n\r\n"), 5)).startswith(b"\r\nSIP/2.0 200 OK")
    assert server.statistics()["garbage"] == 1
    for stream in (writer, other_writer):
        stream.close()


async def test_tcp_connections_are_bounded(start_agent: StartAgent) -> None:
    server = await start_agent(max_connections=1)
    _, first = await asyncio.open_connection(*server.listening)
    reader, second = await asyncio.open_connection(*server.listening)
    assert await closed(reader)
    assert server.statistics()["rejected_connections"] == 1
    first.close()
    second.close()


async def test_an_unreachable_tcp_peer_fails_at_once(start_agent: StartAgent) -> None:
    phone, gone = await start_agent(), await start_agent()
    target = uri_of(gone)
    await gone.stop()
    with pytest.raises(SessionRefused) as refused:
        await asyncio.wait_for(phone.invite(target, OFFER, transport="tcp"), 5)
    assert refused.value.code == 408


async def test_a_caller_gives_up_after_its_timeout_and_sends_cancel(start_agent: StartAgent) -> None:
    server, phone = await start_agent(never_answers), await start_agent()
    with pytest.raises(SessionRefused) as refused:
        await phone.invite(uri_of(server), OFFER, timeout=0.05)
    assert refused.value.code == 408
    await phone.stop()
    assert server.statistics()["received CANCEL"] == 1
    assert server.statistics()["sessions"] == 0


@pytest.mark.parametrize(
    ("method", "fields", "code"),
    [
        ("OPTIONS", {}, 200),
        ("SUBSCRIBE", {}, 405),
        ("PRACK", {"to_tag": "x"}, 405),
        ("BYE", {}, 481),
        ("BYE", {"to_tag": "x"}, 481),
        ("UPDATE", {"to_tag": "x"}, 481),
        ("INFO", {}, 481),
        ("CANCEL", {}, 481),
        ("INVITE", {"body": OFFER, "to_tag": "x"}, 481),
        ("INVITE", {"body": OFFER, "uri": "http:x"}, 416),
        ("INVITE", {"body": OFFER, "headers": ("Require: 100rel",)}, 420),
        ("INVITE", {"body": OFFER, "headers": ("Content-Type: text/plain",)}, 415),
        ("INVITE", {"body": OFFER, "headers": ("Session-Expires: 20",)}, 422),
        ("REGISTER", {}, 401),
    ],
)
async def test_requests_out_of_place_get_their_refusal(
    start_agent: StartAgent, method: str, fields: dict[str, object], code: int
) -> None:
    server = await start_agent()
    with Datagrams(server.listening[1]) as raw:
        response = await raw.ask(method, **fields)
    assert response.code == code
    assert server.statistics()["sessions"] == 0


async def test_a_bye_with_the_right_call_id_but_wrong_tags_ends_nothing(start_agent: StartAgent) -> None:
    server = await start_agent()
    with Datagrams(server.listening[1]) as raw:
        accepted = await raw.ask("INVITE", body=OFFER)
        forged = await raw.ask("BYE", cseq=2, to_tag=to_tag(accepted), from_tag="somebody")
        assert forged.code == 481
        assert server.statistics()["sessions"] == 1
        assert (await raw.ask("BYE", cseq=2, to_tag=to_tag(accepted))).code == 200


async def test_the_same_invite_by_another_way_is_a_loop(start_agent: StartAgent) -> None:
    server = await start_agent(never_answers)
    with Datagrams(server.listening[1]) as raw:
        await raw.send(request_text(body=OFFER, via=f"SIP/2.0/UDP 127.0.0.1:{raw.port}"))
        assert (await raw.ask("INVITE", body=OFFER, branch="z9hG4bKother")).code == 482
    assert server.statistics()["sessions"] == 1


async def test_responses_go_where_the_request_came_from_when_it_asks_so(start_agent: StartAgent) -> None:
    server = await start_agent()
    with Datagrams(server.listening[1]) as raw:
        await raw.send(request_text("OPTIONS", via="SIP/2.0/UDP 192.0.2.99:9;rport"))
        response = await raw.receive()
    assert isinstance(response, Response)
    via = top_via(response)
    assert (via.parameters["received"], via.parameters["rport"]) == ("127.0.0.1", str(raw.port))


async def test_a_handler_that_fails_refuses_the_call(start_agent: StartAgent) -> None:
    async def handler(session: Session) -> None:
        raise RuntimeError("our own mistake")

    server, phone = await start_agent(handler), await start_agent()
    with pytest.raises(SessionRefused) as refused:
        await phone.invite(uri_of(server), OFFER)
    assert 400 <= refused.value.code < 600
    assert server.statistics()["sessions"] == 0


async def test_the_end_is_told_once_even_to_those_who_ask_late(start_agent: StartAgent) -> None:
    told: list[str] = []

    async def handler(session: Session) -> None:
        session.reject(486)
        session.on_ended = told.append

    server = await start_agent(handler)
    with Datagrams(server.listening[1]) as raw:
        assert (await raw.ask("INVITE", body=OFFER)).code == 486
        await raw.ask("OPTIONS")
    assert told == ["refused here: 486 Busy Here"]


async def test_a_phone_registers_and_is_found(start_agent: StartAgent) -> None:
    server = await start_agent()
    with Datagrams(server.listening[1]) as raw:
        challenged = await raw.ask("REGISTER", uri="sip:mirliton.local")
        offered = challenged.headers.getlist("WWW-Authenticate")
        value = answer_challenges(offered, "REGISTER", "sip:mirliton.local", "alice", "secret")
        fields: dict[str, object] = {"uri": "sip:mirliton.local", "headers": (f"Authorization: {value}",)}
        assert (await raw.ask("REGISTER", cseq=2, **fields)).code == 200
        replayed = await raw.ask("REGISTER", cseq=3, **fields)
    assert replayed.code == 401
    assert "stale=true" in replayed.headers["WWW-Authenticate"]
    (binding,) = server.registrar.lookup("account", "device", server.now())
    assert binding.flow.port == raw.port


FOREIGN = 'Authorization: Digest username="x", realm="elsewhere", nonce="n", uri="u", response="0", cnonce="c", \
nc=00000001, qop=auth'
GUESSED = FOREIGN.replace("elsewhere", "mirliton.local")


@pytest.mark.parametrize(
    ("trusted", "headers", "code"),
    [
        (["127.0.0.0/8"], (), 200),
        (["127.0.0.0/8"], (FOREIGN,), 200),
        (["127.0.0.0/8"], (GUESSED,), 401),
        (["127.0.0.2/32"], (), 401),
        (["127.0.0.2/32"], (FOREIGN,), 401),
    ],
)
@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
async def test_only_trusted_networks_need_no_password(
    start_agent: StartAgent, method: str, trusted: list[str], headers: tuple[str, ...], code: int
) -> None:
    server = await start_agent(trusted=trusted)
    with Datagrams(server.listening[1]) as raw:
        response = await raw.ask(method, headers=headers, body=OFFER)
        assert response.code == code
        if method == "INVITE" and code == 200:
            assert (await raw.ask("BYE", cseq=2, to_tag=to_tag(response))).code == 200


async def test_a_broken_credential_source_is_a_500(start_agent: StartAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(self: Credentials, domain: str) -> str:
        raise OSError("no database")

    monkeypatch.setattr(Credentials, "realm_for", broken)
    server = await start_agent(trusted=[])
    with Datagrams(server.listening[1]) as raw:
        assert (await raw.ask("INVITE", body=OFFER)).code == 500
    assert server.statistics()["sessions"] == 0


@pytest.mark.slow
async def test_a_cancel_while_the_password_is_checked(start_agent: StartAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(self: Credentials, domain: str) -> str:
        await asyncio.Event().wait()
        return domain

    monkeypatch.setattr(Credentials, "realm_for", slow)
    server, phone = await start_agent(trusted=[]), await start_agent()
    with pytest.raises(SessionRefused):
        await phone.invite(uri_of(server), OFFER, timeout=0.4)  # the 100 that lets the CANCEL go comes after 0.2 s
    await phone.stop()
    assert server.statistics()["received CANCEL"] == 1
    assert phone.statistics()["sessions"] == 0
