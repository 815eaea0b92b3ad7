"""Dialogs (RFC 3261 section 12): who talks to whom, numbered how, by which way. Pure data and its rules."""

from dataclasses import dataclass, field

from sipmessage import Request, Response

from mirliton.sip.grammar import Malformed, NameAddress, WireURI, parse_name_address, parse_uri
from mirliton.sip.message import call_id, contact, cseq, from_tag, to_tag, values
from mirliton.sip.peer import Peer

DialogId = tuple[str, str, str]
"""Call-ID, local tag, remote tag."""


@dataclass(slots=True)
class Dialog:
    """The state of one dialog, seen from our side. `local` and `remote` are whole From/To values, tags and all."""

    call_id: str
    local_tag: str
    remote_tag: str
    local: str
    remote: str
    local_cseq: int
    remote_cseq: int
    target: str  # the other side's Contact URI
    contact: str  # our own Contact value
    flow: Peer  # where the other side's signalling really comes from
    routes: list[str] = field(default_factory=list)

    @property
    def id(self) -> DialogId:
        """How requests find their dialog."""
        return self.call_id, self.local_tag, self.remote_tag

    @classmethod
    def from_invite(cls, invite: Request, local_tag: str, our_contact: str, flow: Peer) -> "Dialog":
        """As the called side (section 12.1.1). Raises `Malformed` when the INVITE has no usable Contact."""
        theirs = contact(invite)
        if theirs is None or theirs.uri.scheme not in ("sip", "sips"):
            raise Malformed("Contact missing or not SIP")
        return cls(
            call_id=call_id(invite),
            local_tag=local_tag,
            remote_tag=from_tag(invite),
            local=f"{invite.headers['To']};tag={local_tag}",
            remote=invite.headers["From"],
            local_cseq=0,
            remote_cseq=cseq(invite)[0],
            target=str(theirs.uri),
            contact=our_contact,
            flow=flow,
            routes=values(invite, "Record-Route"),
        )

    @classmethod
    def from_response(cls, invite: Request, response: Response, our_contact: str, flow: Peer) -> "Dialog":
        """As the calling side (section 12.1.2); without a Contact the next hop stays what it was."""
        theirs = contact(response)
        if theirs is not None and theirs.uri.scheme not in ("sip", "sips"):
            theirs = None
        return cls(
            call_id=call_id(invite),
            local_tag=from_tag(invite),
            remote_tag=to_tag(response),
            local=invite.headers["From"],
            remote=response.headers["To"],
            local_cseq=cseq(invite)[0],
            remote_cseq=-1,
            target=str(theirs.uri if theirs else invite.uri),
            contact=our_contact,
            flow=flow,
            routes=values(response, "Record-Route")[::-1],
        )

    def accept_order(self, request: Request) -> bool:
        """Note a request's CSeq; False when it is not newer than the last (section 12.2.2: 500)."""
        sequence = cseq(request)[0]
        if sequence <= self.remote_cseq:
            return False
        self.remote_cseq = sequence
        return True

    def refresh_target(self, message: Request | Response) -> None:
        """An INVITE or UPDATE, or a 2xx to one, may move the other side (section 12.2)."""
        theirs = contact(message)
        if theirs is not None and theirs.uri.scheme in ("sip", "sips"):
            self.target = str(theirs.uri)

    def request(self, method: str, sequence: int | None = None) -> Request:
        """A new request inside the dialog (section 12.2.1.1), without Via. `sequence` is given for an ACK only."""
        if sequence is None:
            self.local_cseq += 1
            sequence = self.local_cseq
        uri, routes = self._way()
        request = Request(method, uri)
        for route in routes:
            request.headers.add("Route", route)
        request.headers.add("Max-Forwards", "70")
        request.headers.add("From", self.local)
        request.headers.add("To", self.remote)
        request.headers.add("Call-ID", self.call_id)
        request.headers.add("CSeq", f"{sequence} {method}")
        if method in ("INVITE", "UPDATE"):
            request.headers.add("Contact", self.contact)
        return request

    def _way(self) -> tuple[WireURI, list[str]]:
        target = parse_uri(self.target)
        if not self.routes:
            return target, []
        first = _route(self.routes[0])
        if first is None or "lr" in first.uri.parameters:
            return target, self.routes
        # A strict router (RFC 2543) wants itself in the Request-URI and the target at the end of the route.
        return first.uri, [*self.routes[1:], f"<{self.target}>"]


def _route(text: str) -> NameAddress | None:
    try:
        return parse_name_address(text)
    except Malformed:
        return None


def next_hop(request: Request) -> WireURI:
    """The URI that says where a request goes first (section 8.1.2)."""
    routes = values(request, "Route")
    first = _route(routes[0]) if routes else None
    if first is not None and "lr" in first.uri.parameters:
        return first.uri
    return parse_uri(str(request.uri))
