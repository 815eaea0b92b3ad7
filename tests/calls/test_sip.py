"""What the network does to SIP: loss, repetition, crossing, odd pieces (RFC 3261 sections 9, 13, 17, 18)."""

import asyncio
import shutil
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from .measuring import TONES, hear_each_other, hears
from .raw import HOST, RawAudio, RawCaller, audio_address, offer
from .switchboard import Switchboard, new_number
from .together import Together

together = Together()

ANNA, BRUNO = TONES[0], TONES[3]
SCENARIOS = Path(__file__).parent / "scenarios"


@together
async def test_a_lost_200_is_sent_again_and_the_caller_comes_into_the_room(board: Switchboard) -> None:
    number, name = await board.quiet_room()
    async with RawAudio(ANNA) as audio:
        with RawCaller(board.server.sip, number) as caller:
            await caller.send("INVITE", 1, offer(audio.port))
            lost = [await caller.final("INVITE") for _ in range(2)]
            answered = await caller.final("INVITE")
            assert {str(one.headers.get("To")) for one in lost} == {str(answered.headers.get("To"))}
            assert lost[0].body == answered.body
            caller.confirm(answered)
            await caller.send("ACK", 1)
            audio.remote = audio_address(answered)
            bruno = await board.dial(number, BRUNO)
            await asyncio.gather(hears(bruno, ANNA), hears(audio, BRUNO))
            await board.present(name, 2)
            await caller.bye()


@together
async def test_a_repeated_invite_is_one_call(board: Switchboard) -> None:
    number, name = await board.quiet_room()
    with RawCaller(board.server.sip, number) as caller:
        for _ in range(3):
            await caller.send("INVITE", 1, offer(6000))
        answered = await caller.final("INVITE")
        await caller.send("INVITE", 1, offer(6000))
        again = await caller.final("INVITE")
        assert again.headers.get("To") == answered.headers.get("To")
        caller.confirm(answered)
        await caller.send("ACK", 1)
        assert len(await board.present(name, 1)) == 1
        await caller.bye()
    await board.present(name, 0)


@together
async def test_a_call_whose_ack_is_lost_still_ends_by_its_bye(board: Switchboard) -> None:
    number, name = await board.quiet_room()
    with RawCaller(board.server.sip, number) as caller:
        await caller.send("INVITE", 1, offer(6000))
        caller.confirm(await caller.final("INVITE"))
        await board.present(name, 1)
        await caller.bye()
        await board.present(name, 0)


@together
async def test_a_cancel_that_crosses_the_answer_is_taken_and_the_call_ends_by_bye(board: Switchboard) -> None:
    number, name = await board.quiet_room()
    for _ in range(5):
        with RawCaller(board.server.sip, number) as caller:
            await caller.send("INVITE", 1, offer(6000))
            await caller.send("CANCEL", 1)
            assert (await caller.final("CANCEL")).code in (200, 481)
            answered = await caller.final("INVITE")
            assert answered.code in (200, 487)
            if answered.code == 200:
                caller.confirm(answered)
                await caller.send("ACK", 1)
                await caller.bye()
            else:
                await caller.send("ACK", 1)
    await board.present(name, 0)


@together
async def test_options_tells_what_is_supported(board: Switchboard) -> None:
    with RawCaller(board.server.sip, new_number()) as caller:
        await caller.send("OPTIONS", 1)
        answer = await caller.final("OPTIONS")
        assert answer.code == 200
        assert {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO"} <= {
            word.strip() for word in str(answer.headers.get("Allow")).split(",")
        }


@together
async def test_a_request_for_a_call_that_is_not_there_gets_481(board: Switchboard) -> None:
    number, _ = await board.quiet_room()
    with RawCaller(board.server.sip, number) as caller:
        caller.to += ";tag=nobody"
        await caller.send("BYE", 2)
        assert (await caller.final("BYE")).code == 481


@together
async def test_requests_over_tcp_may_come_in_any_pieces(board: Switchboard) -> None:
    number, name = await board.quiet_room()
    with ExitStack() as stack:
        caller = stack.enter_context(RawCaller(board.server.sip, number))
        text = caller.request("INVITE", 1, offer(6000)).replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP")
        reader, writer = await asyncio.open_connection(*board.server.sip)
        stack.callback(writer.close)
        for piece in (b"\r\n\r\n", text[:7], text[7:40], text[40:-30], text[-30:-1], text[-1:]):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)  # else the kernel joins the pieces
        answered = await _final_over_tcp(reader)
        assert b"SIP/2.0 200" in answered.partition(b"\r\n")[0]
        await board.present(name, 1)
        tag = next(line for line in answered.split(b"\r\n") if line.lower().startswith(b"to:")).decode()
        caller.to = tag.partition(":")[2].strip()
        ack, bye = (
            caller.request(method, cseq).replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP")
            for method, cseq in (("ACK", 1), ("BYE", 2))
        )
        writer.write(ack + bye)  # two in one piece
        await writer.drain()
        assert b"SIP/2.0 200" in (await _final_over_tcp(reader)).partition(b"\r\n")[0]
    await board.present(name, 0)


async def _final_over_tcp(reader: asyncio.StreamReader) -> bytes:
    """The head of the next final response; its body is read, too."""
    async with asyncio.timeout(10):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lstrip()  # an answer to our empty lines may come first
            fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
            await reader.readexactly(int(fields.get(b"content-length", b"0")))
            if not head.startswith(b"SIP/2.0 1"):
                return head


@together
async def test_rubbish_on_the_sip_port_disturbs_nobody(board: Switchboard) -> None:
    number, _ = await board.quiet_room()
    calls = {ANNA: await board.dial(number, ANNA)}
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=board.server.sip)
    for rubbish in (
        b"\x00" * 1400, b"INVITE", b"INVITE sip:x SIP/2.0\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n", b"\r\n" * 100,
        b"INVITE sip:3000@h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nContent-Length: -5\r\n\r\n", bytes(range(256)) * 4,
        f"REGISTER sip:{HOST} SIP/2.0\r\nCSeq: 99999999999999999999 REGISTER\r\n\r\n".encode(),
    ):  # fmt: skip
        transport.sendto(rubbish)
    transport.close()
    reader, writer = await asyncio.open_connection(*board.server.sip)
    with closing(writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await writer.drain()
        async with asyncio.timeout(10):
            await reader.read()  # the server closes, or answers, but does not hang
    calls[BRUNO] = await board.dial(number, BRUNO)
    await hear_each_other(calls)


@pytest.mark.skipif(shutil.which("sipp") is None, reason="needs Debian's sip-tester")
@together
async def test_sipp_calls_many_times_and_every_call_ends_well(board: Switchboard) -> None:
    number, name = await board.quiet_room()
    await run_sipp(board, "join_and_leave", number, calls=60, rate=30)
    await board.present(name, 0)


async def run_sipp(board: Switchboard, scenario: str, number: str, *, calls: int, rate: int) -> None:
    """Run SIPp, an implementation that is not ours, and fail with its own words."""
    host, port = board.server.sip
    file = SCENARIOS / f"{scenario}.xml"
    process = await asyncio.create_subprocess_exec(
        "sipp", f"{host}:{port}", "-sf", str(file), "-s", number, "-i", HOST, "-m", str(calls), "-r", str(rate),
        "-nostdin", "-timeout", "40s", "-timeout_error", "-trace_err", "-error_file", "/dev/stderr",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode(errors="replace")
