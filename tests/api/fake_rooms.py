"""Rooms in memory, as `LiveRooms` promises them."""

from typing import Any

from mirliton.calls.live import BadMedia, NoSuchParticipant, NoSuchRoom, Refused


class FakeRooms:
    """Rooms by (account id, conference id); every command is noted in `commands`."""

    def __init__(self) -> None:
        self.rooms: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.locked: set[tuple[str, str]] = set()
        self.recording: set[tuple[str, str]] = set()
        self.documents: dict[tuple[str, str], dict[str, Any]] = {}
        self.refusal: Refused | None = None
        self.commands: list[tuple[Any, ...]] = []

    def open(self, account_id: str, conference_id: str, *moderator: bool) -> None:
        """A room with one participant for each flag, ids from 1."""
        self.rooms[account_id, conference_id] = [
            {
                "participant_id": number,
                "call_id": f"call-{number}",
                "conference_name": conference_id,
                "conference_uuid": "u-1",
                "switch_hostname": "node-1",
                "join_time": 63_000_000_000,
                "duration": 5,
                "custom_channel_vars": {},
                "conference_channel_vars": {
                    "is_moderator": flag, "speak": True, "hear": True, "talking": False, "floor": number == 1,
                    "video": False, "mute_detect": False, "energy_level": 20, "current_energy": 0,
                },
            }
            for number, flag in enumerate(moderator, 1)
        ]  # fmt: skip

    def snapshot(self, account_id: str, conference_id: str) -> dict[str, Any] | None:
        participants = self.rooms.get((account_id, conference_id))
        if participants is None:
            return None
        moderators = sum(one["conference_channel_vars"]["is_moderator"] for one in participants)
        return {
            "members": len(participants) - moderators,
            "moderators": moderators,
            "duration": 7,
            "is_locked": (account_id, conference_id) in self.locked,
            "is_recording": (account_id, conference_id) in self.recording,
            "sequence": 1 + len(self.commands),
            "start_time": 1_700_000_000,
            "participants": participants,
            "focus": "node-1",
        }

    def opened_with(self, account_id: str, conference_id: str) -> dict[str, Any] | None:
        return self.documents.get((account_id, conference_id)) if (account_id, conference_id) in self.rooms else None

    def conferences(self, account_id: str) -> list[str]:
        return [conference_id for owner, conference_id in self.rooms if owner == account_id]

    def participants(self, account_id: str, conference_id: str) -> list[dict[str, Any]]:
        return self.rooms.get((account_id, conference_id), [])

    async def command_room(
        self, account_id: str, conference_id: str, action: str, data: dict[str, Any]
    ) -> dict[str, Any]:
        key = self._key(account_id, conference_id, data)
        if action == "lock":
            self.locked.add(key)
        elif action == "unlock":
            self.locked.discard(key)
        elif action == "record":
            (self.recording.add if data["action"] == "start" else self.recording.discard)(key)
        self.commands.append((conference_id, action, data))
        return {}

    async def command_participants(
        self, account_id: str, conference_id: str, participant_id: int | None, action: str, data: dict[str, Any]
    ) -> dict[str, Any]:
        key = self._key(account_id, conference_id, data)
        present = {one["participant_id"] for one in self.rooms[key]}
        if participant_id is not None and participant_id not in present:
            raise NoSuchParticipant
        for one in list(self.rooms[key]):
            if participant_id in (None, one["participant_id"]):
                self._change(key, one, action)
        self.commands.append((conference_id, participant_id, action, data))
        return {}

    def _change(self, key: tuple[str, str], one: dict[str, Any], action: str) -> None:
        state = one["conference_channel_vars"]
        match action:
            case "kick":
                self.rooms[key].remove(one)
            case "mute" | "unmute":
                state["speak"] = action == "unmute"
            case "deaf" | "undeaf":
                state["hear"] = action == "undeaf"

    def _key(self, account_id: str, conference_id: str, data: dict[str, Any]) -> tuple[str, str]:
        if (account_id, conference_id) not in self.rooms:
            raise NoSuchRoom
        if self.refusal is not None:
            raise self.refusal
        if data.get("media_id") == "unresolvable":
            raise BadMedia
        return account_id, conference_id
