"""The registering side of RFC 3261 section 10.2: one contact at one registrar, kept alive. Pure: the time is given.

A refresh that fails for the moment (no answer, 480, 5xx) is tried again with growing pauses; one that is refused for
good ends the registration.
"""

import secrets
from collections.abc import Callable
from enum import Enum, auto

from sipmessage import Request, Response

from mirliton.sip.deadlines import Timers
from mirliton.sip.digest import asks_again
from mirliton.sip.grammar import Malformed, WireURI, parse_name_address
from mirliton.sip.message import cseq, number, set_header, values
from mirliton.sip.outputs import Ask, Finished, Refused, Registered

Output = Ask | Registered | Refused | Finished
Authorize = Callable[[Request, Response], bool]

MAX_EXPIRES = 86_400
_MAX_TRIES = 4  # requests for one registration: a password, a stale nonce and a longer interval each cost one
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 300.0


class Phase(Enum):
    """Of a registration."""

    REGISTERING = auto()
    REGISTERED = auto()
    LEAVING = auto()
    ENDED = auto()


class Registering:
    """One registration. `contact` is our Contact value, `aor` whom it stands for, `expires` what we ask for in seconds.

    `authorize` puts the answer to a 401 or 407 on a request, or returns False. `expires` changes to what was granted.
    """

    def __init__(self, registrar: WireURI, aor: str, contact: str, expires: int, authorize: Authorize) -> None:
        self.phase = Phase.REGISTERING
        self.expires = expires
        self._registrar = registrar
        self._aor = aor
        self._contact = contact
        self._asked = expires
        self._authorize = authorize
        self._call_id = secrets.token_hex(16)
        self._tag = secrets.token_hex(8)
        self._sequence = 0
        self._tries = 0
        self._answered: set[int] = set()  # 401 and 407: which of them this try has an answer to
        self._pause = _FIRST_PAUSE
        self._timers = Timers()

    @property
    def next_deadline(self) -> float | None:
        """When `timer` wants to be called."""
        return self._timers.next_deadline

    def start(self) -> list[Output]:
        """Register, or refresh."""
        self._tries, self._answered = 0, set()
        return [Ask(self._request())]

    def leave(self) -> list[Output]:
        """Take the contact back, also one that the registrar has not confirmed: it may have it all the same."""
        if self.phase in (Phase.LEAVING, Phase.ENDED):
            return []
        self.phase, self._asked = Phase.LEAVING, 0
        self._timers.stop_all()
        return self.start()

    def flow_lost(self, now: float) -> list[Output]:
        """The connection by which the registrar reaches us is gone (RFC 5626 section 4.5): register anew soon."""
        if self.phase is Phase.REGISTERED:
            self._timers.start("refresh", now + min(self._pause, 0.75 * self.expires))
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        return []

    def timer(self, now: float) -> list[Output]:
        """Call at or after `next_deadline`."""
        return [output for _ in self._timers.due(now) for output in self.start()]

    def receive_response(self, request: Request, response: Response, now: float) -> list[Output]:
        """The registrar's word on a request of ours; only the last one counts."""
        if response.code < 200 or not self._is_last(request):
            return []
        if response.code < 300:
            return self._accepted(response, now)
        again = self._try_again(response)
        if again is not None:
            return [Ask(again)]
        return self._refused(response.code, response.phrase, number(response, "Retry-After"), now)

    def request_failed(self, request: Request, now: float) -> list[Output]:
        """The registrar did not answer, or could not be reached."""
        return self._refused(408, "the registrar does not answer", None, now) if self._is_last(request) else []

    def _is_last(self, request: Request) -> bool:
        return self.phase is not Phase.ENDED and cseq(request)[0] == self._sequence

    def _accepted(self, response: Response, now: float) -> list[Output]:
        if self.phase is Phase.LEAVING:
            return self._end()
        self.phase, self._pause = Phase.REGISTERED, _FIRST_PAUSE
        self.expires = max(1, min(self._granted(response), MAX_EXPIRES))
        self._timers.start("refresh", now + 0.75 * self.expires)
        return [Registered(self.expires)]

    def _granted(self, response: Response) -> int:
        """What the registrar says of our contact; else of all; else what we asked for (section 10.2.4)."""
        for text in values(response, "Contact"):
            try:
                address = parse_name_address(text)
            except Malformed:
                continue
            seconds = address.parameters.get("expires") or ""
            if f"<{address.uri}>" == self._contact and seconds.isascii() and seconds.isdigit() and len(seconds) <= 10:
                return int(seconds)
        found = number(response, "Expires")
        return self._asked if found is None else found

    def _try_again(self, response: Response) -> Request | None:
        if self._tries >= _MAX_TRIES:
            return None
        if response.code == 423:
            minimum = number(response, "Min-Expires")
            if minimum is None or not self._asked < minimum <= MAX_EXPIRES:
                return None
            self._asked = minimum
            # the password that came with the refused request is used up, so the next one may be challenged anew
            self._answered.clear()
            return self._request()
        if response.code not in (401, 407) or (response.code in self._answered and not asks_again(response)):
            return None
        request = self._request()
        if not self._authorize(request, response):
            return None
        self._answered.add(response.code)
        return request

    def _refused(self, code: int, reason: str, retry_after: int | None, now: float) -> list[Output]:
        if self.phase is Phase.LEAVING:
            return self._end()
        if self.phase is Phase.REGISTERING or not (code in (408, 480) or 500 <= code < 600):
            return [Refused(code, reason), *self._end()]
        pause = max(self._pause, min(float(retry_after or 0), _LONGEST_PAUSE))
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self._timers.start("refresh", now + pause)
        return [Refused(code, reason)]

    def _end(self) -> list[Output]:
        self.phase = Phase.ENDED
        self._timers.stop_all()
        return [Finished()]

    def _request(self) -> Request:
        self._tries += 1
        self._sequence += 1
        request = Request("REGISTER", self._registrar)
        set_header(request, "Max-Forwards", "70")
        set_header(request, "From", f"<{self._aor}>;tag={self._tag}")
        set_header(request, "To", f"<{self._aor}>")
        set_header(request, "Call-ID", self._call_id)
        set_header(request, "CSeq", f"{self._sequence} REGISTER")
        set_header(request, "Contact", self._contact)
        set_header(request, "Expires", str(self._asked))
        set_header(request, "User-Agent", "Mirliton")
        return request
