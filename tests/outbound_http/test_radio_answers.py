"""What radio stations may do and nobody else: answer as Shoutcast does, and send small pieces for ever."""

import httpx
import pytest

from mirliton.outbound_http import RADIO, client
from mirliton.outbound_http.metering import FREE_PIECES

from .local_server import HERE, served

ICY = b"ICY 200 OK\r\nicy-name:x\r\ncontent-type:audio/mpeg\r\n\r\nsound"
SMALL = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * (FREE_PIECES + 100) + b"0\r\n\r\n"


async def test_a_station_may_answer_as_shoutcast_does() -> None:
    async with served(ICY) as local, client(HERE, timeout=5, max_connections=2) as http:
        url = f"http://127.0.0.1:{local.port}/"
        request = http.build_request("GET", url, extensions={RADIO: True})
        response = await http.send(request, stream=True)
        assert (response.status_code, response.headers["content-type"]) == (200, "audio/mpeg")
        parts = response.aiter_raw()
        assert await anext(parts) == b"sound"
        await response.aclose()
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(url)


async def test_a_station_may_send_many_small_pieces() -> None:
    async with served(SMALL) as local, client(HERE, timeout=5, max_connections=2) as http:
        url = f"http://127.0.0.1:{local.port}/"
        response = await http.send(http.build_request("GET", url, extensions={RADIO: True}))
        assert len(response.content) == FREE_PIECES + 100
        with pytest.raises(httpx.ReadError, match="small pieces"):
            await http.get(url)
