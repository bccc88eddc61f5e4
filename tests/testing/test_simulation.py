"""A cluster from a seed: it keeps the laws, it can be had again, and it shows what is wrong.

`pytest -m long -s tests/testing/test_simulation.py` prints in which trial each planted bug is
found, how long it takes, by which law, and with how many acts.
"""

import asyncio
import contextlib
import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from eventlog import LogReader, MemoryLog
from nc.cli.network_controller import app
from nc.clock import SystemClock
from nc.domain.codec.records import entries_in
from nc.domain.events import Batch, Entry, Event, ReplicaStopped
from nc.domain.evolve import evolve
from nc.domain.state import State
from nc.testing import CLUSTER_LAWS, LAWS, CheckState, Judgement, Observed, judge
from nc.testing.contract.laws import NOT_IN_A_CLUSTER
from nc.testing.contract.laws.cluster import (
    NOTHING_CRASHES,
    PACKETS_COUNT,
    REWOUND,
    SAME_LINKS,
)
from nc.testing.contract.laws.log import replay_equals_live
from nc.testing.search import Report, search
from nc.testing.simulation import Chronicle, Plan, Simulation, draw, keep_log, play
from nc.testing.simulation.actions import (
    Call,
    DuplicateNode,
    Expire,
    Join,
    SendPackets,
    SwitchOff,
)
from nc.testing.simulation.log_review import read_log
from nc.testing.simulation.loop import Life, SimulatedLoop
from nc.testing.simulation.network import Network
from nc.testing.simulation.quarrels import RewindLog, TroubleAll
from nc.testing.simulation.several import SERVERS
from nc.testing.simulation.shared_log import Trouble
from nc.testing.simulation.workload import DEFAULT_ACTIONS
from tests.testing.planted_cluster_bugs import CLUSTER_BUGS, ClusterBug

# Most are found within some ten trials. A few need a coincidence (a crash or a full disk between
# two steps): some hundred, and the long search looks for those.
MOST_TRIALS = 60
MOST_TRIALS_WITH_LUCK = 1000
RARE = {
    "an address is told before it is durable",
    "a full disk at a snapshot ends the writer",
    "a full disk loses the record of a link s end",
}

# A link has to end at a follower while the log is busy for long, which hundreds of trials do not
# draw: the situation of that name in `FOUND_IN_CLUSTERS` finds it.
BY_SITUATION = {"a refused end of a link is not asked for again"}

# Of the bugs that take several servers, those that the default suite looks for: trials are longer.
IN_SHORT = {
    "a packet is passed on to where its node has gone",
    "an entry of another is folded twice",
    "followers and leaders answer without a lease",
    "the leader acknowledges before its followers know",
    "the source of another server s packet is not checked",
    "what another replica ends lives on here",
}
ACTIONS_IN_SHORT = 15

A_DAY_OF_ACTIONS = 8000  # one comes some 11 s after the other

FEW_ACTS = draw(3, 8, is_shared=True)

BY_NAME = {bug.name: bug for bug in CLUSTER_BUGS}
SEVERAL = [bug.name for bug in CLUSTER_BUGS if bug.is_shared and bug.name not in BY_SITUATION]


def judged(chronicle: Chronicle) -> Judgement:
    return judge(chronicle, CLUSTER_LAWS)


def fingerprint(chronicle: Chronicle) -> str:
    """Of the log's bytes, and of what was observed; without caches (snapshots) and process ids."""
    found = hashlib.sha256(str(chronicle).encode())
    for name, data in sorted(chronicle.log_bytes.items()):
        if name.endswith(".seg"):
            found.update(name.encode() + data)
    for record in chronicle.records:
        found.update(b"%d %b" % (record.recorded_at_ns, record.chain))
    return found.hexdigest()


def look_for(
    bug: ClusterBug,
    seed: int,
    *,
    examples: int = MOST_TRIALS,
    shrinks: int = 0,
    actions: int = DEFAULT_ACTIONS,
) -> Report:
    """What a search finds while the bug is planted."""
    simulation = Simulation(actions=actions, is_shared=bug.is_shared)
    with pytest.MonkeyPatch.context() as patch:
        bug.plant(patch)
        return search(simulation, examples=examples, seed=seed, shrinks=shrinks)


