"""What is worth saying of a key beyond its schema's description (semantics 1 to 4)."""

_ROLE_MUTED = "Nothing is played for it; the caller is heard after unmuting (`*1`, `*3`, REST)"
_TONE = "true: the tone of profile or account; false: none; a text: that sound"
_GROUP = "Document before profile before `default`; `none` binds nothing"
_NOT_SAID = "Played to that one alone, over the mix"

EFFECTS: dict[str, dict[str, str]] = {
    "callflows.conference": {
        "config": (
            "Everybody who comes with the same `id`, or without one the same `name`, meets in one room. Ignored "
            "when `id` leads to a stored conference"
        ),
        "id": (
            "An id that is not stored opens an ad-hoc room. Without `id` and `config` the caller is asked for a "
            "number, three times at most"
        ),
        "moderator": "Lifts to moderator after the PIN, which is asked all the same; false takes nothing away",
        "play_entry_tone": _TONE,
        "play_exit_tone": _TONE,
        "skip_module": "Without such a child the call is hung up; nothing is answered or played",
        "welcome_prompt.play": "Absent: the conference's `play_welcome`, then true",
        "welcome_prompt.media_id": (
            "A media address; a key pressed meanwhile ends it and counts for the entry that follows"
        ),
    },
    "conferences": {
        "allow_shareable_link": "Needs a member PIN and `links.public_url`",
        "base_profile_name": "`page` begins with the quiet profile for paging",
        "bridge_password": "Never returned; one that is not given again stays",
        "bridge_username": "Another server that authenticates so joins as one participant",
        "caller_controls": _GROUP,
        "moderator_controls": f"{_GROUP}; else the members' group",
        "conference_numbers": (
            "They give no role, and cannot be dialled: a callflow leads to the number prompt. No other "
            "conference may have them"
        ),
        "language": "Else the account's, else the server's",
        "max_members_media": "Used at both checks, before and in the room",
        "max_participants": (
            "Counted without ghosts; above 1 it replaces the profile's `max-members`. Zero and less: no limit"
        ),
        "member.join_deaf": "Hears nothing of the room until undeafened",
        "member.join_muted": f"{_ROLE_MUTED}. Absent in a `config`: false",
        "member.numbers": "A number of both roles gives none",
        "member.pins": (
            "Compared as texts. Asked for when any list of PINs is not empty, three times at most; a PIN in both "
            "lists makes a member"
        ),
        "member.play_entry_prompt": "Prompt `conf-joining_conference`, heard before the room; false leaves it out",
        "moderator.join_deaf": "Hears nothing of the room until undeafened",
        "moderator.join_muted": _ROLE_MUTED,
        "moderator.numbers": "A number of both roles gives none",
        "moderator.pins": "With these alone everybody is asked, and members press `#`",
        "name": "Without an id it is the id of an ad-hoc room; the default caller name of `dial`",
        "owner_id": "Kept, returned, filtered by",
        "flags": "No effect on calls",
        "play_entry_tone": f"{_TONE}. Heard by all from the second person on",
        "play_exit_tone": f"{_TONE}. Heard by those who stay",
        "play_name": (
            "Asked for before the room (once, for users), heard with the tone at coming and going. "
            "`support_name_announcement` allows it"
        ),
        "play_welcome": "Absent: true",
        "profile": "Merged over the named profiles, key by key",
        "profile_name": (
            "Looked for by language and name, then by name, in account and server; unknown: the default one"
        ),
        "require_moderator": (
            "When the last moderator leaves, the room goes on for `moderator_grace_seconds`, then does what "
            "`without_moderator` says"
        ),
        "wait_for_moderator": "Until then members hear music and nobody",
        "video": "Stored; rooms are sound only",
    },
    "conferences.profile": {
        "alone-sound": "Default: prompt `conf-alone`; music follows it",
        "announce-count": "To the newcomer alone; 0 and 1: off",
        "comfort-noise": "In ticks in which nobody is heard. 1 and 10000 mean 1400. Default 1000",
        "energy-level": (
            "Mean of the absolute 16-bit samples of a packet; 20 (default) is -60 dB, 400 -34 dB, against a full "
            "sine. 0: always heard"
        ),
        "enter-sound": "To the whole room, from the second person on; default: two chords",
        "exit-sound": "To those who stay; default: two chords",
        "interval": "A multiple of 10, else 20 (the default)",
        "locked-sound": "To the refused caller alone; default: prompt `conf-locked`",
        "max-members": "Ghosts are not counted",
        "max-members-sound": "To the refused caller alone; default: prompt `conf-max_participants`",
        "moh-sound": "Stops when somebody comes. `silence`: none. Default: `$${hold_music}`",
        "muted-sound": f"{_NOT_SAID}; default: prompt `conf-muted`",
        "unmuted-sound": f"{_NOT_SAID}; default: prompt `conf-unmuted`",
        "rate": "The most it is mixed at: 8, 16 or 48 kHz, the highest that anybody in it can use and not above this. "
        "8000, 12000, 16000, 24000, 32000, 44100, 48000, or (in configurations) `auto`: no limit; else 8000; at most "
        "`media.max_rate`. Default 48000",
        "caller-controls": "After the document's `caller_controls`",
        "moderator-controls": "After the document's `moderator_controls`",
    },
    "system_config.conferences": {
        "controls": (
            "A list of `{digits, action, data}` for each group. `default`: `*1` mute, `*2` mute on, `*3` mute "
            "off, `*4` deaf, `*5` deaf on, `*6` deaf off, `#` hangup"
        ),
        "profiles": "What a conference's `profile_name` names; `default` lies under all",
        "entry_tone": "Before the profile's sound when set",
        "exit_tone": "Before the profile's sound when set",
        "number_timeout": "Counted from the end of the prompt; 2 s between keys",
        "pin_timeout": "Counted from the end of the prompt; a document's `pin_timeout` goes before",
    },
    "conferences.dial": {
        "endpoints": (
            "All at the same time. A number goes through the account's callflows, or to the trunk. At most "
            "`dial.max_endpoints`"
        ),
        "participant_flags": (
            "`mute`, `deaf`: until changed; `distribute_dtmf`: keys go to the others; `is_moderator`; "
            "`disable_moh`: no music beside it; `ghost`: counted nowhere; `join_existing`: makes no room; "
            "`video_mute`: stored"
        ),
        "outbound_call_id": "Of the first call, when there are more",
        "timeout": "Default: `dial.timeout_seconds`",
        "target_call_id": "There is one server: stored",
    },
}
