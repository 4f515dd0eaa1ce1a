"""Metrics in Prometheus' text format, read when asked for: a daemon's parts keep plain counts of their own."""

from collections.abc import Callable, Iterable, Iterator

from attrs import frozen
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

__all__ = ["Reading", "Readings", "metrics_route"]


@frozen
class Reading:
    """One figure. `name` without the `pitlink_` in front; a counter's without `_total`."""

    name: str
    help: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()
    is_counter: bool = False


Readings = Callable[[], Iterable[Reading]]


class _Collector:
    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for reading in self._readings():
            family = families.get(reading.name)
            if family is None:
                kind = CounterMetricFamily if reading.is_counter else GaugeMetricFamily
                labels = [name for name, _ in reading.labels]
                family = families[reading.name] = kind(f"pitlink_{reading.name}", reading.help, labels=labels)
            family.add_metric([value for _, value in reading.labels], reading.value)  # type: ignore[attr-defined]
        yield from families.values()


def metrics_route(readings: Readings) -> BaseRoute:
    """Return `/metrics`, which reads everything anew each time."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(readings))

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Route("/metrics", metrics)
