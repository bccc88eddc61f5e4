"""A server that leads others is stopped, on a stream of NATS."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import pytest

from nc.data_folder import DataFolder
from nc.replica import hand_over
from nc.replica.shared import SharedReplica
from nc.server import membership
from tests.server.test_replicas import ISSUE, connect, on_stream, peers_of, share_secrets
from tests.support.link_cluster import cluster, logged_events
from tests.support.operators import operator
from tests.support.whole_server import PATIENCE_S, WholeServer, admin, running, until

__all__ = ["on_stream"]  # a fixture

pytestmark = [
    pytest.mark.usefixtures("forgotten_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def is_quiet(leader: WholeServer) -> bool:
    """Whether it acknowledges no change yet, or once did not."""
    assert leader.server.membership is not None
    leases = leader.server.membership.role.leases
    assert leases is not None
    return leases.quiet_until_ns != 0


async def hears_what_changes_wait_for(
    follower: WholeServer, leader: WholeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the leader's log lacks is in the status of a server that follows, for as long."""
    why, own = "changes wait for a majority", SharedReplica.waits_for

    def waits_for(replica: SharedReplica) -> str:
        return why if replica is leader.replica else str(own.__get__(replica))

    async def status(waits_for: str) -> None:
        replica = cast(SharedReplica, follower.replica)
        await until(lambda: replica.leader_lacks == waits_for)
        async with operator(follower) as caller:
            answer = await caller.call("Server/Status")
        assert (answer.log.waits_for, answer.log.writable) == (waits_for, not waits_for)
        assert (waits_for in answer.degraded) is bool(waits_for)

    with monkeypatch.context() as patch:
        patch.setattr(SharedReplica, "waits_for", property(waits_for))
        await status(why)
    await status("")


async def test_a_leader_that_stops_has_another_one_elected_before_its_links_end(
    data_dir: Path,
    tmp_path: Path,
    on_stream: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So its nodes find one that takes them: the next leader acknowledges changes by then."""
    for module, name in (
        (hand_over, "HAND_OVER_S"),
        (hand_over, "_EACH_S"),
        (membership, "_LEAVE_S"),
    ):
        monkeypatch.setattr(module, name, PATIENCE_S)
    async with AsyncExitStack() as first:
        leader = await first.enter_async_context(cluster(data_dir, **on_stream))
        share_secrets(data_dir, tmp_path / "second")
        async with running(tmp_path / "second", **on_stream) as other, admin(other) as client:
            await connect(leader, await leader.enrol())
            await until(lambda: list(peers_of(other)) == [leader.replica.session])
            await hears_what_changes_wait_for(other, leader.server, monkeypatch)
            await first.aclose()
            state = other.replica.state
            assert (state.leader.session, len(state.sessions)) == (other.replica.session, 1)
            assert is_quiet(other) is False
            assert (await client.call("GetBootStrapToken", ISSUE)).code == "200"
    events = [
        event.WhichOneof("kind") for event in logged_events(DataFolder(tmp_path / "second").log)
    ]
    elected = len(events) - 1 - events[::-1].index("leader_elected")
    assert events[elected:][:3] == ["leader_elected", "state_changed", "replica_stopped"]
