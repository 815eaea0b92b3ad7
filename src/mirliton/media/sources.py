"""Who sent a packet: the address table and source latching (design 4.2).

A leg is known by (socket, remote address, remote port). Until its first packet it is known by what its SDP said; it
latches on the first valid RTP packet from its SDP address or from its signalling address. A packet from any other port
than the SDP's is only presumed to be its own (NAT): should the SDP's own address and port be heard after all, they are
right, and the leg moves there. Otherwise it never moves without signalling. Strangers are dropped and counted.
"""

import numpy as np

from mirliton.media import counting
from mirliton.media.kernels import Int, kernel
from mirliton.media.limits import WAITING
from mirliton.media.records import LATCHED
from mirliton.media.tables import Tables

RETIRED = -2


@kernel
def push_event(t: Tables, kind: Int, leg: Int, first: Int, second: Int) -> None:
    """Report something to the interpreter; a full ring is counted (EVENTS_LOST)."""
    at = t.counters[counting.EVENTS]
    if at >= t.events.shape[0]:
        t.counters[counting.EVENTS_LOST] += 1
        return
    t.events[at, 0], t.events[at, 1], t.events[at, 2], t.events[at, 3] = kind, leg, first, second
    t.counters[counting.EVENTS] = at + 1


@kernel
def source_key(socket: Int, address: Int, port: Int) -> Int:
    """One integer for a source; addresses are IPv4 in host order."""
    return (np.int64(socket) << 48) | (np.int64(address) << 16) | np.int64(port)


@kernel
def home(t: Tables, key: Int) -> Int:
    """Where in the table of sources a key is looked for first."""
    # products stay below 63 bits, so that compiled and interpreted runs agree without overflow
    low = (np.int64(key) & 0x7FFFFFFF) * 0x9E3779
    high = (np.int64(key) >> 31) * 0x85EBCA6
    return ((low ^ high) >> 13) & np.int64(t.sources.shape[0] - 1)


@kernel
def find(t: Tables, key: Int) -> Int:
    """The leg with this source, `RETIRED`, or -1."""
    mask = t.sources.shape[0] - 1
    at = home(t, key)
    while t.sources[at].key != -1:
        if t.sources[at].key == key:
            return np.int64(t.sources[at].leg)
        at = (at + 1) & mask
    return np.int64(-1)


@kernel
def remember(t: Tables, key: Int, leg: Int) -> None:
    """Add, unless another leg has this source: nobody takes a caller's sound by naming its address in an SDP.

    A retired source may be somebody's again.

    The table has four times as many places as legs, which have two sources at most, and as many again are retired.
    """
    mask = t.sources.shape[0] - 1
    at = home(t, key)
    while t.sources[at].key != -1:
        if t.sources[at].key == key:
            if t.sources[at].leg != RETIRED:
                return
            break
        at = (at + 1) & mask
    t.sources[at].key = key
    t.sources[at].leg = leg


@kernel
def retire(t: Tables, key: Int, leg: Int) -> None:
    """The source is no leg's any more, but what it still sends must not be taken for another leg's first packet."""
    mask = t.sources.shape[0] - 1
    at = home(t, key)
    while t.sources[at].key != -1:
        if t.sources[at].key == key and t.sources[at].leg == leg:
            t.sources[at].leg = RETIRED
        at = (at + 1) & mask


@kernel
def forget(t: Tables, key: Int, leg: Int) -> None:
    """Remove, if the source is this leg's; later entries of the same run are moved up (no tombstones)."""
    mask = t.sources.shape[0] - 1
    hole = home(t, key)
    while t.sources[hole].key != key:
        if t.sources[hole].key == -1:
            return
        hole = (hole + 1) & mask
    if t.sources[hole].leg != leg:
        return
    at = hole
    while True:
        at = (at + 1) & mask
        if t.sources[at].key == -1:
            break
        if ((at - home(t, t.sources[at].key)) & mask) >= ((at - hole) & mask):
            t.sources[hole].key, t.sources[hole].leg = t.sources[at].key, t.sources[at].leg
            hole = at
    t.sources[hole].key = -1


@kernel
def start_waiting(t: Tables, leg: Int) -> None:
    """Put a leg on its socket's list of legs without a source."""
    record = t.legs[leg]
    count = t.sockets[record.socket].waiting_count
    if record.waits or count >= WAITING:
        return
    t.sockets[record.socket].waiting[count] = leg
    t.sockets[record.socket].waiting_count = count + 1
    record.waits = 1


@kernel
def stop_waiting(t: Tables, leg: Int) -> None:
    """Take a leg off that list."""
    record = t.legs[leg]
    if not record.waits:
        return
    record.waits = 0
    line = t.sockets[record.socket].waiting
    last = t.sockets[record.socket].waiting_count - 1
    for i in range(last + 1):
        if line[i] == leg:
            line[i] = line[last]
            break
    t.sockets[record.socket].waiting_count = last


@kernel
def set_remote(t: Tables, leg: Int, address: Int, port: Int) -> None:
    """Where this leg's packets are sent: `struct sockaddr_in`."""
    record = t.legs[leg]
    record.remote_ip, record.remote_port = address, port
    name = t.remote[leg]
    name[0], name[1] = 2, 0
    name[2], name[3] = (port >> 8) & 255, port & 255
    for i in range(4):
        name[4 + i] = (address >> (24 - 8 * i)) & 255


@kernel
def latch(t: Tables, leg: Int, address: Int, port: Int) -> None:
    """From now on this source is the leg."""
    record = t.legs[leg]
    if record.remote_ip != address or record.remote_port != port:
        if record.remote_ip != record.allowed_ip_1 or record.remote_port != record.offered_port:
            forget(t, source_key(record.socket, record.remote_ip, record.remote_port), leg)
        set_remote(t, leg, address, port)
        record.remote_ssrc = -1  # another sender: its stream begins anew, even if both chose the same number
        remember(t, source_key(record.socket, address, port), leg)
    record.latched = 1
    stop_waiting(t, leg)
    push_event(t, LATCHED, leg, address, port)


@kernel
def take_source(t: Tables, leg: Int, address: Int, port: Int) -> None:
    """A good packet of a leg came from here."""
    record = t.legs[leg]
    if not record.latched or record.remote_port != port or record.remote_ip != address:
        latch(t, leg, address, port)


@kernel
def leg_of(t: Tables, socket: Int, address: Int, port: Int) -> Int:
    """The leg that a packet from here is for, if it proves to be good (`take_source`); -1 for strangers (counted)."""
    leg = find(t, source_key(socket, address, port))
    if leg >= 0:
        return leg
    if leg == RETIRED:
        t.counters[counting.UNKNOWN_SOURCE] += 1
        return np.int64(-1)
    for i in range(t.sockets[socket].waiting_count):
        waiting = t.sockets[socket].waiting[i]
        record = t.legs[waiting]
        if address == record.allowed_ip_1 or address == record.allowed_ip_2:
            return np.int64(waiting)
    t.counters[counting.UNKNOWN_SOURCE] += 1
    return np.int64(-1)
