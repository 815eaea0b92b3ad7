"""SIP that no phone sends: it is refused or dropped, and counted; calls go on and end."""

import random
import socket

import httpx
import pytest

from tests.calls.serving import Server

from .attacker import Attacker, sdp
from .witness import NUMBER, Witness

NINES = "9" * 10_000

NUMBERS: list[str | bytes] = [
    NINES, "%00", "1%0d%0aX-Evil:%201", "%ff%fe", "%ed%a0%80", b"\xff\xfe\xed\xa0\x80", "no_match", "'%20or%201=1--",
    "\u0661\u0662", "%", "%zz%", "..%2f..%2fetc%2fpasswd", "config.conferences", "(a+)+$" + "a" * 120,
]  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: ascii(number)[:24])
def test_numbers_that_no_account_has_are_not_found(attacker: Attacker, number: str | bytes) -> None:
    assert attacker.code(attacker.request("INVITE", number, body=sdp())) == 404


STRANGE: dict[str, dict[str, object]] = {
    "unknown extension": {"headers": ("Require: " + ",".join(f"x{i}" for i in range(3000)),), "wanted": 420},
    "session of no time": {"headers": ("Session-Expires: 0", "Supported: timer"), "wanted": 422},
    "endless session": {"headers": ("Session-Expires: 99999999999", "Supported: timer"), "wanted": 200},
    "routes": {"headers": tuple(f"Record-Route: <sip:a{i}@127.0.0.1;lr>" for i in range(200)), "wanted": 200},
    "broken route": {"headers": ("Record-Route: <sip:broken",), "wanted": 200},
    "junk for a password": {"headers": ("Authorization: Digest " + "a=" * 5000,), "wanted": 200},
    "long password": {
        "headers": (
            f'Authorization: Digest username="{"u" * 5000}", realm="mirliton.local", nonce="{"n" * 5000}", uri="sip:x",'
            ' response="00", nc=00000001, cnonce="x", qop=auth, algorithm=MD5',
        ),
        "wanted": 401,
    },
    "long name": {"name": '"' + '\\"' * 20_000 + '"', "wanted": 200},
    "name of line ends": {"name": '"\u2028\u0085"', "wanted": 200},
    "other body": {"content_type": "multipart/mixed;boundary=x", "wanted": 415},
}


@pytest.mark.parametrize("kind", STRANGE)
def test_strange_headers_get_their_answer(attacker: Attacker, kind: str) -> None:
    fields = dict(STRANGE[kind])
    wanted = fields.pop("wanted")
    invite = attacker.request("INVITE", NUMBER, body=sdp(), call_id=f"strange-{kind.replace(' ', '-')}", **fields)  # type: ignore[arg-type]
    answer = attacker.ask(invite)
    assert int(answer.split(" ", 2)[1]) == wanted
    if wanted == 200:
        tag = answer.partition("\r\nTo:")[2].partition("tag=")[2].partition("\r\n")[0]
        bye = {"call_id": f"strange-{kind.replace(' ', '-')}", "to_tag": tag}
        attacker.send(attacker.request("ACK", **bye))  # type: ignore[arg-type]
        assert attacker.code(attacker.request("BYE", sequence=2, **bye)) == 200  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [
        {"name": '"a\rb"'}, {"headers": ("X: \x00",)}, {"headers": tuple(f"X-{i}: 1" for i in range(300))},
        {"length": 5000}, {"length": -1}, {"length": 10**18}, {"length": "1\r\nContent-Length: 2"},
        {"call_id": "c" * 600}, {"sequence": 2**31},
    ],
    ids=lambda fields: ascii(fields)[:28],
)  # fmt: skip
def test_malformed_requests_are_counted_as_garbage(
    server: Server, attacker: Attacker, fields: dict[str, object]
) -> None:
    before = server.metrics().get("mirliton_sip_garbage_total", 0)
    attacker.send(attacker.request("INVITE", NUMBER, body=sdp(), **fields))  # type: ignore[arg-type]
    assert attacker.alive()  # answered in the order of coming, so the other was read
    assert server.metrics()["mirliton_sip_garbage_total"] == before + 1


AUDIO = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
MEDIA: dict[str, tuple[bytes, int]] = {
    "none": (AUDIO.encode(), 488),
    "port 0": (sdp(0), 488),
    "port 65536": (sdp(65_536), 488),
    "IPv6": (sdp().replace(b"IP4 127.0.0.1\r\nt", b"IP6 ::1\r\nt"), 488),
    "multicast": (sdp(address="239.1.1.1"), 488),
    "broadcast": (sdp(address="255.255.255.255"), 488),
    "a name": (sdp(address="example.invalid"), 488),
    "many formats": (sdp(formats=" ".join(map(str, range(256)))), 488),
    "many attributes": (sdp(attributes="a=x:y\r\n" * 2500), 488),
    "many media": ((AUDIO + "m=audio 4000 RTP/AVP 0\r\n" * 33).encode(), 488),
    "bytes": (bytes(range(256)), 488),
    "events as codec": (sdp(formats="0 8", attributes="a=rtpmap:0 telephone-event/8000\r\na=rtpmap:8 x/1\r\n"), 488),
    "no time": (sdp(attributes="a=ptime:0\r\n"), 200),
    "negative time": (sdp(attributes="a=ptime:-1\r\n"), 200),
    "long time": (sdp(attributes="a=ptime:99999\r\na=maxptime:0\r\n"), 200),
    "no number": (sdp(attributes="a=ptime:\u0662\u0660\r\n"), 200),
    "repeated": (sdp(formats="0 " * 100 + "0"), 200),
    "all directions": (sdp(attributes="a=sendonly\r\na=recvonly\r\na=inactive\r\na=sendrecv\r\n"), 200),
}  # fmt: skip


