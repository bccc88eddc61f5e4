"""nc.admin.v1.Events over real TLS: the log in pages, and watched."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from benchmarks.watchers import Scene
from nc.pb.admin.v1 import events_pb2 as pb
from nc.rpc.admin import events
from tests.support.operators import Operator, Refused, enrolled, operator
from tests.support.whole_server import PATIENCE_S, running

Code = grpc.StatusCode

# What 200 watches may take of the server: 8 MB of events, 15 MB of messages, four TLS connections;
# and the state and the log of 15,000 tokens.
MOST_MB = 100


async def read_all(caller: Operator, **fields: Any) -> list[pb.LoggedEvent]:
    """The events of all pages of three."""
    found: list[pb.LoggedEvent] = []
    from_seq = fields.pop("from_seq", 0)
    while True:
        page = await caller.call("Events/Read", from_seq=from_seq, page_size=3, **fields)
        found += page.events
        from_seq = page.next_seq
        if not from_seq:
            return found


async def test_a_refusal_repeats_only_the_beginning_of_a_long_text(data_dir: Path) -> None:
    """The whole would not fit into a status, and the client would see a broken stream."""
    text = "x==" * 10_000
    async with running(data_dir) as server, operator(server) as admin:
        for method, filter_ in (
            ("Nodes/List", {"selector": text}),
            ("Events/Read", {"kinds": [text]}),
        ):
            with pytest.raises(Refused) as refused:
                await admin.call(method, filter=filter_)
            assert refused.value.code is Code.INVALID_ARGUMENT
            assert text[:30] in refused.value.details


async def watched(stream: AsyncIterator[Any], until_seq: int) -> list[int]:
    """The sequence numbers that a watch sends, until it has passed one."""
    seqs: list[int] = []
    async with asyncio.timeout(PATIENCE_S):
        async for message in stream:
            seqs += [event.seq for event in message.events]
            if message.next_seq > until_seq:
                return seqs
    raise AssertionError("the watch ended")


async def test_the_log_is_read_in_pages(data_dir: Path) -> None:
    """Forwards, backwards, filtered: every page in order, and all of them everything that fits."""
    async with running(data_dir) as server, operator(server) as admin:
        issued = await admin.call("BootstrapTokens/Issue")
        node = await enrolled(admin, issued.token)
        for number in range(7):
            await admin.call("Nodes/Update", node=node, name=f"name-{number}")
        last = server.replica.state.seq
        forwards = await read_all(admin)
        assert [event.seq for event in forwards] == list(range(1, last + 1))
        backwards = await read_all(admin, newest_first=True)
        assert backwards == forwards[::-1]
        updates = await read_all(admin, filter=pb.EventFilter(kinds=["node_updated"]))
        assert [event.node_name for event in updates] == [f"name-{n}" for n in range(7)]
        about = await read_all(admin, filter=pb.EventFilter(nodes=["name-6"]))
        assert [event.kind for event in about] == ["node_registered", *["node_updated"] * 7]
        by = await read_all(admin, filter=pb.EventFilter(actor="system"))
        assert [event.kind for event in by] == ["replica_started", "administrator_added"]
        kind, name, serial = updates[0].actor.split(":")
        theirs = [event for event in forwards if event.actor == updates[0].actor]
        for part in (f"{kind}:", f"{kind}:{name}", name, serial, serial[:0]):
            found = await read_all(admin, filter=pb.EventFilter(actor=part))
            assert found == (theirs if part else forwards)
        assert await read_all(admin, filter=pb.EventFilter(actor=name[1:])) == []
        moment = updates[3].recorded_at_ns // 1_000_000
        window = await read_all(admin, filter=pb.EventFilter(from_ms=moment, to_ms=moment))
        assert updates[3] in window
        node_id = about[0].node_id
        await admin.call("Nodes/Unregister", nodes=[node_id])
        gone = await read_all(admin, filter=pb.EventFilter(nodes=[node_id]))
        assert (gone[-1].kind, gone[-1].node_name) == ("unregistered", "name-6")
        await read_all(admin, newest_first=True)
        (last_of_it,) = await read_all(admin, filter=pb.EventFilter(kinds=["unregistered"]))
        assert last_of_it.node_name == "name-6"
        for fields, code in (
            ({"from_seq": last + 9}, Code.OUT_OF_RANGE),
            ({"page_size": 10_001}, Code.INVALID_ARGUMENT),
            ({"filter": pb.EventFilter(kinds=["nothing"])}, Code.INVALID_ARGUMENT),
            ({"filter": pb.EventFilter(nodes=["nobody"])}, Code.NOT_FOUND),
            ({"filter": pb.EventFilter(from_ms=-1)}, Code.INVALID_ARGUMENT),
        ):
            with pytest.raises(Refused) as refused:
                await admin.call("Events/Read", **fields)
            assert refused.value.code is code, fields


async def test_a_watch_resumes_without_a_hole(data_dir: Path) -> None:
    """Across a restart of the server: from the last message's next_seq on, nothing is missing."""
    rest: list[Any] = []
    async with contextlib.AsyncExitStack() as channels:
        async with running(data_dir) as server:
            admin = await channels.enter_async_context(operator(server))
            stream = admin.stream("Events/Watch", from_seq=1)
            for _ in range(3):
                await admin.call("BootstrapTokens/Issue")
            last = server.replica.state.seq
            seqs = await watched(stream, last)

            async def to_the_end() -> None:
                rest.extend([message async for message in stream])

            ending = asyncio.create_task(to_the_end())
        with pytest.raises(Refused) as refused:
            await asyncio.wait_for(ending, PATIENCE_S)
    assert refused.value.code is Code.UNAVAILABLE
    assert "shutting down" in refused.value.details
    seqs += [event.seq for message in rest for event in message.events]
    next_seq = rest[-1].next_seq if rest else last + 1
    async with running(data_dir) as server, operator(server) as admin:
        stream = admin.stream("Events/Watch", from_seq=next_seq)
        await admin.call("BootstrapTokens/Issue")
        seqs += await watched(stream, server.replica.state.seq)
        assert seqs == list(range(1, server.replica.state.seq + 1))


