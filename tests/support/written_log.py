"""A data folder with a log in it, made from commands, as a server would have written it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import eventlog
from nc.domain.codec.records import Recorded
from nc.domain.codec.snapshot import SNAPSHOT_SCHEMA, encode
from nc.domain.decide import Command
from nc.domain.events import Batch, Event, pb
from nc.domain.evolve import evolve_recorded
from nc.domain.links import AcceptLink, HandOverAddress
from nc.domain.nodes import Expiry, SetExpiries, Unregister
from nc.domain.replicas import StartReplica
from nc.domain.state import State
from nc.domain.tokens import IssueToken, RedeemToken
from nc.replica.batch import Origin, decide_batch
from nc.secrets import TokenIds
from tests.support.histories import NOW_MS

# Runs `log …` on the story; lines of JSON become what they say.
Log = Callable[..., Any]

SEGMENT_SIZE_BYTES = 2048  # a few records
KEY = bytes(range(32))
BOOTSTRAP_TOKEN, ALPHA_TOKEN, BETA_TOKEN = "b" * 16, "a1" * 8, "be" * 8
IDS = TokenIds(KEY)
TOKEN, ALPHA, BETA = (IDS.id_of(each) for each in (BOOTSTRAP_TOKEN, ALPHA_TOKEN, BETA_TOKEN))
ADMIN = "certificate:admin:75b7"
MINUTE_NS = 60_000_000_000

# A network with room for few, two nodes, a crash, and an operator who removes one.
STORY: list[tuple[Command, str, str]] = [
    (StartReplica("r", "1", "10.1.1.1/29"), "system", "start"),
    (IssueToken(TOKEN, -1, NOW_MS), ADMIN, "GetBootStrapToken"),
    (RedeemToken(TOKEN, ALPHA, (), NOW_MS), f"bootstrap:{TOKEN}", "GetToken"),
    (AcceptLink(ALPHA, "l1", NOW_MS), f"link:{ALPHA}", "link"),
    (HandOverAddress(ALPHA, "l1", NOW_MS), f"link:{ALPHA}", "link"),
    (RedeemToken(TOKEN, BETA, (), NOW_MS), f"bootstrap:{TOKEN}", "GetToken"),
    (StartReplica("r", "1", "10.1.1.1/29"), "system", "start"),
    (AcceptLink(ALPHA, "l2", NOW_MS), f"link:{ALPHA}", "link"),
    (HandOverAddress(ALPHA, "l2", NOW_MS), f"link:{ALPHA}", "link"),
    (SetExpiries((Expiry(BETA, NOW_MS),), NOW_MS), ADMIN, "UpdateSensorExpireTime"),
    (Unregister(ALPHA), ADMIN, "UnRegister"),
]
EVENTS = 15


def write_story(data_dir: Path) -> Path:
    """Write STORY, an entry a record and a minute, and a snapshot; returns the log's folder."""
    data_dir.mkdir()
    (data_dir / "secret.key").write_bytes(KEY)
    folder = data_dir / "log"
    log = eventlog.open(folder, segment_size_bytes=SEGMENT_SIZE_BYTES)
    state = State()
    for minute, (command, actor, method) in enumerate(STORY):
        origin = Origin(actor, method, f"request-{minute}")
        now_ns = NOW_MS * 1_000_000 + minute * MINUTE_NS
        decided = decide_batch(state, [(command, origin)], now_ns)
        count = decided.state.seq - state.seq
        log.append(Batch(entries=decided.entries).SerializeToString(), count, state.seq)
        state = decided.state
    leave_snapshot(log, state)
    log.close()
    return folder


def leave_snapshot(log: eventlog.FileLog, state: State) -> None:
    """A snapshot that says that this is what the log amounts to."""
    writer = log.snapshots.begin(log.write_sync_marker(), SNAPSHOT_SCHEMA)
    for part in encode(state):
        writer.write(part)
    writer.finish()


def append_unchecked(folder: Path, events: list[Event], count: int | None = None) -> None:
    """Append what no decision would lead to, with right checksums all the same."""
    log = eventlog.open(folder, segment_size_bytes=SEGMENT_SIZE_BYTES)
    batch = Batch(entries=[pb.Entry(actor="forger", events=events)])
    log.append(batch.SerializeToString(), count or len(events), log.last_seq)
    log.close()


def fold(history: Iterable[Recorded]) -> State:
    """What the events lead to, one by one."""
    state = State()
    for recorded in history:
        state = evolve_recorded(state, [recorded])
    return state