def test_a_call_knows_only_what_was_given_out_before_it() -> None:
    """A node's token that is answered while a call begins is not yet a token for that call.

    In this life the call was once taken to know it, and the law about unknown tokens was broken.
    """
    actions = (Join(1000, "node 1", replica=0), Expire(1000, "node 1", in_s=1, replica=1))
    chronicle = play(Plan(780_714, "10.1.1.1/24", is_shared=True, actions=actions))
    assert judged(chronicle).breaches == []


# Each is what a search found once: the bug that it was, and the law that it broke.
FOUND_IN_CLUSTERS = {
    "a sweep at one server expires a node whose link is at the other one": (
        "what another replica ends lives on here",
        SAME_LINKS,
        Plan(
            1,
            "10.1.1.1/24",
            is_shared=True,
            actions=(Join(1000, "node 1", replica=1), Expire(5000, "node 1", in_s=3, replica=0)),
        ),
    ),
    "a newer link at one server replaces a link at the other one, and ends": (
        "a replaced link waits for one that is elsewhere",
        SAME_LINKS,
        Plan(
            11,
            "10.1.1.1/24",
            is_shared=True,
            actions=(
                Join(1000, "node 1"),
                DuplicateNode(5000, "node 1", for_s=6),
                SendPackets(15_000, "node 1", to="node 1", count=1, size_bytes=100),
            ),
        ),
    ),
    "a link ends at a follower while the log is busy": (
        "a refused end of a link is not asked for again",
        SAME_LINKS,
        Plan(
            1,
            "10.1.1.1/24",
            is_shared=True,
            actions=(
                *(Join(1000, f"node {number}") for number in (1, 2, 3, 4)),
                TroubleAll(20_000, 40, Trouble.BUSY),
                *(SwitchOff(25_000, f"node {number}", False) for number in (1, 2, 3, 4)),
                Call(65_000, CheckState("node 1")),
            ),
        ),
    ),
    "servers begin at once, with one administrator's certificate": (
        "a certificate that is recorded already ends the start",
        NOTHING_CRASHES,
        Plan(15, "10.1.1.1/24", is_shared=True, actions=()),
    ),
}


def test_each_bug_that_no_search_finds_has_its_situation() -> None:
    """Which finds it: see below."""
    assert {name for name, _, _ in FOUND_IN_CLUSTERS.values()} >= BY_SITUATION


