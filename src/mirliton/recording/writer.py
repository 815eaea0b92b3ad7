"""The writer's own process: empties taps, encodes and writes files, and does nothing else.

Started by `writer_process` with the socket and the memory of the taps as inherited descriptors. No disk, however slow,
is waited for anywhere else; and what kills this process leaves the engine and the control process as they are.
"""

import os
import select
import signal
import socket
import sys
import time

import msgspec

from mirliton.media.taps import TapMemory, TapReader
from mirliton.recording import messages as m
from mirliton.recording.desk import Desk

POLL_SECONDS = 0.2
_DATAGRAM = 1 << 16
_NICE = 10


class Start(msgspec.Struct, frozen=True):
    """What the control process hands over, as one JSON argument."""

    control: int
    taps: int
    max_taps: int


class Writer:
    """The loop around a `Desk`."""

    def __init__(self, start: Start) -> None:
        self._control = socket.socket(fileno=start.control)
        self._control.setblocking(False)
        self._orders = select.poll()  # not `select`, which takes no descriptor above 1023: ours has its parent's number
        self._orders.register(self._control, select.POLLIN)
        memory = TapMemory(start.max_taps, start.taps)
        self._desk = Desk(lambda tap, first: TapReader(memory, tap, first))
        self._decoder = msgspec.msgpack.Decoder(m.Order)
        self._encoder = msgspec.msgpack.Encoder()
        self._unsent: list[m.News] = []

    def run(self) -> None:
        """Until the control process closes its end, or dies; all files are closed then."""
        due = time.monotonic()
        while self._read_orders():
            if time.monotonic() >= due or self._desk.behind:
                due = time.monotonic() + POLL_SECONDS
                self._unsent += self._desk.round(time.monotonic_ns())
            self._send()
            wait = 0.0 if self._desk.behind else max(0.0, due - time.monotonic())
            self._orders.poll(1000 * wait)
        self._desk.close()

    def _read_orders(self) -> bool:
        """Do everything that waits. False when the control process is gone."""
        while True:
            try:
                data = self._control.recv(_DATAGRAM)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            self._unsent += self._desk.order(self._decoder.decode(data))

    def _send(self) -> None:
        """What does not fit into the socket goes with the next round; of what is only progress the last is enough."""
        while self._unsent:
            try:
                self._control.send(self._encoder.encode(self._unsent[0]))
            except BlockingIOError:
                last = len(self._unsent) - 1
                self._unsent = [
                    news for at, news in enumerate(self._unsent) if at == last or not isinstance(news, m.Progress)
                ]
                return
            except OSError:
                return  # the control process is gone: the next read ends the loop
            del self._unsent[0]


def main() -> None:
    """`python -m mirliton.recording.writer JSON`."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it ends when the control process does, which may have more to say
    os.nice(_NICE)
    Writer(msgspec.json.decode(sys.argv[1], type=Start)).run()


if __name__ == "__main__":
    main()
