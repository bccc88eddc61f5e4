"""The harness's own parts: the laws' honesty, its clock, its packets, its links, and Hypothesis."""

import asyncio
import struct
from concurrent.futures import Future
from contextlib import closing
from ipaddress import IPv4Address
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from nc.net import wire
from nc.testing import LAWS, History, InProcess, Operation, judge
from nc.testing.search import Trial, draw_trial
from nc.testing.search.settings import NETWORKS
from nc.testing.search.strategies import histories, packets, pick_with
from nc.testing.targets import links
from nc.testing.targets.in_process import START_MS
from nc.testing.virtual_time import VirtualLoop


def test_a_history_without_steps_exercises_no_law() -> None:
    """A law that had nothing to say says so; none is passed by default."""
    judgement = judge(History("10.1.1.1/24"))
    assert set(judgement.exercised.values()) == {0}
    assert judgement.breaches == []


def test_every_law_has_a_name_and_a_sentence() -> None:
    """They can be read by people, and are distinct."""
    assert len({law.name for law in LAWS}) == len(LAWS)
    assert all(law.sentence.endswith(".") and "_" not in law.name for law in LAWS)


@given(st.lists(st.floats(0, 1000) | st.sampled_from([1.0, 1 + 5e-10, 1 + 1e-9]), min_size=2))
def test_no_timer_of_the_virtual_loop_runs_before_its_time(times: list[float]) -> None:
    """Also where another one is due some tenths of a nanosecond before it."""
    loop, early = VirtualLoop(), list[float]()

    async def wait_for_all() -> None:
        for at_s in times:
            loop.call_at(at_s, lambda due_s: early.append(due_s - loop.time()), at_s)
        await asyncio.sleep(max(times) + 1)

    with closing(loop):
        loop.run_until_complete(wait_for_all())
    assert len(early) == len(times)
    assert max(early) <= 0


@settings(max_examples=25)
@given(network=st.sampled_from(NETWORKS), rounds=histories(START_MS))
def test_any_history_can_be_played(network: str, rounds: list[list[Operation]]) -> None:
    """Whole histories, drawn without knowing their answers, break no law of this server."""
    target = InProcess()
    trial = Trial(target, network)
    joined = {"admin"}
    try:
        for operations in rounds:
            asked = [o for o in operations if getattr(o, "caller", "admin") in joined]
            if asked:
                trial.perform(*asked)
            joined |= set(trial.joined)
        trial.finish()
    finally:
        target.end()
        target.close()


@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_hypothesis_can_draw_trials(data: st.DataObject) -> None:
    """Its own choices drive the same workload."""
    with closing(InProcess()) as target:
        draw_trial(target, pick_with(data.draw), rules=10).require()


@given(packet=packets(st.just("10.1.1.3"), st.just("10.1.1.5"), max_payload_bytes=64))
def test_packets_are_ipv4(packet: bytes) -> None:
    """Version, length, addresses and checksum are those of the packet."""
    version, _, length = struct.unpack("!BBH", packet[:4])
    assert (version, length) == (0x45, len(packet))
    assert [str(IPv4Address(packet[at : at + 4])) for at in (12, 16)] == ["10.1.1.3", "10.1.1.5"]
    total = sum(struct.unpack("!10H", packet[:20]))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF


def test_an_end_by_the_sweep_refuses_nothing() -> None:
    """What was asked on a link that the sweep ended was done before, or not: it is unknown."""
    ended: Future[object] = Future()
    ended.set_result("code 1008")
    end = SimpleNamespace(ended=ended, close_code=1008, has_left=False, close_reason="")
    answer = links._ended(cast("Any", end), is_alone=True)
    assert answer is not None
    assert answer.facts.code == "400"
    end.close_reason = wire.EXPIRED.reason
    assert links._ended(cast("Any", end), is_alone=True) is None
    assert links._ended(cast("Any", end), is_alone=True, is_refused=True) == answer