@pytest.mark.parametrize("situation", FOUND_IN_CLUSTERS)
def test_a_situation_that_broke_a_law_keeps_it(
    situation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It breaks that law again with the bug of then, so that it is still the same situation."""
    name, law, plan = FOUND_IN_CLUSTERS[situation]
    assert judged(play(plan)).breaches == []
    BY_NAME[name].plant(monkeypatch)
    assert law in [breach.law for breach in judged(play(plan)).breaches]


@pytest.mark.parametrize("appended", [False, True])
def test_a_log_that_lost_events_ends_the_servers(appended: bool) -> None:
    """Each that has read them ends, whether others have appended since or not; none goes on."""
    actions = (Join(1000, "node 1"), RewindLog(20_000, 4, appended))
    chronicle = play(Plan(1, "10.1.1.1/24", is_shared=True, actions=actions))
    assert judged(chronicle).breaches == []
    assert chronicle.held[REWOUND.name] == SERVERS


def test_a_cluster_keeps_the_laws() -> None:
    """Some lives, with crashes, partitions and full disks, and every agent is back in the end."""
    report = search(Simulation(), examples=6, seed=100)
    report.require()
    assert report.trials == 6


@pytest.mark.parametrize("plan", [draw(3, is_shared=False), FEW_ACTS], ids=["one", "several"])
def test_the_same_seed_is_the_same_history(plan: Plan) -> None:
    """Byte for byte: the log, and all that was observed, twice in this process."""
    once, again = (fingerprint(play(plan)) for _ in range(2))
    assert once == again


def test_it_does_not_depend_on_the_process() -> None:
    """Nor on how that one orders its sets and maps."""
    code = (
        "from tests.testing.test_simulation import *\n"
        "print(fingerprint(play(draw(1, is_shared=False))), fingerprint(play(FEW_ACTS)))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            cwd=Path(__file__).parents[2],
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(seen) == 1


def test_another_seed_is_another_history() -> None:
    """Chance comes from the seed, for what is not in the plan too."""
    plan = draw(3)
    assert fingerprint(play(plan)) != fingerprint(play(plan._replace(seed=4)))


@pytest.mark.parametrize("name", sorted(BY_NAME.keys() - RARE - BY_SITUATION - {*SEVERAL}))
def test_a_planted_bug_of_a_cluster_is_found(name: str) -> None:
    """A search of some trials breaks a law."""
    require_found(BY_NAME[name], look_for(BY_NAME[name], seed=0))


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.long] * (name not in IN_SHORT)) for name in SEVERAL],
)
def test_a_planted_bug_of_several_servers_is_found(name: str) -> None:
    """As above."""
    actions = ACTIONS_IN_SHORT if name in IN_SHORT else DEFAULT_ACTIONS
    require_found(BY_NAME[name], look_for(BY_NAME[name], seed=0, actions=actions))


def require_found(bug: ClusterBug, report: Report) -> None:
    """It was found, by one of its laws."""
    assert not report.is_good, f"it survived {report.trials} trials"
    assert report.broken[0].breach.law.name in bug.laws


def test_planted_bugs_name_laws_that_there_are() -> None:
    """Each bug of a cluster names one at least."""
    named = {law for bug in CLUSTER_BUGS for law in bug.laws}
    assert named <= {law.name for law in CLUSTER_LAWS}
    assert all(bug.laws for bug in CLUSTER_BUGS)


def test_a_law_is_left_out_for_a_reason_only() -> None:
    """A cluster is held to every law, by its own check or another, but to those with a reason."""
    all_of_them = {law.name for law in LAWS}
    here = {law.name for law in CLUSTER_LAWS}
    assert all_of_them - here == NOT_IN_A_CLUSTER.keys()


def test_agents_come_to_several_servers() -> None:
    """Where several share a log, two at least have links, and some node has links at both."""
    lines = play(draw(3, is_shared=True)).lines
    reached = [line.partition(" s  ")[2] for line in lines if "is connected as" in line]
    nodes_at = {
        at: {line.partition(" is ")[0] for line in reached if line.endswith(at)}
        for at in ("at server 1", "at server 2")
    }
    assert nodes_at["at server 1"] & nodes_at["at server 2"]


@pytest.mark.long
def test_every_planted_bug_of_a_cluster_is_shown_in_a_few_acts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From any seed each is found, and shrunk."""
    clock = SystemClock()
    for bug in (bug for bug in CLUSTER_BUGS if bug.name not in BY_SITUATION):
        for seed in (1000, 2000, 3000):
            begun_ns = clock.monotonic_ns()
            report = look_for(bug, seed, examples=MOST_TRIALS_WITH_LUCK, shrinks=150)
            seconds = (clock.monotonic_ns() - begun_ns) / 1e9
            assert not report.is_good, f"{bug.name} survived {report.trials} trials of seed {seed}"
            (broken,) = report.broken
            assert broken.breach.law.name in bug.laws, bug.name
            chronicle = broken.history
            assert isinstance(chronicle, Chronicle)
            with capsys.disabled():
                print(  # noqa: T201 - who asks for it wants to see it
                    f"{bug.name:<48} trial {report.first_breach:>3} {seconds:5.1f} s "
                    f"{len(chronicle.plan.actions):>3} actions  {broken.breach.law.name}"
                )


def test_a_life_without_acts_is_quiet() -> None:
    """A server starts, and nothing else happens."""
    chronicle = play(Plan(0, "10.1.1.1/24", False, ()))
    assert chronicle.steps
    assert chronicle.sightings == {}
    assert [chronicle.held[law.name] for law in (SAME_LINKS, PACKETS_COUNT)] == [0, 0]


@pytest.mark.long
def test_a_day_of_a_cluster_s_life() -> None:
    """In 24 hours and more, full of what may happen, no law is broken."""
    chronicle = play(draw(2, A_DAY_OF_ACTIONS, is_shared=False))
    assert judged(chronicle).breaches == []
    assert moment_s(chronicle.lines[-1]) >= 24 * 3600


@pytest.mark.long
def test_several_servers_keep_the_laws() -> None:
    """In many lives."""
    search(Simulation(is_shared=True), examples=60, seed=0).require()


def moment_s(line: str) -> float:
    """When a line of a chronicle was written, since the beginning."""
    return float(line.partition(" s  ")[0])


def test_every_server_s_state_is_held_against_the_log() -> None:
    """Each of two that know the same events; none that stands where no record ends."""
    log = MemoryLog()
    events = [Event(replica_stopped=ReplicaStopped())] * 2
    log.append(Batch(entries=[Entry(events=events)]).SerializeToString(), 2, 0)
    right = evolve(State(), events)
    wrong = replace(right, key_check="another")
    for states, findings in (
        ([right], [True]),
        ([right, right], [True]),
        ([right, wrong], [False]),
        ([wrong, right], [False]),
        ([replace(right, seq=1)], []),
        ([], []),
    ):
        chronicle = Chronicle()
        read_log(chronicle, log, states)
        assert [holds for holds, _ in replay_equals_live.check(Observed(chronicle))] == findings


@pytest.mark.parametrize("plan", [draw(3, is_shared=False), FEW_ACTS], ids=["one", "several"])
def test_a_kept_log_is_the_log(tmp_path: Path, plan: Plan) -> None:
    """It is read like any other, with the same events in it, and its digests hold."""
    chronicle = play(plan)
    keep_log(chronicle, tmp_path / "log")
    kept = LogReader(tmp_path / "log").read()
    assert chronicle.log is not None
    assert list(entries_in(kept)) == list(chronicle.log.entries)
    shown = CliRunner().invoke(app, ["log", "verify", "--log", str(tmp_path / "log")])
    assert shown.exit_code == 0, shown.output


def test_the_command_line_shows_where_a_law_broke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1, the steps, and the command that opens the log at that event, which it has."""
    BY_NAME["silence is never noticed"].plant(monkeypatch)
    monkeypatch.setattr("nc.testing.simulation.Simulation.most_shrinks", 0)
    arguments = ["check", "--target", "sim", "--examples", "20", "--keep", str(tmp_path)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    folder = tmp_path / "a-silent-link-is-ended"
    (line,) = [line for line in done.output.splitlines() if "log replay" in line]
    assert f"network-controller log replay --log {folder} --from " in line
    seq = line.rpartition(" ")[2]
    shown = CliRunner().invoke(app, ["log", "show", "--log", str(folder), "--from", seq])
    assert shown.exit_code == 0, shown.output
    assert shown.output.split()[0].lstrip("#") == seq


class Recorder(asyncio.BufferedProtocol):
    """Writes down what a transport does to it."""

    def __init__(self, talk: bytes = b"") -> None:
        self.seen: list[object] = []
        self.transport: Any = None
        self._talk = talk
        self._buffer = bytearray(1024)
        self.made, self.lost = asyncio.Event(), asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say something at once."""
        self.transport = transport
        self.made.set()
        if self._talk:
            self.transport.write(self._talk)

    def get_buffer(self, sizehint: int) -> bytearray:
        """The same again and again."""
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Keep what came as one piece, however it was cut."""
        piece = bytes(self._buffer[:nbytes])
        if self.seen and isinstance(self.seen[-1], bytes):
            self.seen[-1] += piece
        else:
            self.seen.append(piece)

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        del exc
        self.seen.append("lost")
        self.lost.set()


async def talk(client: Recorder, server: Recorder, ending: str) -> list[list[object]]:
    """Something both ways, then one of the ends that a connection can come to."""
    for number in range(3):
        server.transport.write(b"%d" % number * 700)
    client.transport.write(b"last words")
    await asyncio.sleep(0.2)
    getattr(client.transport, ending)()
    client.transport.write(b"too late")
    await asyncio.wait_for(client.lost.wait(), 60)
    await asyncio.wait_for(server.lost.wait(), 60)
    return [client.seen, server.seen]


async def over_sockets(ending: str) -> list[list[object]]:
    """The same over the kernel's."""
    server, client = Recorder(), Recorder(b"hello, ")
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: server, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()
    await loop.create_connection(lambda: client, host, port)
    await server.made.wait()
    try:
        return await talk(client, server, ending)
    finally:
        listening.close()


async def over_simulation(ending: str) -> list[list[object]]:
    """And over the simulated network."""
    network, life = Network(1), Life()
    server, client = Recorder(), Recorder(b"hello, ")
    listener = network.listen(life)
    await life.run(network.dial(lambda: client, "machine"))
    accepted, _ = await listener.accept()
    await life.run(network.receive(lambda: server, accepted))
    with contextlib.closing(listener):
        return await talk(client, server, ending)


@pytest.mark.parametrize("ending", ["close", "abort"])
def test_a_simulated_connection_is_like_a_real_one(ending: str) -> None:
    """The same bytes in the same order, and both ends learn of the end, once."""
    loop = SimulatedLoop()
    try:
        simulated = loop.run_until_complete(over_simulation(ending))
    finally:
        loop.close()
    assert simulated == asyncio.run(over_sockets(ending))
