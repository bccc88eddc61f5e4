"""The shapes that metrics come in, made of plain numbers."""

from collections.abc import Mapping

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from nc.histogram import Histogram


def gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)


def counter(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(name, meaning, value=value)


def labelled(name: str, meaning: str, **values: Mapping[str, float]) -> Metric:
    """A gauge with one label: its name, and its values with theirs."""
    ((label, by_value),) = values.items()
    family = GaugeMetricFamily(name, meaning, labels=[label])
    return _filled(family, by_value)


def labelled_counter(name: str, meaning: str, **values: Mapping[str, float]) -> Metric:
    """A counter with one label, as `labelled`."""
    ((label, by_value),) = values.items()
    family = CounterMetricFamily(name, meaning, labels=[label])
    return _filled(family, by_value)


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily, by_value: Mapping[str, float]
) -> Metric:
    for each, number in by_value.items():
        family.add_metric([each], number)
    return family


def histogram(name: str, meaning: str, durations: Histogram) -> Metric:
    family = HistogramMetricFamily(name, meaning)
    family.add_metric([], buckets_of(durations), durations.sum_s)
    return family


def buckets_of(durations: Histogram) -> list[tuple[str, float]]:
    return [
        ("+Inf" if bound == float("inf") else repr(bound), count)
        for bound, count in durations.cumulative()
    ]
