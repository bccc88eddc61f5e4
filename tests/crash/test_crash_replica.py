"""A replica is killed while nodes come and go and take each other's addresses.

Invariants, checked over the log that each kill leaves:

    1. what was acknowledged is there, event for event, once
    2. what was refused left nothing
    3. what a query saw is there, and was so
    4. the laws of `history`, above all: no two nodes hold one address, and after a start nobody
       has a link
    5. bindings outlive the kill: the next process starts with those that the log shows
"""

import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from nc.domain.events import pb
from tests.crash.history import History, read_history
from tests.support.forked_program import ForkedProgram
from tests.support.server_process import PATIENCE_S

ON_ODD_DISK = Path(__file__).with_name("on_odd_disk.py")
DRIVER = Path(__file__).with_name("replica_driver.py")
ADDRESSES = {f"10.1.1.{host}" for host in range(3, 15, 2)}
KILLS = 8  # a folder


@pytest.mark.parametrize(("seed", "pause_ms"), [(0, 0), (1, 2), (2, 10)])
def test_addresses_survive_every_kill(seed: int, pause_ms: int, data_dir: Path) -> None:
    """Acknowledged bindings outlive kill -9, and no address ever has two holders."""
    _survive(data_dir, seed, KILLS, most_lines=400, pause_ms=pause_ms)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 110))
def test_addresses_survive_many_kills(seed: int, data_dir: Path) -> None:
    """As above, over many more kills, later ones among them."""
    _survive(data_dir, seed, 30, most_lines=4000, pause_ms=seed % 5)


def _survive(folder: Path, seed: int, kills: int, *, most_lines: int, pause_ms: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - a test's choices
    said: list[dict[str, Any]] = []
    for _ in range(kills):
        # Line 1 answers the start; small numbers are as likely as large ones.
        lines = int(most_lines ** rng.random()) + 1
        said += _drive([str(folder), str(seed)], lines, pause_ms)
        history = _check(folder, said)
    reasons = {line["why"] for line in said if "refused" in line}
    assert reasons <= {
        "AddressPoolExhausted",  # all six are in use
        "LinkSuperseded",  # another caller was first
        "IllegalTransition",
        "NodeUnknown",
    }
    released = [
        event.address_released.reason
        for entries in history.entries.values()
        for entry in entries
        for event in entry.events
        if event.HasField("address_released")
    ]
    assert pb.ADDRESS_RELEASE_REASON_RECLAIMED in released, "the pool was never used up"


def _drive(arguments: list[str], lines: int, pause_ms: int) -> list[dict[str, Any]]:
    """Run the driver until it has said so many lines, kill it, and hear the rest."""
    command = [sys.executable, str(ON_ODD_DISK), f"slow:{pause_ms}", str(DRIVER), *arguments]
    with tempfile.TemporaryFile() as errors:
        process = ForkedProgram(command, stderr=errors)
        assert process.stdout is not None
        with process.stdout as lines_said:
            try:
                said = [lines_said.readline() for _ in range(lines)]
            finally:
                process.kill()
            said += lines_said.readlines()
        process.wait(PATIENCE_S)
    assert all(line.endswith(b"}\n") for line in said), said[-1]
    return [json.loads(line) for line in said]


def _check(folder: Path, said: list[dict[str, Any]]) -> History:
    history, _ = read_history(folder)
    assert history.stops == []
    assert set(history.by_address) <= ADDRESSES
    for line in said:
        match line:
            case {"done": request_id, "events": events}:
                found = [e.SerializeToString().hex() for e in history.events_of(request_id)]
                assert found == events, request_id
            case {"refused": request_id}:
                assert history.events_of(request_id) == []
            case {"ready": seq, "bound": bound, "idle": idle}:
                assert idle
                assert bound == history.bindings[seq - 1]
            case {"saw": seq, "bound": bound}:
                assert bound == history.bindings[seq - 1]
    for start in history.starts[1:]:
        assert history.bindings[start - 1] == history.bindings[start - 2]
    return history
