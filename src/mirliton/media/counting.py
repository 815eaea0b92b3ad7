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

EVENTS = 31
"""No count but how many rows of `Tables.events` are filled."""
SIZE = 32

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
}
"""As they are published."""
