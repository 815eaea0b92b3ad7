"""Key presses in SIP INFO bodies: application/dtmf-relay and application/dtmf, as phones and gateways send them."""

import re

from sipmessage import Request

from mirliton.sip.message import content_type

_SIGNAL = re.compile(rb"^\s*Signal\s*=\s*(\S{1,2})\s*$", re.IGNORECASE | re.MULTILINE)
_NUMBERED = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}


def read_digit(request: Request) -> str | None:
    """The digit (`0123456789*#ABCD`), or None when the body is of another kind or holds none."""
    if content_type(request) == "application/dtmf-relay":
        found = _SIGNAL.search(request.body)
        return _digit(found[1]) if found else None
    if content_type(request) == "application/dtmf":
        return _digit(request.body.strip())
    return None


def _digit(raw: bytes) -> str | None:
    text = raw.decode("ascii", "replace").upper()
    text = _NUMBERED.get(text, text)
    return text if len(text) == 1 and text in "0123456789*#ABCD" else None
