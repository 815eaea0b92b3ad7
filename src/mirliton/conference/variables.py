"""`${variable}` in the data of a control: what is known of the caller (semantics 4.1)."""

import re

from mirliton.conference.ports import CallerInfo

MAX_CHARACTERS = 1024
_REFERENCE = re.compile(r"\$\{([^${}]{1,64})\}")


def expand(text: str, info: CallerInfo) -> str:
    """The text with its references replaced, at most 1024 characters; an unknown name gives nothing.

    Control characters of values are left out: a caller writes their own name.
    """
    known = {
        **_plain(info.custom_application_vars),
        **_plain(info.custom_channel_vars),
        "uuid": info.call_id,
        "call_id": info.call_id,
        "account_id": info.account_id,
        "caller_id_name": info.caller_id_name,
        "caller_id_number": info.caller_id_number,
        "authorizing_id": info.device_id or "",
        "owner_id": info.owner_id or "",
    }
    found = _REFERENCE.sub(lambda match: _printable(known.get(match.group(1), "")), text[:MAX_CHARACTERS])
    return found[:MAX_CHARACTERS]


def _plain(variables: dict[str, object]) -> dict[str, str]:
    return {key: str(value) for key, value in variables.items() if isinstance(value, str | int | float)}


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())
