"""What lies in the engine's memory: one record a leg, one a mix, one a playing sound, and so on.

What a kernel needs of a leg for one tick lies together in a few lines of the cache; sample buffers, which are larger,
have records of their own. `tables` has arrays of all of them.

Time units: `ts` counts 1/8 ms (the RTP clock of PCMU, PCMA and G.722, RFC 3551); clocks of other codecs are a multiple
(`ts_step`: 6 for Opus, RFC 7587) and are converted where packets come in and go out. Wall time: monotonic nanoseconds.
"""

import numpy as np

from mirliton.media.kernels import Int, kernel
from mirliton.media.limits import (
    ARENA_BYTES,
    CONTROL_BYTES,
    FIR_HISTORY,
    G722_STATE,
    HISTORY,
    LATENESS_BINS,
    LOOKAHEAD,
    LOSS_CLASSES,
    MAX_FRAME,
    PACKET_BYTES,
    READY,
    RECALLED,
    RECEIVE_BYTES,
    SAID,
    SAID_FRAMES,
    SLOTS,
    SMALL_ARENA_BYTES,
    TAP_SAMPLES,
    TONE_STATE,
    WAITING,
    WIDE_HISTORY,
    WIDER,
)

FREE, OPEN, CONNECTED = 0, 1, 2
WANTS_8K, WANTS_16K, WANTS_48K = 1, 2, 4
RATES = 3
WANTS = {8000: WANTS_8K, 16000: WANTS_16K, 48000: WANTS_48K}
PCMU, PCMA, G722, L16, OPUS = 0, 1, 2, 3, 4
CODECS = {"PCMU": PCMU, "PCMA": PCMA, "G722": G722, "L16": L16, "OPUS": OPUS}
CODEC_RATES = {PCMU: 8000, PCMA: 8000, G722: 16000}
"""Sampling rates in Hz. L16 has the rate of its agreement, and Opus that of the mix it is in."""

Field = tuple[str, str] | tuple[str, str, tuple[int]]


_CACHE_LINE = 64


def _record_type(fields: list[Field]) -> np.dtype[np.void]:
    """A type for records whose fields are attributes.

    Arrays must share this very object: numba looks types up by equality, which for equal but different record types
    costs more than a tick.
    """
    record = np.dtype(fields, align=True)
    if record.itemsize > _CACHE_LINE:  # whole lines, so that a field lies at the same place of a line in all records
        fields = [*fields, ("unused", "u1", (-record.itemsize % _CACHE_LINE,))]
    return np.dtype((np.record, np.dtype(fields, align=True)))


