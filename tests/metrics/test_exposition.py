"""What a server tells Prometheus: true numbers, in a form that Prometheus takes."""

import asyncio
import contextlib
import errno
import re
import socket
import subprocess
import threading
import time
import urllib.error
from pathlib import Path
from typing import Any

import pytest

from nc.cli.serve_greeting import metrics_places
from nc.metrics.exporter import MAX_CONNECTIONS
from nc.net.sockets import PortUnavailable
from tests.support.link_client import NoUpgrade
from tests.support.link_cluster import IDLE, Machine, cluster
from tests.support.scraped import (
    ANY_PORT,
    families,
    promtool,
    read,
    scrape,
    scrape_of_a_busy_server,
    series,
    url_of,
    value,
)
from tests.support.whole_server import LOOPBACK, PATIENCE_S, Lines, running

ROW = re.compile(r"^\| `([a-z_]+)` \| (\w+) \| (.*?) \| (.*) \|$", re.MULTILINE)


async def test_the_numbers_are_those_of_the_server(data_dir: Path) -> None:
    """Nodes, links, calls, refusals and events are counted where they happen, once each."""
    async with cluster(data_dir, metrics_listen=ANY_PORT) as here:
        before = series(await scrape(here.lines))
        machines = [await here.enrol() for _ in range(3)]
        links = [await here.connect(machine) for machine in machines[:2]]
        await links[0][0].vanish()
        await here.becomes(machines[0], IDLE)
        offer = {"Sec-WebSocket-Protocol": "nc.offload.1"}
        with pytest.raises(NoUpgrade):
            await here.open(Machine("0" * 16, "", machines[0].tls), **offer)
        service = "pb.LiteKubeNCService"
        found = series(await scrape(here.lines))
        assert value(before, "nc_nodes", state="idle") == 0
        assert value(found, "nc_nodes", state="idle") == 2
        assert value(found, "nc_nodes", state="connected") == 1
        assert value(found, "nc_links", phase="open") == 1
        assert value(found, "nc_links_ended_total", reason="link_closed") == 1
        assert value(found, "nc_links_refused_total", reason="bad_token") == 1
        assert value(found, "nc_events_total", kind="node_registered") == 3
        assert value(found, "nc_addresses_bound") == 2
        assert value(found, "nc_log_last_seq") == here.replica.state.seq
        names = {"grpc_type": "unary", "grpc_service": service, "grpc_method": "GetToken"}
        assert value(found, "grpc_server_started_total", **names) == 3
        assert value(found, "grpc_server_handled_total", grpc_code="OK", **names) == 3
        assert value(found, "grpc_server_handling_seconds_count", **names) == 3
        assert value(found, "nc_append_duration_seconds_count") >= 4
        assert value(found, "nc_log_size_bytes") > 0
        assert value(found, "nc_build_info", version="0.2.0") == 1


async def test_a_refusal_in_an_answer_is_counted(data_dir: Path) -> None:
    """LiteKube's methods answer with gRPC's OK: their codes have a metric of their own."""
    async with cluster(data_dir, metrics_listen=ANY_PORT) as here:
        here.bootstrap_token = "0" * 16
        with pytest.raises(AssertionError):
            await here.enrol()
        found = series(await scrape(here.lines))
        async with asyncio.timeout(PATIENCE_S):  # a call is counted after its answer
            while not any(name == "grpc_server_handled_total" for name, _ in found):
                found = series(await scrape(here.lines))
    names = {"grpc_service": "pb.LiteKubeNCService", "grpc_method": "GetToken"}
    handled = value(found, "grpc_server_handled_total", grpc_type="unary", grpc_code="OK", **names)
    assert handled == 1
    assert value(found, "nc_calls_refused_total", code="400", **names) == 1
    assert value(found, "nc_abuse_refusals_total", reason="wrong_token") == 1


async def test_no_label_grows_with_what_is_there(data_dir: Path) -> None:
    """More nodes, links, tokens and calls make no more series."""
    async with cluster(data_dir, metrics_listen=ANY_PORT) as here:
        await here.connect(await here.enrol())
        before = series(await scrape(here.lines)).keys()
        for _ in range(5):
            here.bootstrap_token = ""
            await here.connect(await here.enrol())
        assert series(await scrape(here.lines)).keys() == before


def _check(text: str) -> str:
    command = [promtool(), "check", "metrics"]
    checked = subprocess.run(command, input=text, check=False, capture_output=True, text=True)
    return checked.stdout + checked.stderr


async def test_prometheus_takes_it(data_dir: Path) -> None:
    """`promtool check metrics` has nothing to say of what is ours, and every family has a HELP."""
    text = await scrape_of_a_busy_server(data_dir)
    assert all(family.documentation for family in families(text))
    said = await asyncio.to_thread(_check, text)
    assert [line for line in said.splitlines() if not line.startswith("python_")] == []


