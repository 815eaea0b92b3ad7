"""What the event sockets count, in the registry that `GET /metrics` shows."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class EventMetrics:
    """Counters of one app's sockets."""

    def __init__(self, registry: CollectorRegistry, open_sockets: Callable[[], int]) -> None:
        Gauge("mirliton_events_open_sockets", "Open WebSockets", registry=registry).set_function(open_sockets)
        self.sent = Counter("mirliton_events_sent", "Events sent to WebSockets", registry=registry)
        self.lost = Counter("mirliton_events_lost", "Events that slow clients did not get", registry=registry)
        self.faults = Counter(
            "mirliton_events_faults", "Events and requests that met a fault of ours", registry=registry
        )
        self.refused_sockets = Counter(
            "mirliton_events_refused_sockets", "WebSockets that were not opened", ("reason",), registry=registry
        )
        self.requests = Counter(
            "mirliton_events_requests", "Requests that were carried out", ("action",), registry=registry
        )
        self.refused = Counter("mirliton_events_refused_requests", "Refused requests", ("reason",), registry=registry)
        self.ended = Counter("mirliton_events_ended_sockets", "WebSockets ended by us", ("reason",), registry=registry)
