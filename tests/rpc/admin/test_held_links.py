"""Counting the links that each server holds."""

import asyncio
from collections import Counter
from functools import partial
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.domain.decide import Command, decide
from nc.domain.errors import DomainError
from nc.domain.evolve import evolve
from nc.domain.links import AcceptLink, DropLink, HandOverAddress
from nc.domain.nodes import Unregister
from nc.domain.replicas import StartReplica, StopReplica
from nc.rpc.admin import held_links
from nc.rpc.admin.held_links import HeldLinks
from nc.rpc.admin.turns import in_slices
from tests.support.histories import CLOSED, NOW_MS, after, register, started

NODES = ("a", "b", "c", "d")
SESSIONS = ("1", "2")


class Log:
    """Stands for a replica: its state, and who is told of events."""

    def __init__(self) -> None:
        starts = [StartReplica(each, "1", "10.1.1.1/24", session=each) for each in SESSIONS]
        self.state = after(started(), *starts, *register(*NODES))
        self._observers: list[Any] = []

    def observe(self, observer: Any) -> None:
        self._observers.append(observer)

    def carry_out(self, command: Command) -> None:
        try:
            events = decide(self.state, command)
        except DomainError:
            return
        self.state = evolve(self.state, events)
        for observer in self._observers:
            observer(events)


def commands_of(node: str, link: str, session: str) -> st.SearchStrategy[list[Command]]:
    accept = AcceptLink(node, link, NOW_MS, session)
    hand_over = HandOverAddress(node, link, NOW_MS)
    drop = DropLink(node, link, CLOSED)
    return st.sampled_from(
        [[accept], [accept, hand_over], [drop], [Unregister(node)], [StopReplica(session, session)]]
    )


moves = st.builds(
    commands_of, st.sampled_from(NODES), st.sampled_from("xyz"), st.sampled_from(SESSIONS)
).flatmap(lambda each: each)


@given(before=st.lists(moves, max_size=6), history=st.lists(moves, max_size=12))
async def test_each_session_holds_as_many_links_as_the_state_says(
    before: list[list[Command]], history: list[list[Command]]
) -> None:
    """From whatever moment on, also of what changes while they are counted; counted only once."""
    log: Any = Log()
    for command in chain(*before):
        log.carry_out(command)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(held_links, "in_slices", partial(in_slices, size=1))
        held = HeldLinks(log)
        asked = [asyncio.create_task(held.by_session()) for _ in range(2)]
        for command in chain(*history):
            await asyncio.sleep(0)
            log.carry_out(command)
        first, second = await asyncio.gather(*asked)
    assert first is second
    expected = Counter(link.session for link in log.state.links.values())
    assert +Counter(first) == expected
    assert +Counter(await held.by_session()) == expected
