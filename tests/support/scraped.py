"""What a server exposes to Prometheus, read as Prometheus reads it."""

import asyncio
import os
import re
import shutil
import urllib.request
from collections.abc import Iterable
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support.link_cluster import cluster
from tests.support.whole_server import PATIENCE_S, Lines

REQUIRED = "NC_TESTS_REQUIRE_PROMTOOL"  # set where its absence is a failure, and no reason to skip

ANY_PORT = "127.0.0.1:0"
PACKAGING = Path(__file__).parents[2] / "packaging"

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]

# The parts of a query that are no name of a metric: texts, labels, and what is grouped by.
_NOT_METRICS = re.compile(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]|\bby \([^)]*\)')
_METRIC = re.compile(r"\b(?:nc|grpc|process|python)_\w+")


def url_of(lines: Lines) -> str:
    (line,) = lines.named("server.metrics")
    return str(line["url"])


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:  # noqa: S310 - ours
        return str(answer.read().decode())


async def scrape(lines: Lines) -> str:
    """The text, once the server has taken its first census."""
    async with asyncio.timeout(PATIENCE_S):
        while "nc_degraded" not in (text := await asyncio.to_thread(read, url_of(lines))):  # noqa: ASYNC110 - it is asked as Prometheus asks
            await asyncio.sleep(0.02)
    return text


def families(text: str) -> list[Metric]:
    return list(text_string_to_metric_families(text))


def series(text: str) -> Series:
    """Each value, by its name and labels; none is there twice."""
    samples = [sample for family in families(text) for sample in family.samples]
    found = {(each.name, frozenset(each.labels.items())): each.value for each in samples}
    assert len(found) == len(samples)
    return found


def value(found: Series, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


async def scrape_of_a_busy_server(data_dir: Path) -> str:
    """What a server exposes that has started again, with a node, a link and a refused call."""
    async with cluster(data_dir) as here:
        await here.enrol()
    async with cluster(data_dir, metrics_listen=ANY_PORT) as here:
        await here.connect(await here.enrol())
        return await scrape(here.lines)


def metrics_in(queries: Iterable[str]) -> set[str]:
    """The names of metrics in PromQL."""
    return {name for query in queries for name in _METRIC.findall(_NOT_METRICS.sub("", query))}


def promtool() -> str:
    """The program; skips the test where it is not installed, unless it is required here."""
    found = shutil.which("promtool")
    if found is None and REQUIRED not in os.environ:
        pytest.skip("no promtool")
    return found or "promtool"
