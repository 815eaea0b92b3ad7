"""What became of a call, as numbers and as lines for people."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mirliton.phone.hearing import HearingStatistics

HINTS = {
    401: "give --user and --password of a device of this account",
    403: "give --user and --password of a device of this account",
    407: "give --user and --password of a device of this account",
    404: "no callflow of this account has that number: create one, or check the number and the domain",
    408: "nobody answered: is the server running, and is this its SIP address?",
    480: "the one you called is not there at the moment",
    486: "the one you called is busy",
    488: "no common codec: try --codec PCMU; or only one side encrypts: try with, or without, --srtp",
    503: "the server is full or cannot be reached: try again, and check its address",
}


@dataclass(slots=True)
class CallReport:
    """One call. Times in seconds, None for what did not happen; `code` 200 or the SIP code of the refusal.

    `heard`: mono samples at `rate` Hz from the answer to the end; where nothing came there is silence.
    """

    uri: str
    code: int = 0
    reason: str = ""
    ringing_after: float | None = None
    answered_after: float | None = None
    seconds: float = 0.0
    ended_by_us: bool = True
    codec: str = ""
    rate: int = 8000
    ptime: int = 20
    digits_as_events: bool = True
    encryption: str = ""  # the suite of SRTP; "": none
    packets_refused: int = 0  # that were not encrypted with the key agreed
    packets_sent: int = 0
    digits_sent: str = ""
    digits_heard: str = ""
    received: HearingStatistics = field(default_factory=HearingStatistics)
    heard: npt.NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))

    @property
    def answered(self) -> bool:
        """Somebody took the call."""
        return self.answered_after is not None

    @property
    def exit_code(self) -> int:
        """0 for a call that was answered and ended well."""
        return 0 if self.answered and self.code == 200 else 1

    def answer_line(self, host: str, port: int) -> str:
        """What was agreed, for people; the sound goes to this host and port."""
        encrypted = f"encrypted ({self.encryption})" if self.encryption else "not encrypted"
        return f"answered: {self.codec}, {self.ptime} ms, {encrypted}, sound to {host}:{port}"

    def lines(self) -> list[str]:
        """The report for people."""
        if not self.answered:
            hint = HINTS.get(self.code, "")
            return [
                f"not answered: {self.code or ''} {self.reason}".rstrip(),
                *([f"what to do: {hint}"] if hint else []),
            ]
        how = "RFC 4733" if self.digits_as_events else "in band"
        came = self.received
        share = 100 * came.lost / max(1, came.packets + came.lost)
        return [
            f"ended after {self.seconds:.1f} s by {'us' if self.ended_by_us else 'the other side'}: {self.reason}",
            f"sent      {self.packets_sent} packets of {self.ptime} ms {self.codec}",
            f"received  {came.packets} packets, {came.lost} lost ({share:.1f} %), jitter {came.jitter:.1f} ms",
            *([f"refused   {self.packets_refused} packets that were not encrypted"] if self.packets_refused else []),
            *([f"digits    sent {self.digits_sent} ({how})"] if self.digits_sent else []),
            *([f"digits    heard {self.digits_heard}"] if self.digits_heard else []),
        ]
