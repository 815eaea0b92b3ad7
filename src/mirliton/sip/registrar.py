"""The registrar (RFC 3261 section 10): where the devices of an account can be reached. Pure: the time is given."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sipmessage import Request, Response

from mirliton.sip.grammar import Malformed, NameAddress, parse_name_address
from mirliton.sip.message import call_id, cseq, number, respond, values
from mirliton.sip.peer import Peer
from mirliton.sip.types import Device

MAX_CONTACTS = 10
LONGEST_CONTACT = 1024
"""Characters of an address: it is kept, and all ten are sent back in an answer that has to fit into a datagram."""
_SWEEP_SECONDS = 1.0  # looking through all is too slow for every REGISTER of a flood
_DeviceKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Binding:
    """One address of one device. `flow` is where its REGISTER came from: the way through its NAT."""

    uri: str
    flow: Peer
    expires_at: float
    call_id: str
    sequence: int


class Registrar:
    """Bindings by account and device, at most `max_bindings` together and `MAX_CONTACTS` a device. Times in seconds.

    `max_per_account` None: one account may have all.
    """

    def __init__(
        self, *, max_bindings: int, default_expires: int, min_expires: int, max_per_account: int | None = None
    ) -> None:
        self._max = max_bindings
        self._max_per_account = max_bindings if max_per_account is None else max_per_account
        self._default = default_expires
        self._min = min_expires
        self._bindings: dict[_DeviceKey, dict[str, Binding]] = {}
        self._total = 0
        self._of_account: Counter[str] = Counter()
        self._swept = float("-inf")

    def __len__(self) -> int:
        return self._total

    def lookup(self, account_id: str, device_id: str, now: float) -> list[Binding]:
        """Where a device can be reached, latest registration first."""
        found = self._bindings.get((account_id, device_id), {})
        return [binding for binding in reversed(found.values()) if binding.expires_at > now]

    def register(self, request: Request, device: Device, source: Peer, now: float, local_tag: str) -> Response:
        """Carry out an authenticated REGISTER, wholly or not at all, and answer it."""
        key = device.account_id, device.device_id
        self._expire(key, now)
        try:
            changed = self._changed(request, dict(self._bindings.get(key, {})), source, now)
        except _Refused as refused:
            return respond(request, refused.code, refused.phrase, local_tag=local_tag, headers=refused.headers)
        growth = self._growth(key, changed)
        if growth > 0 and not self._room_for(device.account_id, growth, now):
            return respond(request, 503, "too many registrations", local_tag=local_tag, headers={"Retry-After": "60"})
        self._store(key, changed)
        response = respond(request, 200, local_tag=local_tag)
        for binding in changed.values():
            left = max(0, round(binding.expires_at - now))
            response.headers.add("Contact", f"<{binding.uri}>;expires={left}")
        return response

    def _changed(self, request: Request, bindings: dict[str, Binding], source: Peer, now: float) -> dict[str, Binding]:
        contacts = values(request, "Contact")
        if contacts == ["*"]:
            if number(request, "Expires") != 0:
                raise _Refused(400, "* needs Expires: 0")
            for binding in bindings.values():
                _check_order(binding, request)
            return {}
        for address in _addresses(contacts):
            self._bind(bindings, address, request, source, now)
        if len(bindings) > MAX_CONTACTS:
            raise _Refused(403, "too many contacts")
        return bindings

    def _bind(
        self, bindings: dict[str, Binding], address: NameAddress, request: Request, source: Peer, now: float
    ) -> None:
        uri = str(address.uri)
        if len(uri) > LONGEST_CONTACT:
            raise _Refused(400, "Contact is too long")
        before = bindings.pop(uri, None)
        if before is not None:
            _check_order(before, request)
        seconds = self._seconds(address, request)
        if seconds == 0:
            return
        if seconds < self._min:
            raise _Refused(423, headers={"Min-Expires": str(self._min)})
        bindings[uri] = Binding(uri, source, now + seconds, call_id(request), cseq(request)[0])

    def _seconds(self, address: NameAddress, request: Request) -> int:
        text = address.parameters.get("expires") or ""
        asked = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else number(request, "Expires")
        return self._default if asked is None else min(asked, self._default)

    def _growth(self, key: _DeviceKey, changed: dict[str, Binding]) -> int:
        return len(changed) - len(self._bindings.get(key, {}))

    def _room_for(self, account_id: str, growth: int, now: float) -> bool:
        if not self._fits(account_id, growth) and now >= self._swept + _SWEEP_SECONDS:
            self._swept = now
            for key in list(self._bindings):
                self._expire(key, now)
        return self._fits(account_id, growth)

    def _fits(self, account_id: str, growth: int) -> bool:
        return self._total + growth <= self._max and self._of_account[account_id] + growth <= self._max_per_account

    def _expire(self, key: _DeviceKey, now: float) -> None:
        found = self._bindings.get(key, {})
        self._store(key, {uri: binding for uri, binding in found.items() if binding.expires_at > now})

    def _store(self, key: _DeviceKey, bindings: dict[str, Binding]) -> None:
        growth = self._growth(key, bindings)
        self._total += growth
        self._of_account[key[0]] += growth
        if not self._of_account[key[0]]:
            del self._of_account[key[0]]
        if bindings:
            self._bindings[key] = bindings
        else:
            self._bindings.pop(key, None)


class _Refused(Exception):
    def __init__(self, code: int, phrase: str | None = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.phrase = phrase
        self.headers = headers


def _addresses(contacts: list[str]) -> Iterator[NameAddress]:
    for text in contacts:
        try:
            address = parse_name_address(text)
        except Malformed:
            raise _Refused(400, "Contact cannot be read") from None
        if address.uri.scheme not in ("sip", "sips"):
            raise _Refused(400, "Contact is not SIP")
        yield address


def _check_order(binding: Binding, request: Request) -> None:
    # Section 10.3 step 7: an older request of the same Call-ID came late and must not undo a newer one.
    if binding.call_id == call_id(request) and cseq(request)[0] <= binding.sequence:
        raise _Refused(500, "CSeq out of order")