LEG = _record_type(
    [
        # touched by every packet that comes
        ("state", "i8"),
        ("srtp_in", "i8"),
        ("latched", "i8"),
        ("remote_ip", "i8"),
        ("remote_port", "i8"),
        ("payload_type", "i8"),
        ("event_payload_type", "i8"),  # -1: none agreed, digits are looked for in the sound
        ("codec", "i8"),
        ("rate", "i8"),  # of its decoded sound, Hz
        ("ts_step", "i8"),  # RTP clock units in 1/8 ms
        ("level_extension", "i8"),  # its id (RFC 6464), 0: none
        ("may_receive", "i8"),
        ("receiving", "i8"),
        ("remote_ssrc", "i8"),
        ("last_arrival", "i8"),  # engine clock, ns
        ("bad_sequence", "i8"),
        ("highest", "i8"),  # unwrapped sequence number
        ("highest_ts", "i8"),
        ("highest_raw", "i8"),  # RTP timestamp (32 bits) of the newest packet
        ("received", "i8"),
        ("last_transit", "f8"),
        ("jitter", "f8"),  # ts units
        ("least_transit", "f8"),  # ts units
        ("least_transit_at", "i8"),  # engine clock, ns; 0: none since the last report
        ("fastest", "i8"),  # transit in ts units: the least of this second
        ("fastest_before", "i8"),  # and of the one before
        ("fastest_since", "i8"),
        ("usual_lateness", "i8"),  # a bin of the histogram
        ("lateness_weight", "f8"),  # of the newest packet
        ("lateness_total", "f8"),
        ("lateness_above", "f8"),  # of later packets than usual
        ("most_delay", "i8"),  # ts units
        ("arena_used", "i8"),  # bytes that ever went into its ring
        ("placed", "i8"),  # the newest packet that went to one of its places
        ("arena_bytes", "i8"),  # how much of the arena this codec gets
        ("playing", "i8"),
        ("head", "i8"),  # unwrapped sequence number of the packet being played
        ("position", "i8"),  # ts (unwrapped) of the next sample to decode
        ("ready", "i8"),  # samples that are decoded and not played
        ("read_every", "i8"),  # ns
        ("next_read", "i8"),  # when the mix will read this leg next, ns
        ("grid", "i8"),  # the steps in which a change of delay helps
        ("grid_span", "i8"),
        ("grid_frame", "i8"),
        ("roomy", "i8"),  # ts units for which packets came a whole step earlier than they need to
        ("silent", "i8"),  # nobody hears it: only how loud its packets are is of interest
        ("shift", "i8"),  # ts units by which the sound should be shorter; below 0: longer
        # read in every tick: source of the mix, gate (semantics 3.2), its sound
        ("muted", "i8"),
        ("held", "i8"),
        ("isolated", "i8"),
        ("judged", "i8"),  # neither muted nor held nor waiting: its packets count for the gate
        ("contributes", "i8"),  # one more than its row of `Tables.spoken` in this tick; 0: it is not heard
        ("heard", "i8"),  # what it says goes into the mix
        ("talking", "i8"),
        ("tap", "i8"),
        ("energy_level", "i8"),
        ("input_gain", "f4"),
        ("output_gain", "f4"),
        ("packet_span", "i8"),  # ts units of its last packet
        ("missed", "i8"),  # ts units without a packet that the gate has not counted yet
        ("score", "i8"),
        ("smoothed", "f8"),
        ("gate_open", "i8"),
        ("gate_close", "i8"),
        ("floor", "f8"),  # the size of what does not pass: the background
        ("said_frame", "i8"),  # samples of a frame of what it said last; 0: nothing is kept
        ("said_at", "i8"),  # where the newest of them begins
        ("said_frames", "i8"),  # how many frames ago it began to be kept
        ("unwritten", "i8"),  # a bit for each frame of it that is not there yet
        ("said_in", "u2", (SAID_FRAMES,)),  # and the low bits of the number of the packet that it is in
        ("behind", "i8"),  # samples; it is heard so much later than it speaks
        ("unsaid", "i8"),  # samples of that which are still to be heard though the gate is shut
        ("conceal_run", "i8"),
        ("waited", "i8"),  # ts units concealed while waiting for a late packet
        ("pause", "i8"),  # what is heard while nothing is sent: see `pauses`
        ("rest", "i8"),  # ts units until it may be tried again
        ("patience", "i8"),  # and how many those were last time, when it was in vain
        ("bridge", "i8"),  # the last sequence number of the stream before this one; what waits of it is still played
        ("quiet_level", "i8"),  # a packet that says it is this many dB below full scale does not pass the gate
        # and when a packet is sent
        ("private", "i8"),
        ("group", "i8"),  # the encoder that it shares with others of its mix, -1: none
        ("may_send", "i8"),
        ("deaf", "i8"),
        ("voices_only", "i8"),
        ("unheard", "i8"),
        ("queue_head", "i8"),
        ("like_all", "i8"),  # for how many ticks its own mix has been the one of all
        ("limiter_gain", "f4"),
        ("keys", "i8"),  # event code + 1 in 5 bits each, the next one lowest; 0: none
        ("key_pause", "i8"),  # ts units until the next key may begin
        ("mark_next", "i8"),
        ("timestamp", "i8"),
        ("sequence", "i8"),
        ("ssrc", "i8"),
        ("socket", "i8"),
        ("srtp_out", "i8"),  # address of libsrtp's session, which only the engine can follow; 0: plain RTP (RFC 3711)
        ("packets_sent", "i8"),
        ("octets_sent", "i8"),
        # everything else: `HOT_BYTES` ends before it
        # what the control process set
        ("widest", "i8"),  # the highest rate that it can use
        ("event_step", "i8"),  # units of a telephone event's duration in 1/8 ms
        ("ptime", "i8"),
        # background of Opus that is not decoded (`background`)
        ("quiet_run", "i8"),  # packets decoded that were quiet enough
        ("quiet_kind", "i8"),  # the first byte of each of them
        ("quiet_gain", "i8"),  # the highest of their gains
        ("quiet_bytes", "i8"),  # and the longest of them
        ("passed_over", "i8"),  # packets since the last one that was decoded
        # the mix it is in, as a doubly linked list; the other half is `Tables.next_leg`
        ("mix", "i8"),
        ("previous", "i8"),
        # source latching: addresses as integers in host order
        ("waits", "i8"),  # stands in the list of legs that still wait for their first packet
        ("allowed_ip_1", "i8"),  # with `offered_port`: what the SDP said
        ("offered_port", "i8"),
        ("allowed_ip_2", "i8"),
        # sending
        ("send_failures", "i8"),
        # keys that the other side is told (RFC 4733 2.5)
        ("key_timestamp", "i8"),
        ("key_lasts", "i8"),  # ts units
        ("key_ends", "i8"),  # end packets sent
        # receiving (RFC 3550 A.1, A.8)
        ("lowest", "i8"),
        ("received_before", "i8"),  # of earlier SSRCs of this leg
        ("lost_before", "i8"),
        ("late", "i8"),
        ("duplicate", "i8"),
        ("malformed", "i8"),
        # playout
        ("concealed", "i8"),  # ts units, in all
        ("concealed_long", "i8"),  # of it in runs of more than 60 ms: what a guess cannot hide
        ("stretched", "i8"),  # ts units by which the sound was made longer
        ("accelerated", "i8"),  # and shorter, or skipped
        ("conceal_lag", "i8"),
        # its own sounds, and who listens in
        ("queue_tail", "i8"),
        ("tap_heard_only", "i8"),  # the tap gets nothing while nobody would hear the leg
        # digits (RFC 4733 2.5, and in-band)
        ("event_seen", "i8"),
        ("event_ts", "i8"),
        ("event_code", "i8"),
        ("event_ended", "i8"),
        ("event_duration", "i8"),
        ("tone_filled", "i8"),
        ("tone_candidate", "i8"),
        ("tone_hits", "i8"),
        ("tone_misses", "i8"),
        ("tone_reported", "i8"),  # the key that is held, plus one; 0: none
        # reports (RFC 3550 section 6)
        ("muxed", "i8"),  # they use the RTP port (RFC 5761)
        ("reports_port", "i8"),  # where the other side wants them, if that is not its RTP port + 1
        ("name_1", "i8"),  # the CNAME: eight letters of 6 bits
        ("name_2", "i8"),
        ("report_place", "i8"),  # in the wheel, plus one; 0: none
        ("report_next", "i8"),  # of the same place
        ("packets_reported", "i8"),  # as of our last report, like the next two
        ("received_reported", "i8"),
        ("expected_reported", "i8"),
        ("their_report", "i8"),  # the middle of the NTP time of their last
        ("their_report_at", "i8"),  # engine clock, ns
        ("remote_reports", "i8"),  # how many told of our stream
        ("remote_lost", "i8"),
        ("remote_expected", "i8"),
        ("remote_jitter", "f8"),  # ts units
        ("round_trip", "i8"),  # ns; 0: unknown
        ("loss_class", "i8"),
        ("calm_reports", "i8"),
        ("gaps", "i8"),  # stretches of packets that did not come, of one or more
        ("recovered", "i8"),  # packets made good from the one behind
        # the sender's clock against ours
        ("clock_points", "i8"),
        ("clock_weight", "f8"),
        ("clock_x", "f8"),
        ("clock_y", "f8"),
        ("clock_xx", "f8"),
        ("clock_xy", "f8"),
        ("drift", "f8"),  # ppm
        # SRTP; plain RTP needs none of it
        ("srtp_before", "i8"),  # a session with the keys before these, until the first packet with the new ones
        ("srtp_finding", "i8"),  # how the roll-over counter of the other side is looked for, see `srtp`
        ("srtp_roc", "i8"),  # how often our sequence numbers began again
        ("srtcp_sent", "i8"),  # reports sent with these keys
        ("srtp_index", "i8"),  # of the newest packet received: its roll-over counter and sequence number
        ("srtp_ssrc", "i8"),
        ("srtp_streams", "i8"),  # how many SSRCs were heard
        ("srtp_refused", "i8"),
        ("srtp_replayed", "i8"),
    ],
)

