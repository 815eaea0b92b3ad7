"""What the API counts, in the registry that `GET /metrics` shows."""

from prometheus_client import CollectorRegistry, Counter


class ApiMetrics:
    """Counters of one app."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "mirliton_http_requests", "Requests by route, verb and status", ("route", "verb", "code"), registry=registry
        )
        self.faults = Counter("mirliton_http_faults", "Requests that met a fault of ours", registry=registry)
        self.refused_logins = Counter(
            "mirliton_http_refused_logins", "Failed and rate-limited logins", ("reason",), registry=registry
        )
        self.oversized = Counter("mirliton_http_oversized_bodies", "Bodies over the limit", registry=registry)
