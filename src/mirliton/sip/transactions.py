"""All transactions of an agent: finds the machine for a message, carries out what machines want, bounds their number.

No sockets and no clock: bytes leave through `send`, and the owner calls `timer` for machines that come due.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sipmessage import Request, Response

from mirliton.sip.deadlines import Deadlines
from mirliton.sip.message import call_id, cseq, from_tag, to_wire, top_via
from mirliton.sip.peer import Peer
from mirliton.sip.transaction import (
    ClientTransaction,
    Deliver,
    InviteClient,
    InviteServer,
    Output,
    PlainClient,
    PlainServer,
    ServerTransaction,
    Timing,
    Transaction,
    Transmit,
    cancelled_key,
    client_key,
    server_key,
)

OnResponse = Callable[[Response], None]
OnFailure = Callable[[], None]
_MergeKey = tuple[str, str, int]


@dataclass(slots=True)
class _Client:
    machine: ClientTransaction
    peer: Peer
    on_response: OnResponse
    on_failure: OnFailure


def reply_peer(request: Request, source: Peer) -> Peer:
    """Where responses to a request go (RFC 3261 section 18.2.2, RFC 3581 section 4); a maddr is not followed."""
    via = top_via(request)
    if source.transport == "tcp" or "rport" in via.parameters:
        return source
    return Peer("udp", source.host, via.port or 5060)


class Transactions:
    """The transaction layer (RFC 3261 section 17)."""

    def __init__(
        self,
        timing: Timing,
        limit: int,
        send: Callable[[bytes, Peer], None],
        deadlines: Deadlines,
        count: Counter[str],
    ) -> None:
        self._timing = timing
        self._limit = limit
        self._send = send
        self._deadlines = deadlines
        self._count = count
        self._servers: dict[tuple[str, ...], tuple[ServerTransaction, Peer]] = {}
        self._clients: dict[tuple[str, str], _Client] = {}
        self._keys: dict[Transaction, tuple[str, ...]] = {}
        self._merge: dict[_MergeKey, ServerTransaction] = {}

    def __len__(self) -> int:
        return len(self._servers) + len(self._clients)

    def full(self, *, for_known_calls: bool = False) -> bool:
        """No room for one more. A quarter more is kept for calls that go on: they must be able to end."""
        return len(self) >= (self._limit + self._limit // 4 if for_known_calls else self._limit)

    @property
    def waiting(self) -> bool:
        """Whether a request of ours has no final response yet."""
        return any(not client.machine.answered for client in self._clients.values())

    # -- server side ---------------------------------------------------------------------------------------------------

    def absorb(self, request: Request, now: float) -> bool:
        """Whether a transaction took a request: a retransmission, or the ACK of a refusal."""
        found = self._servers.get(server_key(request))
        if found is None:
            return False
        machine, peer = found
        outputs = machine.receive(request, now)
        self._carry_out(machine, peer, outputs)
        # The ACK of a 2xx that comes with the INVITE's branch (RFC 2543 elements) is for the session.
        return not any(isinstance(output, Deliver) for output in outputs)

    def open(self, request: Request, source: Peer, now: float) -> None:
        """A new server transaction."""
        kind = InviteServer if request.method == "INVITE" else PlainServer
        machine = kind(request, source.reliable, now, self._timing)
        key = server_key(request)
        self._servers[key] = machine, reply_peer(request, source)
        self._keys[machine] = key
        if request.method == "INVITE":
            self._merge.setdefault(_merge_key(request), machine)
        self._deadlines.watch(machine)

    def merged_elsewhere(self, invite: Request) -> bool:
        """Whether an opened INVITE also came by another way before (RFC 3261 section 8.2.2.2: 482)."""
        return self._merge[_merge_key(invite)].request is not invite

    def invite_of(self, cancel: Request) -> Request | None:
        """The INVITE that a CANCEL means."""
        found = self._servers.get(cancelled_key(cancel))
        return found[0].request if found is not None else None

    def respond(self, request: Request, response: Response, now: float) -> None:
        """Answer a request that `open` got. A transaction that is gone drops it."""
        found = self._servers.get(server_key(request))
        if found is None:
            return
        self._count[f"sent {response.code // 100}xx"] += 1
        machine, peer = found
        self._carry_out(machine, peer, machine.send(response, now))

    def respond_stateless(self, request: Request, response: Response, source: Peer) -> None:
        """Answer without remembering (section 8.2.7): for refusals when there is no room."""
        self._count[f"sent {response.code // 100}xx"] += 1
        self._send(to_wire(response), reply_peer(request, source))

    # -- client side ---------------------------------------------------------------------------------------------------

    def ask(self, request: Request, peer: Peer, on_response: OnResponse, on_failure: OnFailure, now: float) -> None:
        """Send a request that has its Via. One of the two callbacks gets every outcome."""
        kind = InviteClient if request.method == "INVITE" else PlainClient
        machine = kind(request, peer.reliable, self._timing)
        key = client_key(request)
        self._clients[key] = _Client(machine, peer, on_response, on_failure)
        self._keys[machine] = key
        self._count[f"sent {request.method}"] += 1
        self._carry_out(machine, peer, machine.start(now))

    def receive(self, response: Response, now: float) -> bool:
        """Whether a response belongs to a transaction of ours."""
        client = self._clients.get(client_key(response))
        if client is None:
            return False
        self._carry_out(client.machine, client.peer, client.machine.receive(response, now))
        return True

    def unreachable(self, peer: Peer) -> None:
        """The transport cannot send to this peer: its requests fail now instead of at their timers."""
        for client in [client for client in self._clients.values() if client.peer == peer]:
            if not client.machine.answered:
                self._forget(client.machine)
                client.on_failure()

    # -- both ----------------------------------------------------------------------------------------------------------

    def timer(self, machine: Transaction, now: float) -> None:
        """A machine came due."""
        key = self._keys.get(machine)
        if key is None:
            return
        outputs = machine.timer(now)
        if isinstance(machine, InviteServer | PlainServer):
            self._carry_out(machine, self._servers[key][1], outputs)
        else:
            self._carry_out(machine, self._clients[(key[0], key[1])].peer, outputs)

    def _carry_out(self, machine: Transaction, peer: Peer, outputs: list[Output]) -> None:
        client = self._clients.get(client_key(machine.request)) if machine in self._keys else None
        if client is not None and client.machine is not machine:
            client = None
        if machine.finished:
            self._forget(machine)
        else:
            self._deadlines.watch(machine)
        for output in outputs:
            if isinstance(output, Transmit):
                self._count["retransmissions"] += output.repeat
                self._send(output.data, peer)
            elif client is None:
                continue
            elif isinstance(output, Deliver):
                if isinstance(output.message, Response):
                    client.on_response(output.message)
            else:
                self._count["timeouts"] += 1
                client.on_failure()

    def _forget(self, machine: Transaction) -> None:
        key = self._keys.pop(machine, None)
        if key is None:
            return
        if isinstance(machine, InviteServer | PlainServer):
            del self._servers[key]
            if machine.request.method == "INVITE" and self._merge.get(_merge_key(machine.request)) is machine:
                del self._merge[_merge_key(machine.request)]
        else:
            del self._clients[(key[0], key[1])]


def _merge_key(invite: Request) -> _MergeKey:
    return call_id(invite), from_tag(invite), cseq(invite)[0]