async def test_a_watch_sends_what_fits_and_ends_where_it_is_told(data_dir: Path) -> None:
    """Filters, from now on, up to the end; and a place outside of the log is refused."""
    async with running(data_dir) as server, operator(server) as admin:
        token = (await admin.call("BootstrapTokens/Issue")).token
        node = await enrolled(admin, token)
        stream = admin.stream("Events/Watch", filter=pb.EventFilter(kinds=["node_updated"]))
        begins = await anext(stream)
        assert (list(begins.events), begins.next_seq) == ([], server.replica.state.seq + 1)
        await admin.call("BootstrapTokens/Issue")
        await admin.call("Nodes/Update", node=node, name="one")
        first = await anext(stream)
        assert [(event.kind, event.node_name) for event in first.events] == [
            ("node_updated", "one")
        ]
        last = server.replica.state.seq
        whole = admin.stream("Events/Watch", from_seq=2, stop_at_end=True)
        messages = [message async for message in whole]
        seqs = [event.seq for message in messages for event in message.events]
        assert (seqs, messages[-1].next_seq) == (list(range(2, last + 1)), last + 1)
        with pytest.raises(Refused) as refused:
            await anext(admin.stream("Events/Watch", from_seq=last + 2))
        assert refused.value.code is Code.OUT_OF_RANGE
        assert "older backup" in refused.value.details


async def test_a_watcher_that_pauses_is_told_where_to_go_on(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is ended while it reads nothing; what it reads then, and a new watch, are everything."""
    monkeypatch.setattr(events, "PATIENCE_S", 0.01)
    labels = {f"key-{number}": "x" * 63 for number in range(32)}
    async with running(data_dir) as server, operator(server) as admin:
        first = server.replica.state.seq + 1
        paused = admin.stream("Events/Watch", from_seq=first)
        await anext(paused)
        while server.server.admin.events.source.tail.watches:
            await admin.call("BootstrapTokens/Issue", node_labels=labels)
        seqs: list[int] = []

        async def read_on() -> None:
            async for message in paused:
                seqs.extend(event.seq for event in message.events)

        with pytest.raises(Refused) as ended:
            await asyncio.wait_for(read_on(), PATIENCE_S)
        assert ended.value.code is Code.RESOURCE_EXHAUSTED
        found = re.search(r"from_seq=(\d+)", ended.value.details)
        assert found
        again = admin.stream("Events/Watch", from_seq=int(found[1]), stop_at_end=True)
        async for message in again:
            seqs += [event.seq for event in message.events]
        assert sorted(set(seqs)) == list(range(first, server.replica.state.seq + 1))


async def test_many_watchers_of_whom_one_reads_nothing(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the others gets everything in order; the log is decoded once, in bounded memory."""
    monkeypatch.setattr(events, "PATIENCE_S", PATIENCE_S)  # all share this process
    await _watch_together(data_dir, watchers=20, batches=10, calls=20)


@pytest.mark.long
async def test_two_hundred_watchers_one_stalled_and_a_restart(tmp_path: Path) -> None:
    """The stalled one is told where to go on; nobody misses an event, and memory is bounded."""
    found = await Scene(tmp_path, watchers=200, rate=1000).run(events=5000)
    assert found.missing == 0
    assert found.events >= 10_000
    assert found.resumed >= 199  # the stalled one may not have begun again by then
    assert found.cut_off_at > 0
    before_mb, most_mb = found.memory_mb
    assert most_mb - before_mb < MOST_MB


async def _watch_together(data_dir: Path, watchers: int, batches: int, calls: int) -> None:
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(running(data_dir))
        admin = await stack.enter_async_context(operator(server))
        connections = [
            await stack.enter_async_context(operator(server)) for _ in range(watchers // 50 + 1)
        ]
        first = server.replica.state.seq + 1
        streams = [
            connections[number % len(connections)].stream("Events/Watch", from_seq=first)
            for number in range(watchers)
        ]
        for stream in streams:
            await anext(stream)
        last = first + batches * calls - 1
        deaf, *readers = streams
        reading = [asyncio.create_task(watched(stream, last)) for stream in readers]
        for _ in range(batches):
            issuing = (admin.call("BootstrapTokens/Issue", lifetime_s=60) for _ in range(calls))
            await asyncio.gather(*issuing)
        for seqs in await asyncio.gather(*reading):
            assert seqs == list(range(first, seqs[-1] + 1))  # digests are recorded, too
            assert seqs[-1] >= last
        await deaf.aclose()  # type: ignore[attr-defined]  # it is a generator