def test_media_that_cannot_be_are_refused_and_the_call_goes_on(server: Server, attacker: Attacker) -> None:
    dialog = attacker.call(NUMBER)
    sequence = 1
    for name, (body, wanted) in MEDIA.items():
        for method in ("INVITE", "UPDATE"):
            sequence += 1
            request = attacker.request(method, dialog=dialog, sequence=sequence, body=body)
            assert attacker.code(request) == wanted, f"{name} by {method}"
            if method == "INVITE":
                attacker.send(attacker.request("ACK", dialog=dialog, sequence=sequence))
    own_port = sdp(server.sip[1])
    assert attacker.code(attacker.request("UPDATE", dialog=dialog, sequence=sequence + 1, body=own_port)) == 200
    assert attacker.hang_up(dialog) == 200


@pytest.mark.parametrize("method", ["BYE", "UPDATE", "INFO", "OPTIONS", "INVITE", "CANCEL"])
def test_requests_for_a_call_that_is_not_theirs_change_nothing(attacker: Attacker, method: str) -> None:
    dialog = attacker.call(NUMBER)
    forged = [{"to_tag": "forged"}, {"from_tag": "forged"}, {"call_id": dialog.call_id + "x"}]
    assert [attacker.code(attacker.request(method, dialog=dialog, sequence=2, **how)) for how in forged] == [481] * 3  # type: ignore[arg-type]
    attacker.send(attacker.request("ACK", dialog=dialog, from_tag="forged"))
    late = attacker.code(attacker.request(method, dialog=dialog, sequence=1))
    assert late == (481 if method == "CANCEL" else 500)
    assert attacker.hang_up(dialog) == 200


@pytest.mark.parametrize(
    "answer", [b"", b"garbage", sdp(0), sdp(address="239.1.1.1")], ids=["none", "garbage", "port", "group"]
)
def test_an_offer_of_ours_that_gets_no_answer_ends_the_call(server: Server, attacker: Attacker, answer: bytes) -> None:
    dialog = attacker.call(NUMBER, b"")
    attacker.send(attacker.request("ACK", dialog=dialog, body=answer))
    attacker.expect("BYE")


def test_a_flood_of_registrations_is_refused_at_once(server: Server, attacker: Attacker) -> None:
    """Each needs the database; they used to queue up for it until they were answered with 500."""
    for at in range(600):
        attacker.send(attacker.request("REGISTER", f"{at}"))
        if at % 150 == 0:
            assert attacker.alive()
    metrics = server.metrics()
    assert metrics["mirliton_sip_rejected__too_many_checks_total"] > 0
    assert "mirliton_sip_rejected__500_total" not in metrics


def test_a_flood_of_calls_is_refused_by_its_rate(server: Server, witness: Witness, attacker: Attacker) -> None:
    for at in range(1000):
        attacker.send(attacker.request("INVITE", str(at), body=sdp()))
        if at % 50 == 0:
            assert attacker.alive()  # read by now: else the kernel would drop most of them
    witness.undisturbed()
    assert server.metrics()["mirliton_sip_rejected__too_many_rate_total"] > 0


def test_one_tcp_connection_with_thousands_of_requests_stops_nobody(server: Server, attacker: Attacker) -> None:
    with socket.create_connection(server.sip, timeout=10) as connection:
        connection.sendall(b"".join(attacker.request("OPTIONS", transport="TCP") for _ in range(1500)))
        assert attacker.alive()


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n", b"INVITE " + b"a" * 200_000,
        b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: -1\r\n\r\n",
        b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 99999999\r\n\r\n",
        b"OPTIONS sip:a@b SIP/2.0\r\n\r\n", b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 1\r\nl: 2\r\n\r\n",
    ],
    ids=["HTTP", "long", "negative", "huge", "no length", "two lengths"],
)  # fmt: skip
def test_a_stream_that_cannot_be_followed_is_closed(server: Server, data: bytes) -> None:
    with socket.create_connection(server.sip, timeout=10) as connection:
        try:
            connection.sendall(data)
            assert connection.recv(100) == b""
        except ConnectionError:
            pass  # closed before all was sent


def test_random_damage_is_survived(attacker: Attacker) -> None:
    chance = random.Random(5)
    dialog = attacker.call(NUMBER)
    for turn in range(400):
        method = chance.choice(("INVITE", "UPDATE", "INFO", "CANCEL", "OPTIONS", "REGISTER", "ACK"))
        message = bytearray(attacker.request(method, dialog=chance.choice((dialog, None)), body=sdp(), sequence=2))
        for _ in range(chance.randint(1, 8)):
            message[chance.randrange(len(message))] = chance.randrange(256)
        attacker.send(bytes(message[: chance.randint(1, len(message))] if turn % 4 == 0 else message))
    assert attacker.hang_up(dialog) in (200, 481)


def test_a_number_cannot_be_taken_twice_at_once(rest: httpx.Client, server: Server) -> None:
    flow = {"module": "hangup", "data": {}, "children": {}}
    codes = [
        rest.put("/callflows", json={"data": {"numbers": ["5550199"], "flow": flow}}).status_code for _ in range(2)
    ]
    assert codes == [201, 400]
