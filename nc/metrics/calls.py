"""The metrics of calls, under the names that gRPC's libraries share."""

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from nc.contract import OK
from nc.metrics.shapes import buckets_of
from nc.rpc.call_counts import CallCounts

# gRPC's statuses as its Go library and most alerts write them, by their names in Python.
_GO_CODES: Final = {
    "OK": "OK",
    "CANCELLED": "Canceled",
    **{
        name: name.title().replace("_", "")
        for name in (
            *("UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
            *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED"),
            *("OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
            "UNAUTHENTICATED",
        )
    },
}


def calls(counts: CallCounts) -> Iterator[Metric]:
    """The metrics of calls, under the names that gRPC's libraries share."""
    names = ["grpc_type", "grpc_service", "grpc_method"]
    started = CounterMetricFamily(
        "grpc_server_started", "Calls whose headers have come.", labels=names
    )
    handled = CounterMetricFamily(
        "grpc_server_handled",
        "Calls that are over, by status. LiteKube's methods answer most refusals with OK.",
        labels=[*names, "grpc_code"],
    )
    handling = HistogramMetricFamily(
        "grpc_server_handling_seconds", "From a call's headers to its end.", labels=names
    )
    refused = CounterMetricFamily(
        "nc_calls_refused",
        "Calls that were answered with the status OK and another code than 200 in the response.",
        labels=["grpc_service", "grpc_method", "code"],
    )
    for name, each in counts.by_method():
        started.add_metric(name, each.started)
        by_status: dict[str, int] = {}
        for code, count in dict(each.ended).items():
            status = _GO_CODES.get(code, "OK")
            by_status[status] = by_status.get(status, 0) + count
            if code not in _GO_CODES and code != OK:
                refused.add_metric([name.service, name.method, code], count)
        for status, count in by_status.items():
            handled.add_metric([*name, status], count)
        if by_status:
            handling.add_metric(name, buckets_of(each.durations), each.durations.sum_s)
    yield from (started, handled, handling, refused)
