"""How a session begins on the called side: ring, answer, refuse, and the CANCEL that may come in between."""

from collections.abc import Mapping

from sipmessage import Request

from mirliton.sip.dialog import Dialog
from mirliton.sip.message import respond
from mirliton.sip.outputs import Output, Reply
from mirliton.sip.session import ALLOW, InviteUsage, Phase, Policy


class IncomingUsage(InviteUsage):
    """A session that the other side began. The owner has checked Require and Session-Expires of the INVITE."""

    def __init__(self, invite: Request, dialog: Dialog, policy: Policy, now: float) -> None:
        super().__init__(dialog, policy, owns_call_id=False)
        self.invite = invite
        self._note_methods(invite)
        self._timers.start("ring", now + policy.ring_seconds)

    @property
    def unanswered(self) -> bool:
        """Neither accepted nor refused nor cancelled."""
        return self.phase is Phase.EARLY and self._acceptance is None

    def ring(self) -> list[Output]:
        """Send 180."""
        if not self.unanswered:
            return []
        headers = {"Contact": self.dialog.contact, "Allow": ALLOW}
        return [Reply(self.invite, respond(self.invite, 180, local_tag=self.dialog.local_tag, headers=headers))]

    def answer(self, sdp: bytes, now: float) -> list[Output]:
        """Send the 200. Nothing happens when the session ended or was answered before."""
        if not self.unanswered:
            return []
        self._timers.stop("ring")
        self.local_sdp = sdp
        return self._accept(self.invite, self._success(self.invite, sdp, now), now)

    def reject(
        self, code: int, reason: str | None, headers: Mapping[str, str] | None, *, why: str | None = None
    ) -> list[Output]:
        """Refuse the INVITE with a final response (300 to 699). Raises `ValueError` for anything else."""
        if not 300 <= code < 700:
            raise ValueError(f"{code}: not a refusal")
        if not self.unanswered:
            return []
        response = respond(self.invite, code, reason, local_tag=self.dialog.local_tag, headers=headers)
        return [Reply(self.invite, response), *self._gone(why or f"refused here: {code} {response.phrase}")]

    def cancel(self) -> list[Output]:
        """A CANCEL came; too late when a final response was given (section 9.2)."""
        return self.reject(487, None, None, why="cancelled by the other side")

    def hang_up(self, now: float, *, at_once: bool = False, reason: str = "hung up here") -> list[Output]:
        """BYE, or a refusal when it was not answered."""
        if self.unanswered:
            return self.reject(480, None, None, why=reason)
        return super().hang_up(now, at_once=at_once, reason=reason)

    def _fired(self, name: str, now: float) -> list[Output]:
        if name == "ring":
            return self.reject(480, None, None, why="nobody answered")
        return super()._fired(name, now)
