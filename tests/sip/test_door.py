"""Bridges, links and replayed passwords at the door, said by hand on a raw socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from sipmessage import Response

from mirliton.settings import SipSettings
from mirliton.sip.admission import Attempts
from mirliton.sip.agent import SipAgent
from mirliton.sip.digest import answer_challenges, ha1, response_for
from mirliton.sip.grammar import parse_parameters
from mirliton.sip.links import read_link
from mirliton.sip.message import to_tag
from mirliton.sip.types import BRIDGE_HEADER, Bridge, Credential, Link, Session

from .conftest import ANSWER, OFFER, Credentials, StartAgent
from .messages import invite
from .raw import Datagrams

BRIDGE = Bridge("account", "conference")


class WithBridge(Credentials):
    """`alice` is a device; `mixer` is a bridge with the password `tunnel`."""

    async def credential(self, realm: str, username: str) -> Credential | None:
        if username != "mixer":
            return await super().credential(realm, username)
        return Credential(BRIDGE, {name: ha1(name, username, realm, "tunnel") for name in ("MD5", "SHA-256")})


@dataclass
class Server:
    """An agent, whom it answered, and which links it was asked about."""

    agent: SipAgent
    sessions: list[Session]
    asked: list[Link]

    @property
    def port(self) -> int:
        return self.agent.listening[1]


@pytest.fixture(params=[[], ["127.0.0.0/8"]], ids=["stranger", "trusted"])
def trusted(request: pytest.FixtureRequest) -> list[str]:
    found: list[str] = request.param
    return found


@asynccontextmanager
async def served(trusted: list[str], *, links: bool = True, per_minute: int = 30) -> AsyncIterator[Server]:
    sessions: list[Session] = []
    asked: list[Link] = []

    async def handler(session: Session) -> None:
        sessions.append(session)
        await session.answer(ANSWER)

    async def admits(link: Link) -> bool:
        asked.append(link)
        if link.token == "broken":
            raise OSError("no database")
        return link.token == "good"

    settings = SipSettings.model_validate(
        {"listen": "127.0.0.1:0", "trusted": trusted, "link_attempts_per_minute": per_minute}
    )
    agent = SipAgent(settings, handler, WithBridge(), admits=admits if links else None)
    await agent.start()
    try:
        yield Server(agent, sessions, asked)
    finally:
        await agent.stop()


@pytest.fixture
async def server(trusted: list[str]) -> AsyncIterator[Server]:
    async with served(trusted) as server:
        yield server


@pytest.fixture
async def stranger_server() -> AsyncIterator[Server]:
    async with served([]) as server:
        yield server


async def hang_up(raw: Datagrams, accepted: Response, cseq: int = 9) -> None:
    assert (await raw.ask("BYE", cseq=cseq, to_tag=to_tag(accepted))).code == 200


def authorization(challenged: Response, method: str, username: str, password: str) -> str:
    offered = challenged.headers.getlist("WWW-Authenticate")
    uri = "sip:1000@127.0.0.1"
    return f"Authorization: {answer_challenges(offered[1:], method, uri, username, password)}"


# -- bridges -----------------------------------------------------------------------------------------------------------


async def test_a_bridge_is_challenged_wherever_it_comes_from_and_known_by_its_password(server: Server) -> None:
    with Datagrams(server.port) as raw:
        marked = ("X-Mirliton-Bridge: 1",)
        challenged = await raw.ask("INVITE", body=OFFER, headers=marked, branch="z9hG4bKa")
        assert challenged.code == 401
        answer = authorization(challenged, "INVITE", "mixer", "tunnel")
        accepted = await raw.ask("INVITE", body=OFFER, cseq=2, headers=(*marked, answer), branch="z9hG4bKb")
        assert accepted.code == 200
        await hang_up(raw, accepted)
    (session,) = server.sessions
    assert (session.bridge, session.device) == (BRIDGE, None)


async def test_an_agent_calls_as_a_bridge(start_agent: StartAgent, server: Server) -> None:
    mixer = await start_agent()
    session = await mixer.invite(
        f"sip:conference-id@127.0.0.1:{server.port}",
        OFFER,
        headers={BRIDGE_HEADER: "1"},
        credentials=("mixer", "tunnel"),
    )
    assert server.sessions[0].bridge == BRIDGE
    assert server.sessions[0].request_user == "conference-id"
    await session.hang_up()


async def test_a_bridge_with_a_wrong_password_is_refused(server: Server) -> None:
    with Datagrams(server.port) as raw:
        marked = ("X-Mirliton-Bridge: 1",)
        challenged = await raw.ask("INVITE", body=OFFER, headers=marked, branch="z9hG4bKa")
        answer = authorization(challenged, "INVITE", "mixer", "guess")
        refused = await raw.ask("INVITE", body=OFFER, cseq=2, headers=(*marked, answer), branch="z9hG4bKb")
    assert refused.code == 401
    assert server.sessions == []
    assert server.agent.statistics()["rejected: wrong password"] == 1


async def test_a_device_that_calls_itself_a_bridge_is_still_a_device(server: Server) -> None:
    with Datagrams(server.port) as raw:
        marked = ("X-Mirliton-Bridge: 1",)
        challenged = await raw.ask("INVITE", body=OFFER, headers=marked, branch="z9hG4bKa")
        answer = authorization(challenged, "INVITE", "alice", "secret")
        accepted = await raw.ask("INVITE", body=OFFER, cseq=2, headers=(*marked, answer), branch="z9hG4bKb")
        await hang_up(raw, accepted)
    (session,) = server.sessions
    assert session.bridge is None
    assert session.device is not None


async def test_a_bridge_cannot_register(server: Server) -> None:
    with Datagrams(server.port) as raw:
        challenged = await raw.ask("REGISTER")
        answer = authorization(challenged, "REGISTER", "mixer", "tunnel")
        assert (await raw.ask("REGISTER", cseq=2, headers=(answer,))).code == 403
    assert len(server.agent.registrar) == 0


async def test_the_bridge_header_asks_for_a_password_even_with_a_good_link(stranger_server: Server) -> None:
    with Datagrams(stranger_server.port) as raw:
        headers = ("X-Mirliton-Bridge: 1", "X-Auth-Token: good")
        refused = await raw.ask("INVITE", uri="sip:conference@127.0.0.1", body=OFFER, headers=headers)
    assert refused.code == 401
    assert stranger_server.asked == []


# -- links -------------------------------------------------------------------------------------------------------------

GOOD = ("X-Auth-Token: good",)


@pytest.mark.parametrize(
    ("uri", "headers", "conference"),
    [
        ("sip:conference@127.0.0.1", GOOD, None),
        ("sip:conference+c1@127.0.0.1", GOOD, "c1"),
        ("sip:conference+c1@127.0.0.1", ("X-Conference-Token: good",), "c1"),
        ("sip:conference+c1@127.0.0.1;auth=good", (), "c1"),
        ("sip:conference@127.0.0.1?X-Auth-Token=good", (), None),
        ("sip:conference%2Bc1@127.0.0.1?a=b&x-conference-token=good", (), "c1"),
    ],
)
async def test_a_good_link_opens_the_door_for_a_stranger(
    stranger_server: Server, uri: str, headers: tuple[str, ...], conference: str | None
) -> None:
    with Datagrams(stranger_server.port) as raw:
        accepted = await raw.ask("INVITE", uri=uri, body=OFFER, headers=headers)
        assert accepted.code == 200
        await hang_up(raw, accepted)
    (session,) = stranger_server.sessions
    assert session.link == Link("good", conference)
    assert (session.device, session.bridge) == (None, None)


@pytest.mark.parametrize(
    ("method", "uri", "headers"),
    [
        ("INVITE", "sip:conference@127.0.0.1", ()),
        ("INVITE", "sip:conference@127.0.0.1", ("X-Auth-Token:",)),
        ("INVITE", "sip:conference+@127.0.0.1", GOOD),
        ("INVITE", "sip:conferences@127.0.0.1", GOOD),
        ("INVITE", "sip:CONFERENCE@127.0.0.1", GOOD),
        ("INVITE", "sip:1000@127.0.0.1", GOOD),
        ("INVITE", "sip:127.0.0.1", GOOD),
        ("INVITE", "tel:conference", ()),
        ("REGISTER", "sip:conference@127.0.0.1", GOOD),
        ("OPTIONS", "sip:conference@127.0.0.1", GOOD),
    ],
)
async def test_nothing_but_a_call_to_conference_with_a_token_is_asked_about(
    stranger_server: Server, method: str, uri: str, headers: tuple[str, ...]
) -> None:
    with Datagrams(stranger_server.port) as raw:
        assert (await raw.ask(method, uri=uri, body=OFFER, headers=headers)).code == 401
    assert stranger_server.asked == []
    assert stranger_server.sessions == []


async def test_a_bad_link_is_a_stranger_like_others(stranger_server: Server) -> None:
    with Datagrams(stranger_server.port) as raw:
        refused = await raw.ask("INVITE", uri="sip:conference@127.0.0.1", body=OFFER, headers=("X-Auth-Token: forged",))
    assert refused.code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Digest ")
    assert stranger_server.asked == [Link("forged", None)]
    assert stranger_server.agent.statistics()["rejected: bad link"] == 1


async def test_links_open_nothing_where_nobody_gives_them_out() -> None:
    async with served([], links=False) as server:
        with Datagrams(server.port) as raw:
            assert (await raw.ask("INVITE", uri="sip:conference@127.0.0.1", body=OFFER, headers=GOOD)).code == 401


async def test_links_cannot_be_guessed_fast() -> None:
    async with served([], per_minute=3) as server:
        with Datagrams(server.port) as raw:
            answers = [
                await raw.ask(
                    "INVITE",
                    uri="sip:conference@127.0.0.1",
                    body=OFFER,
                    headers=(f"X-Auth-Token: guess-{n}",),
                    call=f"call-{n}",
                    branch=f"z9hG4bK{n}",
                )
                for n in range(6)
            ]
        assert [answer.code for answer in answers] == [401, 401, 401, 503, 503, 503]
        assert answers[-1].headers["Retry-After"] == "5"
        assert len(server.asked) == 3
        assert server.agent.statistics()["rejected: too many links"] == 3


async def test_whoever_gives_out_links_may_fail(stranger_server: Server) -> None:
    with Datagrams(stranger_server.port) as raw:
        broken = ("X-Auth-Token: broken",)
        assert (await raw.ask("INVITE", uri="sip:conference@127.0.0.1", body=OFFER, headers=broken)).code == 500
    assert stranger_server.sessions == []


async def test_a_trusted_caller_is_not_asked_for_but_its_link_is_told() -> None:
    async with served(["127.0.0.0/8"]) as server:
        with Datagrams(server.port) as raw:
            accepted = await raw.ask("INVITE", uri="sip:conference+x@127.0.0.1", body=OFFER, headers=GOOD)
            await hang_up(raw, accepted)
        assert server.asked == []
        assert server.sessions[0].link == Link("good", "x")


def test_a_link_with_too_many_fields_is_none() -> None:
    assert read_link(invite(uri="sip:conference@127.0.0.1?" + "&".join(f"a{n}=1" for n in range(40)))) is None
    assert read_link(invite(uri="sip:conference@127.0.0.1?X-Auth-Token=a+b%2Fc")) == Link("a+b/c", None)


def test_attempts_are_counted_for_each_source_and_for_a_bounded_number_of_them() -> None:
    attempts = Attempts(2, max_sources=2)
    assert [attempts.take("a", 0) for _ in range(3)] == [True, True, False]
    assert attempts.take("b", 0)
    assert not attempts.take("a", 29)
    assert attempts.take("a", 30)
    assert attempts.take("c", 30)
    assert len(attempts) == 2


# -- replay ------------------------------------------------------------------------------------------------------------


class Eavesdropper:
    """Knows the nonce and HA1 of a phone, and counts as it likes."""

    def __init__(self, challenged: Response) -> None:
        offered = parse_parameters(challenged.headers.getlist("WWW-Authenticate")[1].partition(" ")[2], ",")
        self._nonce = offered["nonce"] or ""

    def header(self, count: str) -> str:
        secret = ha1("MD5", "alice", "mirliton.local", "secret")
        uri = "sip:1000@127.0.0.1"
        response = response_for("MD5", secret, self._nonce, count, "c", "INVITE", uri)
        return (
            f'Authorization: Digest username="alice", realm="mirliton.local", nonce="{self._nonce}", uri="{uri}", '
            f'response="{response}", algorithm=MD5, cnonce="c", nc={count}, qop=auth'
        )


async def test_a_nonce_count_is_good_for_one_call_only(stranger_server: Server) -> None:
    codes: list[tuple[str, int, bool]] = []
    with Datagrams(stranger_server.port) as raw:
        challenged = await raw.ask("INVITE", body=OFFER)
        tap = Eavesdropper(challenged)
        for number, count in enumerate(
            ("00000001", "00000001", "00000003", "00000002", "00000002", "00000003", "0000000a", "0000000A", "00000000")
        ):
            answer = await raw.ask(
                "INVITE",
                body=OFFER,
                headers=(tap.header(count),),
                call=f"replay-{number}",
                from_tag=f"thief-{number}",
                branch=f"z9hG4bKreplay{number}",
            )
            codes.append((count, answer.code, "stale=true" in (answer.headers.get("WWW-Authenticate") or "")))
            if answer.code == 200:
                await raw.ask("BYE", cseq=2, call=f"replay-{number}", from_tag=f"thief-{number}", to_tag=to_tag(answer))
    assert codes == [
        ("00000001", 200, False),
        ("00000001", 401, True),
        ("00000003", 200, False),
        ("00000002", 200, False),
        ("00000002", 401, True),
        ("00000003", 401, True),
        ("0000000a", 200, False),
        ("0000000A", 401, True),
        ("00000000", 401, True),
    ]
    assert stranger_server.agent.statistics()["rejected: stale nonce"] == 5
    assert len(stranger_server.sessions) == 4


async def test_a_repeated_datagram_is_no_replay(stranger_server: Server) -> None:
    with Datagrams(stranger_server.port) as raw:
        tap = Eavesdropper(await raw.ask("INVITE", body=OFFER))
        fields: dict[str, object] = {"body": OFFER, "cseq": 2, "headers": (tap.header("00000001"),)}
        first = await raw.ask("INVITE", branch="z9hG4bKonce", **fields)
        again = await raw.ask("INVITE", branch="z9hG4bKonce", **fields)
        assert (first.code, again.code, to_tag(first)) == (200, 200, to_tag(again))
        await hang_up(raw, first)
    assert len(stranger_server.sessions) == 1


async def test_an_answer_for_one_method_opens_no_other(stranger_server: Server) -> None:
    with Datagrams(stranger_server.port) as raw:
        tap = Eavesdropper(await raw.ask("INVITE", body=OFFER))
        refused = await raw.ask("REGISTER", headers=(tap.header("00000001"),))
    assert refused.code == 401
    assert "stale" not in refused.headers["WWW-Authenticate"]


async def test_a_nonce_of_another_server_is_stale(start_agent: StartAgent, stranger_server: Server) -> None:
    other = await start_agent(trusted=[])
    with Datagrams(other.listening[1]) as raw:
        tap = Eavesdropper(await raw.ask("INVITE", body=OFFER))
    with Datagrams(stranger_server.port) as raw:
        refused = await raw.ask("INVITE", body=OFFER, headers=(tap.header("00000001"),))
    assert refused.code == 401
    assert "stale=true" in refused.headers["WWW-Authenticate"]
