"""The sweep: whose time has come loses its link, whatever was known of it before."""

from pathlib import Path

from nc.clock import now_ms
from nc.domain.invitations import DEFAULT_LIFETIME_S, RETENTION_MS, InviteReplica
from nc.domain.levels import FIRST_LEVEL
from nc.domain.replicas import StartReplica, StopReplica
from nc.server.installation import Tuning
from nc.server.tasks import Sweep
from tests.support.link_cluster import CONNECTED, HASTY, IDLE, cluster
from tests.support.whole_server import MovableClock

ONLY_OURS = Tuning(link_limits=HASTY, sweep_interval_s=3600.0)


async def test_whoever_expires_is_dropped_by_the_next_sweep_and_nobody_else(data_dir: Path) -> None:
    """Also if the expiry came after the link, or the link after it, or an earlier one follows.

    Between two sweeps in which nothing changed but the time, too.
    """
    clock = MovableClock()
    async with cluster(data_dir, clock=clock, tuning=ONLY_OURS, plaintext=True) as here:
        sweep = Sweep(here.replica, here.server.server.submit, clock).sweep
        early, late, never = [await here.enrol() for _ in range(3)]
        await here.connect(never)
        await sweep()
        await here.connect(late)
        now_s = now_ms(clock) // 1000
        await here.expire(late, now_s + 1000)
        await sweep()
        await here.expire(early, now_s + 500)
        await here.connect(early)
        for ahead_s, expected in (
            (0, (CONNECTED, CONNECTED, CONNECTED)),
            (502, (IDLE, CONNECTED, CONNECTED)),
            (1002, (IDLE, IDLE, CONNECTED)),
        ):
            clock.ahead_ms = ahead_s * 1000
            await sweep()
            assert tuple(map(here.state, (early, late, never))) == expected


async def test_a_clock_that_has_just_jumped_drops_no_link(data_dir: Path) -> None:
    """A minute after a step forward it is believed; a step back within it changes nothing."""
    clock = MovableClock()
    async with cluster(data_dir, clock=clock, tuning=ONLY_OURS, plaintext=True) as here:
        sweep = Sweep(here.replica, here.server.server.submit, clock).sweep
        node = await here.enrol()
        await here.connect(node)
        await here.expire(node, now_ms(clock) // 1000 + 500)
        for stepped_s, passed_s, expected in (
            (7200, 0, CONNECTED),
            (7200, 59, CONNECTED),
            (0, 59, CONNECTED),
            (0, 300, CONNECTED),
            (7200, 300, CONNECTED),
            (7200, 361, IDLE),
        ):
            clock.stepped_ms, clock.ahead_ms = stepped_s * 1000, passed_s * 1000
            await sweep()
            assert here.state(node) is expected


async def test_a_new_leader_doubts_no_step_of_long_ago(data_dir: Path) -> None:
    """It has looked at its clock while another one led, and drops at once who expires."""
    clock = MovableClock()
    async with cluster(data_dir, clock=clock, tuning=ONLY_OURS, plaintext=True) as here:
        leads = False
        sweep = Sweep(here.replica, here.server.server.submit, clock, lambda: leads).sweep
        node = await here.enrol()
        await here.connect(node)
        await here.expire(node, now_ms(clock) // 1000 + 500)
        clock.stepped_ms = 7200_000
        await sweep()
        clock.ahead_ms = 61_000
        await sweep()
        assert here.state(node) is CONNECTED  # the other one has that to do
        leads = True
        await sweep()
        assert here.state(node) is IDLE


async def test_an_invitation_is_remembered_while_an_older_server_runs(data_dir: Path) -> None:
    """Which could not read that it is forgotten: the sweep goes on without, and ends nothing."""
    clock = MovableClock()
    async with cluster(data_dir, clock=clock, tuning=ONLY_OURS, plaintext=True) as here:
        submit, replica = here.server.server.submit, here.replica
        await submit(InviteReplica("invitation", now_ms(clock)), "invite")
        network = str(replica.state.addresses.network)
        old = StartReplica("old", "0.1", network, session="old", level=FIRST_LEVEL)
        await submit(old, "start")
        sweep = Sweep(here.replica, submit, clock).sweep
        clock.ahead_ms = RETENTION_MS + 2 * DEFAULT_LIFETIME_S * 1000
        await sweep()
        assert len(replica.state.membership.invitations) == 1
        await submit(StopReplica("old", "old"), "stop")
        await sweep()
        assert len(replica.state.membership.invitations) == 0
