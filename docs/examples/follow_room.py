"""Shows who is in a conference, as it changes: follow_room.py URI TOKEN CONFERENCE"""

import asyncio
import json
import sys
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed


class Refused(Exception):
    """The server says why."""


async def subscribe(socket: ClientConnection, token: str, conference: str) -> None:
    """Ask for the state of the room, and for what happens from then on."""
    data = {"binding": f"conference.event.{conference}.*", "snapshot": True}
    await socket.send(json.dumps({"action": "subscribe", "auth_token": token, "data": data}))


async def stay(socket: ClientConnection) -> None:
    """The server closes a socket on which the client says nothing for an hour."""
    while True:
        await asyncio.sleep(600)
        await socket.send('{"action":"ping"}')


def changed(here: dict[int, str], message: dict[str, Any]) -> bool:
    """Bring the list up to date."""
    data = message["data"]
    if message["name"] == "snapshot":
        here.clear()
        here.update((one["participant_id"], one["caller_id_number"]) for one in data["participants"])
    elif data["event"] == "add-member":
        here[data["participant_id"]] = data["caller_id_number"]
    elif data["event"] == "del-member":
        here.pop(data["participant_id"], None)
    else:
        return False
    return True


async def follow(socket: ClientConnection, token: str, conference: str) -> None:
    """Until the connection ends."""
    here: dict[int, str] = {}
    await subscribe(socket, token, conference)
    async for text in socket:
        message = json.loads(text)
        if message["action"] == "reply":
            if message["status"] == "error":
                raise Refused("; ".join(message["data"]["errors"]))
        elif message["name"] == "lost":
            await subscribe(socket, token, conference)
        elif changed(here, message):
            print(f"{len(here)} here: {', '.join(here.values())}", flush=True)


async def main(uri: str, token: str, conference: str) -> None:
    """For ever: after a lost connection the next snapshot sets everything right."""
    async for socket in connect(uri, max_size=None):
        staying = asyncio.create_task(stay(socket))
        try:
            await follow(socket, token, conference)
        except ConnectionClosed:
            print("connecting again", flush=True)
        finally:
            staying.cancel()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        asyncio.run(main(*sys.argv[1:]))
    except Refused as refused:
        sys.exit(f"refused: {refused}")