RECEIVING_BYTES = int(LEG.fields["muted"][1])  # type: ignore[index]
"""Of a leg's record, from its beginning: what every packet that comes touches."""
HOT_BYTES = int(LEG.fields["widest"][1])  # type: ignore[index]
"""And what every tick touches."""

MIX = _record_type(
    [
        ("state", "i8"),
        ("lobby", "i8"),
        ("ceiling", "i8"),
        ("rate", "i8"),
        ("interval", "i8"),
        ("energy_level", "i8"),
        ("comfort_noise", "i8"),
        ("due", "i8"),
        ("first", "i8"),
        ("legs", "i8"),
        ("wide_legs", "i8"),  # how many can use 16 kHz
        ("full_legs", "i8"),  # and how many more than that
        ("groups", "i8"),  # the first of its encoders
        ("wants", "i8"),  # the rates of these
        ("sounded", "i8"),  # something was played in the last tick
        ("sounding", "i8"),  # in this one there is something to be heard of that, or of what is played now
        ("queue_head", "i8"),
        ("queue_tail", "i8"),
        ("loop", "i8"),
        ("tap", "i8"),
        ("voices", "i8"),
        ("ticks", "i8"),
        ("limiter_gains", "f4", (RATES,)),  # of each rate at which it is sent
        ("out_tails", "f4", (RATES * LOOKAHEAD,)),  # and what its limiter has taken and not given
        ("out_history", "f4", (FIR_HISTORY,)),
        ("out_wide_history", "f4", (WIDE_HISTORY,)),
        ("sound_history", "f4", (WIDE_HISTORY,)),
    ],
)

