"""Connecting to a name with several addresses: one that swallows packets hides no other."""

import asyncio
import socket
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.net import dial as dial_module
from nc.net.dial import AddressInfo, dial, in_turn

PATIENCE_S = 60.0
INFOS = st.lists(
    st.tuples(
        st.sampled_from([socket.AF_INET, socket.AF_INET6]),
        st.just(socket.SOCK_STREAM),
        st.just(0),
        st.just(""),
        st.integers(),
    ),
    min_size=1,
    max_size=8,
)


@given(INFOS)
def test_families_take_turns_and_no_address_is_lost(infos: list[AddressInfo]) -> None:
    """The first stays first, each family in its order, none twice in a row while both are left."""
    ordered = in_turn(infos)
    assert ordered[0] == infos[0]
    for family in (socket.AF_INET, socket.AF_INET6):
        assert [i for i in ordered if i[0] == family] == [i for i in infos if i[0] == family]
    fewer = min(sum(i[0] == f for i in infos) for f in (socket.AF_INET, socket.AF_INET6))
    assert all(a[0] != b[0] for a, b in pairwise(ordered[: 2 * fewer]))


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: Any) -> None:
    """Let every name have these addresses."""

    async def found(*_: object, **__: object) -> list[AddressInfo]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)


def swallow(monkeypatch: pytest.MonkeyPatch, black_hole: object) -> list[object]:
    """Let connecting to one address take for ever; gives the attempts at it."""
    connect = dial_module.connect_to
    tried: list[object] = []

    async def perhaps(info: AddressInfo) -> socket.socket:
        if info[4] == black_hole:
            tried.append(info)
            await asyncio.Event().wait()
        return await connect(info)

    monkeypatch.setattr(dial_module, "connect_to", perhaps)
    return tried


async def test_a_black_hole_is_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next address is tried beside it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        good = server.getsockname()
        resolve_to(monkeypatch, "black hole", good)
        tried = swallow(monkeypatch, "black hole")
        with await dial("a.name", 1, PATIENCE_S) as connected:
            assert connected.getpeername() == good
        assert len(tried) == 1


async def test_a_refusal_is_passed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And when all refuse, the reason is theirs."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        gone = closed.getsockname()
    with socket.create_server(("127.0.0.1", 0)) as server:
        resolve_to(monkeypatch, gone, gone, server.getsockname())
        (await dial("a.name", 1, PATIENCE_S)).close()
        resolve_to(monkeypatch, gone, gone)
        with pytest.raises(ConnectionRefusedError):
            await dial("a.name", 1, PATIENCE_S)


async def test_nothing_but_black_holes_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one kind of error, whatever the number of addresses."""
    resolve_to(monkeypatch, "black hole", "black hole")
    swallow(monkeypatch, "black hole")
    with pytest.raises(TimeoutError, match="timed out"):
        await dial("a.name", 1, 0.6)
