"""What the engine counts since it started: places in `Tables.counters`.

Plain numbers, because compiled kernels take these and no members of a class.
"""

PACKETS_IN = 0
PACKETS_OUT = 1
UNKNOWN_SOURCE = 2
NOT_RTP = 4
SEND_FAILED = 5
EVENTS_LOST = 6
SKIPPED_TICKS = 8
ENCODES = 9
DECODES = 10
RTCP_IN = 11
UNKNOWN_PAYLOAD = 12
RTCP_OUT = 13
RTCP_MALFORMED = 14
RTCP_UNKNOWN_SOURCE = 15
RTCP_OTHER_SSRC = 16
RTCP_IMPLAUSIBLE = 17
SRTP_REFUSED = 20
SRTP_REPLAYED = 21

EVENTS = 31
"""No count but how many rows of `Tables.events` are filled."""
LATE_TICKS = 32
"""The first of `len(LATE_NS) + 1` counts of ticks by how late they began, the last for all that were later still."""
LATE_NS = tuple(
    round(step * 10**power)
    for power in (4, 5, 6, 7, 8)
    for step in (1, 1.5, 2, 3, 5, 7)
    if 50_000 <= step * 10**power <= 200_000_000
)
"""Nanoseconds, in steps of about 1.5."""
LATE_SUM = LATE_TICKS + len(LATE_NS) + 1
"""Nanoseconds that all ticks were late, together."""
LATE_MOST = LATE_SUM + 1
"""Nanoseconds that one of them was late at most, since it was last asked for."""
SIZE = LATE_MOST + 1

NAMES = {
    "packets_in": PACKETS_IN,
    "packets_out": PACKETS_OUT,
    "unknown_source": UNKNOWN_SOURCE,
    "not_rtp": NOT_RTP,
    "send_failed": SEND_FAILED,
    "events_lost": EVENTS_LOST,
    "skipped_ticks": SKIPPED_TICKS,
    "encodes": ENCODES,
    "decodes": DECODES,
    "rtcp_in": RTCP_IN,
    "unknown_payload": UNKNOWN_PAYLOAD,
    "rtcp_out": RTCP_OUT,
    "rtcp_malformed": RTCP_MALFORMED,
    "rtcp_unknown_source": RTCP_UNKNOWN_SOURCE,
    "rtcp_other_ssrc": RTCP_OTHER_SSRC,
    "rtcp_implausible": RTCP_IMPLAUSIBLE,
    "srtp_refused": SRTP_REFUSED,
    "srtp_replayed": SRTP_REPLAYED,
}
"""As they are published."""
