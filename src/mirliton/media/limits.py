"""Sizes of the engine's fixed buffers. Capacities that an operator may set are in `settings.MediaSettings`."""

MAX_INTERVAL = 120  # ms, the longest mixing interval (seeds: 10..120)
MAX_RATE = 16000  # Hz, until wider codecs come
MAX_FRAME = MAX_INTERVAL * MAX_RATE // 1000
LOOKAHEAD = 2 * MAX_RATE // 1000  # samples; the limiter sees 2 ms ahead
FIR_HISTORY = 48  # samples kept between ticks by a resampler
G722_STATE = 96  # integers of state of one G.722 direction
HISTORY = 30 * MAX_RATE // 1000  # samples; two periods of the lowest voice, for concealment
SLOTS = 64  # packets a jitter buffer can hold (a power of two)
ARENA_BYTES = 8192  # payload bytes a jitter buffer can hold: one second of G.711
FIFO_BYTES = 2048  # encoded bytes waiting for a full packet
PACKET_BYTES = 512  # header and 60 ms of payload at 64 kbit/s
BATCH = 512  # packets a system call
EVENT_RING = 8192
TONE_STATE = 17  # eight filters of two values each, and the power
RECEIVE_BYTES = 1600  # no longer datagram is RTP here
WAITING = 256  # legs that may wait for their first packet on one socket
MAX_PTIME = 60
TAP_CHUNKS = 128  # chunks that wait in a tap: 2.5 s of 20 ms ticks
CONTROL_BYTES = 64  # room for the kernel's time stamp of a packet
