"""Two replicas over one log: whoever is late reads what it missed and decides again."""

import asyncio
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog import MemoryLog, Record
from nc.domain.decide import Command, decide
from nc.domain.errors import AddressPoolExhausted, DomainError, IdTaken, NodeUnknown
from nc.domain.events import Event
from nc.domain.evolve import evolve_entries
from nc.domain.links import AcceptLink, DropLink, HandOverAddress
from nc.domain.nodes import Expiry, SetExpiries, Unregister
from nc.domain.replicas import StartReplica
from nc.domain.state import State
from nc.domain.tokens import IssueToken
from nc.replica.batch import Origin
from nc.replica.replica import Replica
from tests.support.histories import CLOSED, NOW_MS, address_of, connect, register
from tests.support.replica_bench import (
    ORIGIN,
    Gate,
    batches,
    on_a_loop,
    outcomes,
    replayed,
    running,
    settle,
    submit,
)

ISSUE = IssueToken("t", -1, NOW_MS)
START_SMALL = StartReplica("r", "1", "10.1.1.1/29")  # room for two nodes


async def carry_out(replica: Replica, *commands: Command) -> None:
    """Submit the commands, one after the other."""
    for command in commands:
        await replica.submit(command, ORIGIN)


@on_a_loop
async def test_both_register_the_same_node() -> None:
    """Of two replicas that drew the same id one registers the node, the other is refused."""
    log, gates = MemoryLog(), (Gate(held=True), Gate(held=True))
    async with running(log) as first:
        await carry_out(first, ISSUE)
    async with running(log.peer(), gates[0]) as a, running(log.peer(), gates[1]) as b:
        tasks = submit(a, *register("n", "a")) + submit(b, *register("n", "b"))
        await settle()
        await gates[0].let_one_through()
        await gates[1].let_one_through()
        assert gates[1].waiting, "the late one tries again"
        await gates[1].let_one_through()
        assert await outcomes(tasks) == [1, 1, IdTaken, 1]
        assert set(b.state.nodes) == {"n", "a", "b"}
        assert b.state == replayed(log)
    assert [len(entries) for entries in batches(log)] == [1, 2, 1]


@on_a_loop
async def test_observers_hear_of_what_another_replica_wrote() -> None:
    """When it is read, once, and before this replica's own: or a link would outlive its node."""
    log = MemoryLog()
    async with running(log) as first, running(log.peer()) as second:
        heard: list[str] = []
        second.observe(lambda events: heard.extend(e.WhichOneof("kind") or "" for e in events))
        await carry_out(first, ISSUE, *register("n"), Unregister("n"))
        await carry_out(second, IssueToken("own", -1, NOW_MS))
        await settle()
    assert heard == ["token_issued", "node_registered", "unregistered", "token_issued"]


@on_a_loop
async def test_both_hand_over_the_last_address() -> None:
    """Of two replicas that give the last address away one does; the other finds that it is gone."""
    log, gates = MemoryLog(), (Gate(held=True), Gate(held=True))
    async with running(log) as first:
        await carry_out(first, START_SMALL, ISSUE, *register("x", "a", "b"), *connect("x"))
        await carry_out(first, *(AcceptLink(node_id, "l", NOW_MS) for node_id in "ab"))
    async with running(log.peer(), gates[0]) as a, running(log.peer(), gates[1]) as b:
        hand_overs = [HandOverAddress(node_id, "l", NOW_MS) for node_id in "ab"]
        tasks = submit(a, hand_overs[0]) + submit(b, hand_overs[1])
        await settle()
        await gates[1].let_one_through()
        await gates[0].let_one_through()
        assert await outcomes(tasks) == [AddressPoolExhausted, 2]
        assert address_of(a.state, "a") == ""
        assert address_of(a.state, "b") == "10.1.1.5"
        assert a.state == b.state == replayed(log)


@on_a_loop
async def test_the_whole_batch_is_decided_again() -> None:
    """After a conflict each command of the batch is judged by the new state, and none twice."""
    log, gate = MemoryLog(), Gate()
    async with running(log) as first:
        await carry_out(first, ISSUE, *register("a", "b", "c"))
    gate.held = True
    async with running(log.peer()) as other, running(log.peer(), gate) as late:
        tasks = submit(late, Unregister("a"), Unregister("b"), *register("d", "e"))
        await settle()
        await carry_out(other, *register("d"), Unregister("b"))
        await gate.open()
        assert await outcomes(tasks) == [1, NodeUnknown, IdTaken, 1]
        assert set(late.state.nodes) == {"c", "d", "e"}
        assert late.state == replayed(log)


@on_a_loop
async def test_losing_again_and_again() -> None:
    """However often another replica is first, the batch is carried out once in the end."""
    log, gate = MemoryLog(), Gate(held=True)
    async with running(log) as other, running(log.peer(), gate) as late:
        tasks = submit(late, IssueToken("late", -1, NOW_MS))
        await settle()
        for number in range(10):
            await carry_out(other, IssueToken(str(number), -1, NOW_MS))
            await gate.let_one_through()
            assert not tasks[0].done()
            assert "late" not in late.state.tokens
        await gate.let_one_through()
        assert await outcomes(tasks) == [1]
        assert len(late.state.tokens) == log.last_seq == 11


