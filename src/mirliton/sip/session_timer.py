"""Session timers (RFC 4028): both sides know that the other is still there, or the session ends by itself."""

from dataclasses import dataclass

from sipmessage import Request, Response

from mirliton.sip.message import Message, number, tokens


@dataclass(frozen=True, slots=True)
class TimerPolicy:
    """What we want, in seconds."""

    interval: int = 1800
    minimum: int = 90


@dataclass(frozen=True, slots=True)
class SessionTimer:
    """What was agreed, in seconds."""

    interval: int
    we_refresh: bool

    def wake_at(self, now: float) -> float:
        """When to refresh (half the interval), or to give the session up (section 10)."""
        if self.we_refresh:
            return now + self.interval / 2
        return now + self.interval - min(32.0, self.interval / 3)

    def header(self, *, we_are_uas: bool) -> str:
        """The Session-Expires value; the refresher is named by its role in this very request."""
        return f"{self.interval};refresher={'uas' if self.we_refresh == we_are_uas else 'uac'}"


def _refresher(message: Message) -> str | None:
    for part in (message.headers.get("Session-Expires") or "").split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "refresher" and value.strip().lower() in ("uac", "uas"):
            return value.strip().lower()
    return None


def too_brief(request: Request, policy: TimerPolicy) -> bool:
    """Whether a request asks for less than we allow (422 with Min-SE)."""
    asked = number(request, "Session-Expires")
    return asked is not None and asked < policy.minimum


def agree_as_uas(request: Request, policy: TimerPolicy) -> SessionTimer:
    """Our choice for a request that passed `too_brief` (section 9).

    The requester refreshes when it can and did not ask otherwise: it stands behind its NAT. One that knows no session
    timers is refreshed by us.
    """
    theirs_at_least = max(policy.minimum, number(request, "Min-SE") or 0)
    interval = max(min(number(request, "Session-Expires") or policy.interval, policy.interval), theirs_at_least)
    able = "timer" in tokens(request, "Supported")
    return SessionTimer(interval, we_refresh=not able or _refresher(request) == "uas")


def put_in_response(response: Response, request: Request, timer: SessionTimer) -> None:
    """Session-Expires, and Require when the other side must refresh (section 9)."""
    response.headers.set("Session-Expires", timer.header(we_are_uas=True))
    if not timer.we_refresh and "timer" in tokens(request, "Supported"):
        response.headers.set("Require", "timer")


def put_in_request(request: Request, policy: TimerPolicy, timer: SessionTimer | None) -> None:
    """Ask for a session timer, keeping the roles of the one that runs (section 7.4)."""
    value = timer.header(we_are_uas=False) if timer is not None else str(policy.interval)
    request.headers.set("Session-Expires", value)
    request.headers.set("Min-SE", str(policy.minimum))


def agree_as_uac(response: Response, policy: TimerPolicy) -> SessionTimer | None:
    """What a 2xx says; None: no session timer (section 7.2). A hostile tiny interval is raised to our minimum."""
    interval = number(response, "Session-Expires")
    if interval is None:
        return None
    return SessionTimer(max(interval, policy.minimum), we_refresh=_refresher(response) != "uas")
