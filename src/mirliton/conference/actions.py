"""The actions that digits can run (semantics 4.1), by their names in control groups."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from mirliton.conference.announcements import spoken, spoken_others
from mirliton.conference.defaults import ENERGY_STEP, ENERGY_TOP, LEVEL_TOP
from mirliton.conference.digits import Binding
from mirliton.conference.effects import Execute, ToggleRecording
from mirliton.conference.variables import expand

if TYPE_CHECKING:
    from mirliton.conference.member import Member
    from mirliton.conference.room import Room

Action = Callable[["Room", "Member", Binding, float], None]


def run(room: "Room", member: "Member", binding: Binding, now: float) -> None:
    """Run a binding for a member who is in the room."""
    _ACTIONS[binding.action](room, member, binding, now)


def _mute(wish: bool | None) -> Action:
    def act(room: "Room", member: "Member", _binding: Binding, now: float) -> None:
        muted = not member.muted if wish is None else wish
        if muted == member.muted or member.held:
            return
        room.set_muted(member.member_id, muted, now)
        if not muted and member.deaf:
            room.set_deaf(member.member_id, False, now)

    return act


def _deaf(wish: bool | None) -> Action:
    def act(room: "Room", member: "Member", _binding: Binding, now: float) -> None:
        deaf = not member.deaf if wish is None else wish
        if deaf != member.deaf:
            room.set_deaf(member.member_id, deaf, now)

    return act


def _deaf_mute(room: "Room", member: "Member", _binding: Binding, now: float) -> None:
    if member.held:
        return
    closing = not member.muted
    room.set_muted(member.member_id, closing, now)
    if member.deaf != closing:
        room.set_deaf(member.member_id, closing, now)


def _energy(step: int | None) -> Action:
    def act(room: "Room", member: "Member", _binding: Binding, now: float) -> None:
        wish = room.settings.energy_level if step is None else member.energy_level + step
        level = min(max(wish, 0), ENERGY_TOP)
        room.set_energy(member.member_id, level, now)
        room.say_to(member.member_id, spoken(level // ENERGY_STEP))

    return act


def _output(step: int | None) -> Action:
    """`vol talk`: what this member hears. The crossed names are kept for compatibility (semantics 4.1)."""

    def act(room: "Room", member: "Member", _binding: Binding, now: float) -> None:
        level = _level(member.output_level, step)
        room.set_output_level(member.member_id, level, now)
        room.say_to(member.member_id, spoken(level))

    return act


def _input(step: int | None) -> Action:
    """`vol listen`: how loud this member is for the others."""

    def act(room: "Room", member: "Member", _binding: Binding, now: float) -> None:
        level = _level(member.input_level, step)
        room.set_input_level(member.member_id, level, now)
        room.say_to(member.member_id, spoken(level))

    return act


def _level(level: int, step: int | None) -> int:
    return 0 if step is None else min(max(level + step, -LEVEL_TOP), LEVEL_TOP)


def _hang_up(room: "Room", member: "Member", _binding: Binding, now: float) -> None:
    room.remove(member.member_id, now)


def _lock(room: "Room", member: "Member", _binding: Binding, now: float) -> None:
    if member.moderator or not room.waiting:
        room.set_locked(not room.locked, now)


def _floor(room: "Room", member: "Member", _binding: Binding, now: float) -> None:
    if room.floor is None:
        room.give_floor(member.member_id, now)
    elif room.floor == member.member_id:
        room.give_floor(None, now)


def _event(room: "Room", member: "Member", binding: Binding, now: float) -> None:
    room.publish("dtmf", member, now, digits=binding.digits, data=expand(binding.data, member.info))


def _transfer(room: "Room", member: "Member", binding: Binding, now: float) -> None:
    """`data` is "extension [dialplan [context]]"; the one dialplan and context here are the account's callflows."""
    extension, _, _ = expand(binding.data, member.info).strip().partition(" ")
    room.transfer(member.member_id, extension, now)


def _execute(room: "Room", member: "Member", binding: Binding, now: float) -> None:
    application, _, arguments = expand(binding.data, member.info).strip().partition(" ")
    if application:
        room.emit(Execute(member.member_id, application, arguments))
        room.publish("execute_app", member, now, application=application, data=arguments)


def _mute_others(room: "Room", member: "Member", _binding: Binding, now: float) -> None:
    """All other non-moderators, as the command on all participants does; when all of them are muted, unmute them."""
    others = [each for each in room if each is not member and not each.moderator and not each.settings.ghost]
    muted = any(not each.muted for each in others)
    for each in others:
        if each.muted != muted:
            room.set_muted(each.member_id, muted, now)


def _announce_count(room: "Room", member: "Member", _binding: Binding, _now: float) -> None:
    others = [each for each in room if each is not member and not each.silent]
    room.say_to(member.member_id, spoken_others(len(others)))


def _record(room: "Room", _member: "Member", _binding: Binding, _now: float) -> None:
    room.emit(ToggleRecording())


def _music(room: "Room", _member: "Member", _binding: Binding, now: float) -> None:
    room.toggle_music(now)


_ACTIONS: dict[str, Action] = {
    "mute": _mute(None),
    "mute on": _mute(True),
    "mute off": _mute(False),
    "deaf": _deaf(None),
    "deaf on": _deaf(True),
    "deaf off": _deaf(False),
    "deaf mute": _deaf_mute,
    "energy up": _energy(ENERGY_STEP),
    "energy dn": _energy(-ENERGY_STEP),
    "energy equ": _energy(None),
    "vol talk up": _output(1),
    "vol talk dn": _output(-1),
    "vol talk zero": _output(None),
    "vol listen up": _input(1),
    "vol listen dn": _input(-1),
    "vol listen zero": _input(None),
    "hangup": _hang_up,
    "event": _event,
    "lock": _lock,
    "floor": _floor,
    "moh toggle": _music,
    "transfer": _transfer,
    "execute_application": _execute,
    "mute others": _mute_others,
    "announce count": _announce_count,
    "record": _record,
}

ACTION_NAMES = frozenset(_ACTIONS)
NEEDING_DATA = frozenset({"transfer", "execute_application"})