@on_a_loop
async def test_a_conflict_that_leaves_nothing_to_write() -> None:
    """If the others made every command of a batch void, it is answered without an append."""
    log, gate = MemoryLog(), Gate(held=True)
    async with running(log) as other, running(log.peer(), gate) as late:
        tasks = submit(late, ISSUE)
        await settle()
        await carry_out(other, ISSUE)
        await gate.let_one_through()
        assert await outcomes(tasks) == [IdTaken]
        assert late.state == other.state
    assert log.last_seq == 1


tokens = st.sampled_from(["t", "u"])
nodes = st.sampled_from(["a", "b", "c", "d"])
links = st.sampled_from(["l", "m"])
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(IssueToken, tokens, st.just(-1), st.just(NOW_MS)),
    nodes.map(lambda node_id: register(node_id)[0]),
    st.builds(AcceptLink, nodes, links, st.just(NOW_MS)),
    st.builds(HandOverAddress, nodes, links, st.just(NOW_MS)),
    st.builds(DropLink, nodes, links, st.just(CLOSED)),
    st.builds(Unregister, nodes),
    st.builds(
        SetExpiries,
        st.tuples(st.builds(Expiry, nodes, st.sampled_from([0, NOW_MS]))),
        st.just(NOW_MS),
    ),
)
replica_numbers = st.integers(0, 1)
schedules = st.lists(st.tuples(replica_numbers, st.none() | commands | commands), max_size=40)


@settings(max_examples=2 * settings().max_examples)  # interleavings are many
@given(schedules)
def test_any_interleaving_is_a_serial_history(
    schedule: list[tuple[int, Command | None]],
) -> None:
    """However two replicas interleave, the log reads as if one had served everybody.

    Each entry is what its command decides on the state that all the entries before it leave; what
    was answered is in the log once, what was refused is not; each replica keeps its callers' order;
    and once it has caught up, each replica's state is the log's.
    """
    on_a_loop(interleave)(schedule)


async def interleave(schedule: list[tuple[int, Command | None]]) -> None:
    """Submit a command to a replica, or where there is none, let its next append through."""
    log, gates = MemoryLog(), (Gate(), Gate())
    async with running(log, gates[0]) as a, running(log.peer(), gates[1]) as b:
        await carry_out(a, START_SMALL, ISSUE, *register("a", "b", "c"))
        asked: dict[str, Command] = {}
        tasks: dict[str, asyncio.Task[list[Event]]] = {}
        gates[0].held = gates[1].held = True
        for number, (replica_number, command) in enumerate(schedule):
            request_id = f"{replica_number}:{number:03}"
            if command is not None:
                asked[request_id] = command
                origin = Origin("system", "test", request_id)
                (tasks[request_id],) = submit((a, b)[replica_number], command, origin=origin)
                await settle()
            elif gates[replica_number].waiting:
                await gates[replica_number].let_one_through()
        await gates[0].open()
        await gates[1].open()
        results = await asyncio.gather(*tasks.values(), return_exceptions=True)
        check_history(log, asked, dict(zip(tasks, results, strict=True)))
        for replica, token_id in ((a, "last a"), (b, "last b")):
            await carry_out(replica, IssueToken(token_id, -1, NOW_MS))
            assert replica.state == replayed(log)


def check_history(
    log: MemoryLog, asked: dict[str, Command], answers: dict[str, list[Event] | BaseException]
) -> None:
    """See that the log is a serial history of what was asked, and that the answers tell of it."""
    written = {}
    state = State()
    for entry in (entry for entries in batches(log) for entry in entries):
        events = list(entry.events)
        if entry.request_id in asked:
            assert entry.request_id not in written
            assert decide(state, asked[entry.request_id]) == events
            written[entry.request_id] = events
        state = evolve_entries(state, [entry])
        held = [binding.address for binding in state.addresses.by_node.values()]
        assert len(set(held)) == len(held)
    for replica_number in "01":
        order = [request_id for request_id in written if request_id[0] == replica_number]
        assert order == sorted(order)
    for request_id, answer in answers.items():
        if isinstance(answer, BaseException):
            assert isinstance(answer, DomainError)
            assert request_id not in written
        else:
            assert written.get(request_id, []) == answer


class CountingLog(MemoryLog):
    """Counts how often it is read."""

    reads = 0

    def read(self, after: int = 0) -> Iterator[Record]:
        self.reads += 1
        return super().read(after)


@on_a_loop
async def test_what_was_missed_is_read_once() -> None:
    """A replica that is late folds the other's events and gives them to its observers."""
    log, observed = CountingLog(), list[str]()
    async with running(log) as late, running(log.peer()) as other:
        late.observe(lambda events: observed.extend(str(e.WhichOneof("kind")) for e in events))
        await carry_out(other, ISSUE)
        reads = log.reads
        await carry_out(late, IssueToken("u", -1, NOW_MS), *register("n"))
        await settle()
        assert log.reads == reads + 1
        assert late.state == replayed(log)
    assert observed == ["token_issued", "token_issued", "node_registered"]