ENCODER = _record_type(
    [  # one for each leg, for when it hears a mix of its own, and those that legs of a mix share
        ("next", "i8"),  # of the same mix
        ("codec", "i8"),
        ("rate", "i8"),
        ("packet", "i8"),  # samples
        ("span", "i8"),  # ts units of a packet
        ("most_bytes", "i8"),  # of a packet of Opus
        ("legs", "i8"),
        ("wanted", "i8"),  # somebody hears it in this tick
        ("used", "i8"),  # samples in the fifo
        ("fec", "i8"),  # its listeners know what to do with it
        ("bits", "i8"),  # a second, of Opus
        ("fec_bits", "i8"),  # and where loss is expected
        ("complexity", "i8"),  # where loss is expected
        ("plain_complexity", "i8"),  # and where it is not
        ("plain_signal", "i8"),  # what libopus is told then that it encodes
        ("loss_class", "i8"),  # what its listeners tell
        ("prepared", "i8"),  # the class that libopus was told
        ("listeners", "i8", (LOSS_CLASSES,)),  # of a shared one, by class
        ("state", "i8"),  # one more than its row of `Tables.opus_encoders`; 0: it has none, see `opus_states`
        ("g722", "i4", (G722_STATE,)),
    ],
)

SLOT = _record_type(
    [  # a packet in a jitter buffer; each leg has SLOTS of them, and a packet's place is its sequence number
        ("seq", "i8"),  # unwrapped; -1: none
        ("ts", "i8"),
        ("at", "i8"),  # of its payload, in bytes that ever went into the ring; -1: in the place of its number
        ("length", "i4"),
        ("span", "i4"),  # ts units
        ("score", "i8"),  # for the gate, where it could be told when the packet came; -1: not
        ("level", "i8"),  # dB below full scale, as the sender says (RFC 6464); -1: unknown
        ("arrival", "i8"),  # engine clock, ns
        ("pause", "i8"),  # not 0: no sound (and no span) but a pause, see `pauses`. 64 bytes: a line of the cache
    ],
)

