"""The server is killed in the middle of five hundred calls, again and again, on the same folder.

Invariants, checked after every kill by a server that was started on what was left:

    1. every acknowledged answer is there: tokens, nodes, expiries, departures
    2. what was not acknowledged is there as a whole or not at all, and once at most
    3. the laws of `history`: the chain, the sequence, the addresses, the certificates
    4. what the server answers is what the log, read from its first byte, comes to
    5. a start says ReplicaStarted; only a clean stop says ReplicaStopped
"""

import asyncio
import random
import sys
import time
from pathlib import Path

import pytest

from nc.domain.state import State
from nc.secrets import TokenIds
from tests.crash.crash_load import Ledger, Load, states_of
from tests.crash.history import History, read_history
from tests.support.server_process import SERVE, ServerProcess

ON_ODD_DISK = Path(__file__).with_name("on_odd_disk.py")

# Each folder sees as many kills as it has numbers: acknowledged answers before the kill.
KILLS_AFTER = (
    (1, 90, 40, 7),
    (25, 3, 150, 30),
    (110, 1, 1, 75, 180, 10),
)
# How long a write takes, half of it before and half after: in some folders so long that answers
# would be heard before it is over, and that a kill leaves half of it.
LONG_PAUSE_MS = 20
PAUSES_MS = (0, 5, LONG_PAUSE_MS)

# There it is killed again until that has happened, so often at most: most kills are in the middle
# of a write that takes so long.
MOST_KILLS = 40
MORE_KILLS_AFTER = 20

# Before these kills of a folder the server is also killed while it still starts.
KILL_AT_START = (2, 4)


@pytest.mark.parametrize("seed", range(len(KILLS_AFTER)))
def test_what_was_acknowledged_survives_every_kill(seed: int, data_dir: Path) -> None:
    """Every acknowledged answer outlives kill -9, and nothing is half there."""
    _survive(seed, KILLS_AFTER[seed], PAUSES_MS[seed], data_dir)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 130))
def test_what_was_acknowledged_survives_many_kills(seed: int, data_dir: Path) -> None:
    """As above, over many more kills, later ones among them."""
    rng = random.Random(seed)  # noqa: S311 - a test's choices
    kills_after = tuple(int(1 + 1500 * rng.random() ** 3) for _ in range(10))
    _survive(seed, kills_after, seed % 4 * 10, data_dir)


def _survive(seed: int, kills_after: tuple[int, ...], pause_ms: int, data_dir: Path) -> None:
    command = (sys.executable, str(ON_ODD_DISK), f"slow:{pause_ms}", "serve") if pause_ms else SERVE
    ledger = Ledger()
    rng = random.Random(seed)  # noqa: S311 - a test's choices
    kills = list(kills_after)
    for kill, after in enumerate(kills):
        if kill in KILL_AT_START:
            with ServerProcess(data_dir, command=command, ready="log.opened") as server:
                server.kill()
        with ServerProcess(data_dir, command=command) as server:
            _check(ledger, data_dir, server)
            load = Load(server, ledger, rng, f"s{seed}k{kill}", after, server.kill)
            asyncio.run(load.run())
            assert load.answers >= after
        if kill == len(kills) - 1 < MOST_KILLS and pause_ms == LONG_PAUSE_MS:
            kills += [] if _torn(data_dir) else [MORE_KILLS_AFTER]
    with ServerProcess(data_dir) as server:
        _check(ledger, data_dir, server)
        assert server.stop() == 0
    history, _ = read_history(data_dir / "log")
    assert history.stops == [history.last_seq]
    assert pause_ms < LONG_PAUSE_MS or _torn(data_dir)


def _torn(data_dir: Path) -> list[Path]:
    """What kills in the middle of a write have left, as far as a server has started since."""
    return list((data_dir / "log").glob("*.torn-*"))


def _check(ledger: Ledger, data_dir: Path, server: ServerProcess) -> None:
    """All that was promised, seen from the log and from the server that runs on it."""
    history, state = read_history(data_dir / "log")
    after_the_start = range(history.starts[-1] + 1, history.last_seq + 1)
    assert set(after_the_start) <= {*history.digests, *history.installed}
    assert history.stops == []
    for request_id, events in ledger.asked.items():
        found = len(history.events_of(request_id))
        assert found == events or (found == 0 and request_id not in ledger.answered), request_id
    unasked = history.entries.keys() - ledger.asked.keys()
    by_itself = {entry.method for i in unasked for entry in history.entries[i]}
    assert by_itself - {"digest"} == {"start"}
    ids = TokenIds((data_dir / "secret.key").read_bytes())
    for token in ledger.bootstrap_tokens:
        assert history.tokens[ids.id_of(token)] == 0
    for token, node in ledger.nodes.items():
        expires_at_ms = history.nodes.get(ids.id_of(token))
        if node.is_gone:
            assert expires_at_ms is None
        elif expires_at_ms is None:
            assert node.may_be_gone
        else:
            assert expires_at_ms in {at_s * 1000 for at_s in node.expiries_s}
    _compare(ledger, ids, history, state, server)


def _compare(
    ledger: Ledger, ids: TokenIds, history: History, state: State, server: ServerProcess
) -> None:
    """A replay from nothing equals what the server answers."""
    now_ms = time.time() * 1000
    for token, answer in asyncio.run(states_of(server, list(ledger.nodes))).items():
        node_id = ids.id_of(token)
        expires_at_ms = history.nodes.get(node_id)
        known = expires_at_ms is not None and not 0 < expires_at_ms <= now_ms
        assert answer.code == ("200" if known else "400"), answer
        assert answer.connState == -1
        assert answer.bindIp == (state.addresses.address_of(node_id) if known else "")
