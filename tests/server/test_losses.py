"""What is logged of servers that are lost."""

from types import SimpleNamespace
from typing import Any, cast

import structlog
from rpds import HashTrieMap

from nc.domain.events import Event, ReplicaLost, ReplicaStarted
from nc.domain.state import State
from nc.replica.role import Role
from nc.server.losses import Losses, SubmitLoss
from tests.support.whole_server import Lines


def test_a_server_that_begins_and_is_lost_at_once_has_its_name() -> None:
    """As where a server catches up with both events in one go, and in two."""
    lines = Lines()
    logger = structlog.wrap_logger(structlog.ReturnLogger(), processors=[lines])
    replica = SimpleNamespace(state=State(), leads=True, session="own")
    role: Any = SimpleNamespace(replica=replica)
    losses = Losses(cast(Role, role), cast(SubmitLoss, None), logger)
    started = Event(replica_started=ReplicaStarted(replica_id="c-1", session="s"))
    lost = Event(replica_lost=ReplicaLost(session="s"))
    losses.see([started, lost])
    replica.state = State(sessions=HashTrieMap({"s": "c-1"}))
    losses.see([started])
    replica.state = State()
    losses.see([lost])
    assert [line["replica"] for line in lines] == ["c-1", "c-1"]
