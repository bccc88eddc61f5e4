"""`log verify`: a log as written passes, any other does not."""

import json
from pathlib import Path

import pytest

import eventlog
from eventlog import LogReader
from nc.domain.codec.snapshot import SNAPSHOT_SCHEMA
from nc.domain.events import Event, StateChanged, Unregistered, pb
from nc.domain.state import State
from tests.support.programs import run_here
from tests.support.written_log import ALPHA, BETA, EVENTS, append_unchecked, leave_snapshot


def verify(folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit code, and what was said: one line if something is wrong."""
    done = run_here("network-controller", "log", "verify", "--log", str(folder), *arguments)
    if done.returncode:
        assert done.stderr.count("\n") == 1
    return done.returncode, done.stdout + done.stderr


def test_a_log_as_written_is_verified(data_dir: Path) -> None:
    """The range, the head and the counts are printed, and nothing is changed."""
    folder = data_dir / "log"
    before = {path: path.read_bytes() for path in folder.iterdir()}
    code, said = verify(folder)
    assert code == 0
    segments = len(list(folder.glob("*.seg")))
    assert segments > 1
    assert f"verified {EVENTS} events in {segments} segments\n" in said
    assert f"head: {LogReader(folder).head.hex()}\n" in said
    assert "snapshots: 1 with the state of a replay" in said
    code, said = verify(folder, "--output", "json", "--seq", "0", "--head", "0" * 64)
    found = json.loads(said)
    assert (code, found["events"], found["head"]) == (0, EVENTS, LogReader(folder).head.hex())
    assert (found["segments"], found["snapshots"], found["contains_seq"]) == (segments, 1, 0)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_flipped_bit_is_exit_code_3(copy: Path) -> None:
    """Damage to a record or to a snapshot is named with its file."""
    (snapshot,) = copy.glob("*.snapshot")
    data = snapshot.read_bytes()
    snapshot.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    code, said = verify(copy)
    assert (code, snapshot.name in said) == (3, True)
    segment = min(copy.glob("*.seg"))
    data = segment.read_bytes()
    segment.write_bytes(data[:190] + bytes([data[190] ^ 1]) + data[191:])
    code, said = verify(copy)
    assert (code, segment.name in said) == (3, True)


def changed(node_id: str, source: pb.ConnectionState, destination: pb.ConnectionState) -> Event:
    return Event(
        state_changed=StateChanged(
            node_id=node_id, from_state=source, to_state=destination, link_id="x"
        )
    )


def digested(seq: int) -> Event:
    """A digest of what an event led to."""
    return Event(digest_recorded=pb.DigestRecorded(seq=seq, digest="00"))


FORGERIES = {
    "a move that the machine has not": (
        [changed(BETA, pb.CONNECTION_STATE_IDLE, pb.CONNECTION_STATE_CONNECTED)],
        None,
        "from IDLE to CONNECTED",
    ),
    "a move from where the node was not": (
        [changed(BETA, pb.CONNECTION_STATE_INIT, pb.CONNECTION_STATE_CONNECTED)],
        None,
        "leaves INIT",
    ),
    "a node that is gone": (
        [changed(ALPHA, pb.CONNECTION_STATE_IDLE, pb.CONNECTION_STATE_INIT)],
        None,
        "not registered",
    ),
    "unregistered twice": (
        [Event(unregistered=Unregistered(node_id=ALPHA))],
        None,
        "unregistered while not registered",
    ),
    "an address of somebody else": (
        [Event(address_released=pb.AddressReleased(node_id=BETA, address="10.1.1.5"))],
        None,
        "no node to hold it",
    ),
    "a digest of an event to come": ([digested(EVENTS + 1)], None, "a digest of event 16"),
    "a digest of a time before the last": (
        [digested(9), digested(9)],
        None,
        "after 9 and before 17",
    ),
    "more events than it says": (
        [Event(unregistered=Unregistered(node_id=BETA))],
        2,
        "1 events in its record",
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_history_that_cannot_have_happened_is_refused(copy: Path, name: str) -> None:
    """Right checksums do not make an illegal event right: exit code 3, and the event is named."""
    events, count, words = FORGERIES[name]
    append_unchecked(copy, events, count)
    code, said = verify(copy)
    assert code == 3
    assert f"event {EVENTS + len(events)}: " in said
    assert words in said


def test_a_snapshot_that_a_replay_does_not_lead_to_is_refused(copy: Path) -> None:
    """A snapshot whose bytes check out and whose state is another one is found."""
    log = eventlog.open(copy)
    leave_snapshot(log, State(seq=EVENTS))
    log.close()
    code, said = verify(copy)
    assert (code, "a snapshot of state" in said) == (3, True)


def test_a_snapshot_of_another_schema_is_not_compared(copy: Path) -> None:
    """One that another version of this program wrote says nothing against the log, and is named."""
    log = eventlog.open(copy)
    writer = log.snapshots.begin(log.write_sync_marker(), SNAPSHOT_SCHEMA + 1)
    writer.write(b"the future")
    writer.finish()
    log.close()
    code, said = verify(copy)
    assert (code, f"verified {EVENTS} events" in said) == (0, True)
    assert "snapshots: 0 with the state of a replay, 1 of another version not compared" in said


def test_a_kept_head_proves_that_the_past_is_unchanged(copy: Path) -> None:
    """The head of a log stays provable as it grows; another hash, place or a shorter log is not."""
    head = LogReader(copy).head.hex()
    append_unchecked(copy, [Event(unregistered=Unregistered(node_id=BETA))])
    code, said = verify(copy, "--head", head, "--seq", str(EVENTS))
    assert (code, "unchanged" in said) == (0, True)
    for other, seq in ((head, EVENTS + 1), ("0" * 64, EVENTS), (head, EVENTS + 9)):
        assert verify(copy, "--head", other, "--seq", str(seq))[0] == 3
    assert verify(copy, "--head", head)[0] == 2
    assert verify(copy, "--head", "abc", "--seq", "1")[0] == 2
