"""A leader that says nothing any more, as one that is paused: the others go on without it."""

import asyncio

import pytest

from nc.rpc.replication import following
from nc.rpc.replication.following import Following
from nc.testing.simulation.loop import SimulatedLoop
from nc.testing.simulation.replicas.sites import Site
from nc.testing.simulation.replicas.trial import Trial

BEGINNING_S, SILENCE_S, CALM_S = 10.0, 12.0, 20.0


async def isolate_the_leader(trial: Trial) -> None:
    """Nothing comes from it or to it for a while; no connection is refused."""
    keeping = [asyncio.create_task(trial.keep(site)) for site in trial.sites]
    asking = asyncio.create_task(trial.clients.run())
    await asyncio.sleep(BEGINNING_S)
    await trial.faults._isolate(next(filter(leads, trial.sites)))
    await asyncio.sleep(SILENCE_S)
    assert any(leads(site) for site in trial.sites if trial.faults.is_in_touch(site.name))
    await trial.faults._mend(trial.sites[0])
    await asyncio.sleep(CALM_S)
    asking.cancel()
    await asyncio.sleep(CALM_S)
    await trial.check()
    for task in (*keeping, asking):
        task.cancel()
    await asyncio.gather(*keeping, asking, return_exceptions=True)
    for process in trial.up:
        process.life.end()


def leads(site: Site) -> bool:
    return site.process is not None and site.process.leads


def breaches_of(seed: int) -> list[str]:
    loop = SimulatedLoop()
    try:
        trial = Trial(loop, seed)
        loop.run_until_complete(isolate_the_leader(trial))
        return trial.breaches
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.wait(left) if left else asyncio.sleep(0))
        loop.close()


def test_nobody_else_is_lost_when_the_leader_falls_silent() -> None:
    """Another one is elected, and whoever is in touch with it is never taken for lost."""
    for seed in range(3):
        assert breaches_of(seed) == []


def test_a_follower_that_waits_for_the_silent_leader_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that calls it anew, and does not leave it when another one is elected."""
    monkeypatch.setattr(Following, "ahead", lambda _: None)
    monkeypatch.setattr(following, "_CONNECT_S", 1e9)
    found = [breach for seed in range(3) for breach in breaches_of(seed)]
    assert any("though it was in touch" in breach for breach in found)
