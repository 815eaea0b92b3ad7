"""Numbers of sound that have labels or are distributions: how calls are and were, how late ticks begin.

Labels are codecs only, so that there are never more series than a server has codecs.
"""

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from mirliton.media.ended_calls import MEASURES
from mirliton.media.link import MediaLink


class MediaMetrics(Collector):
    """Read when Prometheus asks."""

    def __init__(self, registry: CollectorRegistry, engine: MediaLink) -> None:
        self._engine = engine
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        yield from self._present()
        yield from self._ended()
        yield self._lateness()

    def _present(self) -> Iterator[Metric]:
        spoken: Counter[str] = Counter()
        talking = 0
        for (codec, talks), count in Counter(self._engine.speaking()).items():
            spoken[codec] += count
            talking += count * talks
        yield GaugeMetricFamily("mirliton_media_talking", "Callers who are heard at this moment", value=talking)
        legs = GaugeMetricFamily("mirliton_media_legs_by_codec", "Calls with sound", labels=["codec"])
        for codec, count in sorted(spoken.items()):
            legs.add_metric([codec], count)
        yield legs

    def _ended(self) -> Iterator[Metric]:
        for measure, (about, _, _) in MEASURES.items():
            family = HistogramMetricFamily(
                f"mirliton_call_{measure}", f"At the end of calls: {about}", labels=["codec"]
            )
            for codec, histogram in self._engine.ended.histograms(measure):
                buckets = [(_bound(bound), count) for bound, count in histogram.cumulative()]
                family.add_metric([codec], buckets, histogram.total)
            yield family

    def _lateness(self) -> Metric:
        buckets, total = self._engine.tick_lateness()
        named = [(_bound(seconds), count) for seconds, count in buckets]
        return HistogramMetricFamily("mirliton_media_tick_late_seconds", "How late ticks began", named, total)


def _bound(value: float) -> str:
    return "+Inf" if value == float("inf") else str(value)