NEAR = _record_type(
    [  # what a leg at 8 kHz touches all the time: in one piece, so that few pages of memory have to be found
        ("lateness", "f4", (LATENESS_BINS,)),
        ("arena", "u1", (SMALL_ARENA_BYTES,)),
        ("said", "i2", (SAID // WIDER,)),
        ("history", "i2", (HISTORY // WIDER,)),
        ("out_tail", "f4", (LOOKAHEAD,)),  # what the limiter of its own mix has taken and not given; at any rate
    ],
)

LINE = _record_type(
    [  # a leg's other buffers. What most legs never use comes last, and costs no memory then
        ("in_history", "f4", (FIR_HISTORY,)),
        ("in_wide_history", "f4", (WIDE_HISTORY,)),
        ("out_history", "f4", (FIR_HISTORY,)),
        ("out_wide_history", "f4", (WIDE_HISTORY,)),
        ("sound_history", "f4", (WIDE_HISTORY,)),
        ("g722_decode", "i4", (G722_STATE,)),
        ("tone_state", "f4", (TONE_STATE,)),
        ("said", "i2", (SAID,)),
        ("history", "i2", (HISTORY,)),
        ("arena", "u1", (ARENA_BYTES,)),
        ("ready", "i2", (READY,)),
    ],
)

SCRATCH = _record_type(
    [  # what one tick works on
        ("voices", "f4", (MAX_FRAME,)),
        ("sounds", "f4", (MAX_FRAME,)),
        ("everything", "f4", (MAX_FRAME,)),
        ("signal", "f4", (LOOKAHEAD + MAX_FRAME,)),
        ("limited", "f4", (MAX_FRAME,)),
        ("window", "f4", (WIDE_HISTORY + MAX_FRAME,)),
        ("queued", "f4", (MAX_FRAME,)),
        ("frame", "i2", (MAX_FRAME,)),
        ("past", "i2", (HISTORY,)),
        ("recalled", "i2", (RECALLED,)),
        ("coded", "u1", (PACKET_BYTES,)),
        ("event", "u1", (4,)),
        ("sealed", "u1", (RECEIVE_BYTES,)),
        ("wire_bytes", "i4", (1,)),  # where libsrtp is told, and tells, how long a packet is
        ("wire_roc", "u4", (1,)),
        ("timespec", "i8", (2,)),  # where the system is told, and tells, a time
        ("poll", "i8", (1,)),
        ("searches", "i8"),  # for periods, in this step
        ("turn", "i8"),  # the place in `Tables.turns` that is being worked on
        ("turns", "i8"),  # how many there are in this step
        ("random", "u4"),
    ],
)

SOCKET = _record_type(
    [
        ("descriptor", "i8"),
        ("odd", "i8"),  # the socket of the port above, for reports; -1: none
        ("even", "i8"),  # of such a one, the RTP socket; -1: it is one
        ("waiting_count", "i8"),
        ("waiting", "i8", (WAITING,)),
    ],
)
SOURCE = _record_type([("key", "i8"), ("leg", "i8")])
ENVELOPE = _record_type(
    [  # of a datagram that came
        ("vector", "u8", (2,)),
        ("name", "u1", (16,)),
        ("control", "i8", (CONTROL_BYTES // 8,)),
    ],
)

PLAY = _record_type(
    [
        ("state", "i8"),
        ("play_id", "i8"),
        ("leg", "i8"),
        ("next", "i8"),
        ("offset_8k", "i8"),
        ("offset_16k", "i8"),
        ("length", "i8"),  # in samples at 8 kHz
        ("at", "i8"),  # how much was heard, in samples at 8 kHz
        ("live", "i8"),  # a ring that is read by the clock
        ("phase", "i8"),  # where it begins in the ring, for this tick, in samples at 8 kHz
        ("loops", "i8"),
        ("gain", "f4"),
    ],
)

RELATION = _record_type([("speaker", "i8"), ("next", "i8")])

TAP = _record_type(
    [
        ("written", "i8"),  # how many chunks so far; the latest TAP_CHUNKS of them are there
        ("position", "i8"),  # how many samples of the ring were used so far: the next chunk begins here
        ("ring", "i2", (TAP_SAMPLES,)),
    ],
)
CHUNK = _record_type([("at", "i8"), ("rate", "i8"), ("count", "i8"), ("begin", "i8")])  # begin: in the tap's ring

# kinds of what kernels report
DIGIT, TALKING, PLAY_DONE, LATCHED = 1, 2, 3, 4


@kernel
def place_of(leg: Int, sequence: Int) -> Int:
    """Where a leg's packet with this sequence number has its slot."""
    return np.int64(leg * SLOTS + (sequence & (SLOTS - 1)))