async def test_the_document_has_every_metric(data_dir: Path) -> None:
    """Its table is what a server exposes: names, types, labels and meanings."""
    text = await scrape_of_a_busy_server(data_dir)
    document = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
    exposed = [
        (
            f"{each.name}_total" if each.type == "counter" else each.name,
            each.type,
            ", ".join(
                f"`{label}`"
                for label in dict.fromkeys(name for s in each.samples for name in s.labels)
                if label != "le"
            ),
            each.documentation,
        )
        for each in families(text)
        if each.name.startswith(("nc_", "grpc_"))
    ]
    assert ROW.findall(document.read_text(encoding="utf-8")) == sorted(exposed)


async def test_a_taken_port_stops_no_server(data_dir: Path) -> None:
    """The server goes on without metrics, and says what to do; the port is left as it was."""
    lines = Lines()
    with socket.create_server((LOOPBACK, 0)) as taken:
        address = f"{LOOPBACK}:{taken.getsockname()[1]}"
        async with running(data_dir, lines=lines, metrics_listen=address) as server:
            assert server.replica.is_writable
            (greeted,) = metrics_places(server.settings, server.server)
    assert greeted.startswith(f"none, as {address} cannot be listened on: ")
    (line,) = lines.named("server.extra_failed")
    assert address in line["message"]
    assert "--metrics-listen" in line["message"]


async def test_the_port_is_free_after_a_stop(data_dir: Path) -> None:
    """It can be listened on again at once."""
    lines = Lines()
    async with running(data_dir, lines=lines, metrics_listen=ANY_PORT):
        url = url_of(lines)
        assert await asyncio.to_thread(read, url)
    address = url.removeprefix("http://").removesuffix("/metrics")
    async with running(data_dir, metrics_listen=address):
        assert await asyncio.to_thread(read, url)
    with pytest.raises(urllib.error.URLError):
        await asyncio.to_thread(read, url)


async def test_silent_connections_keep_nobody_out_for_long(data_dir: Path) -> None:
    """Only so many are kept; the others are closed at once, and a scrape follows when they go."""
    lines = Lines()
    async with running(data_dir, lines=lines, metrics_listen=ANY_PORT):
        url = url_of(lines)
        host, _, port = url.removeprefix("http://").removesuffix("/metrics").rpartition(":")
        with contextlib.ExitStack() as open_ones:
            silent = [
                open_ones.enter_context(socket.create_connection((host, int(port))))
                for _ in range(MAX_CONNECTIONS + 1)
            ]
            assert await asyncio.to_thread(silent[-1].recv, 1) == b""
        async with asyncio.timeout(PATIENCE_S):
            while True:  # the threads of those that have left end by and by
                with contextlib.suppress(OSError):
                    assert "nc_build_info" in await asyncio.to_thread(read, url)
                    break


async def test_a_passing_lack_is_over_when_it_is_over(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many scrapes found no thread or no descriptor, the next one is answered.

    Until then the server does not spin: it pauses after each try that fails.
    """
    lines, start, accept = Lines(), threading.Thread.start, socket.socket.accept
    lacks = [*["threads"] * 2 * MAX_CONNECTIONS, "files", "files"]
    pauses: list[float] = []

    def lacking_start(thread: threading.Thread) -> None:
        if lacks and "process_request_thread" in thread.name:
            lacks.pop(0)
            raise RuntimeError("can't start new thread")
        start(thread)

    def lacking_accept(listener: socket.socket) -> Any:
        if lacks[:1] == ["files"]:
            lacks.pop(0)
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(listener)

    async with running(data_dir, lines=lines, metrics_listen=ANY_PORT):
        url = url_of(lines)
        monkeypatch.setattr(threading.Thread, "start", lacking_start)
        monkeypatch.setattr(socket.socket, "accept", lacking_accept)
        monkeypatch.setattr(time, "sleep", pauses.append)
        for _ in range(2 * MAX_CONNECTIONS):
            with pytest.raises(OSError):  # noqa: PT011 - it is closed, as where all places are taken
                await asyncio.to_thread(read, url)
        assert "nc_build_info" in await asyncio.to_thread(read, url)
    assert len(pauses) == 2


async def test_an_address_that_is_none_of_this_machine(data_dir: Path) -> None:
    """The error is that of every other port."""
    lines = Lines()
    async with running(data_dir, lines=lines, metrics_listen="192.0.2.1:9464"):
        (line,) = lines.named("server.extra_failed")
    assert str(PortUnavailable("192.0.2.1:9464", "")).partition(":")[0] in line["message"]
