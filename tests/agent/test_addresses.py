"""Where a node's server may be: what is kept, and which address is tried first."""

import errno
import json
import os
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.agent.addresses import KnownAddresses, connect_to_one_of
from nc.agent.connection import Target
from nc.agent.link_errors import LinkEnded, NodeUnregistered, RetryLater, UntrustedServer
from nc.net.wire import addresses_text, read_addresses

ORIGIN = ("192.0.2.7", 6441)
HOSTS = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.from_regex(r"[a-z][a-z0-9-]{0,20}(\.[a-z]{1,9}){0,3}", fullmatch=True),
)
ADDRESSES = st.lists(st.tuples(HOSTS, st.integers(1, 65_535)), max_size=16)


@given(ADDRESSES)
def test_addresses_survive_the_header(addresses: list[tuple[str, int]]) -> None:
    """What a server writes is what an agent reads."""
    assert read_addresses(addresses_text(addresses)) == tuple(addresses)


@given(st.text(max_size=200))
def test_any_header_is_read(text: str) -> None:
    """A header of anybody's is addresses, or nothing."""
    for host, port in read_addresses(text):
        assert host
        assert 0 < port < 65_536
        assert not set(host) & set("/@?#%[] \r\n")


def test_the_address_that_worked_comes_first_and_the_origin_last(tmp_path: Path) -> None:
    """Told addresses replace those told before; the one in use and the origin stay."""
    path = tmp_path / "addresses.json"
    known = KnownAddresses(path, ORIGIN)
    assert list(known.all) == [ORIGIN]
    outside = ("203.0.113.5", 6441)
    known.linked(outside, [("10.0.0.1", 6441), ("10.0.0.2", 6441)])
    expected = (outside, ("10.0.0.1", 6441), ("10.0.0.2", 6441), ORIGIN)
    assert known.all == expected
    assert KnownAddresses(path, ORIGIN).all == expected
    known.linked(("10.0.0.2", 6441), [("10.0.0.2", 6441)])
    assert KnownAddresses(path, ORIGIN).all == (("10.0.0.2", 6441), ORIGIN)


def test_what_cannot_be_read_for_a_moment_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file keeps where else the server may be, and the token that this node joined with."""

    def unreadable(path: Path) -> NoReturn:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    path, other = tmp_path / "addresses.json", ("203.0.113.5", 6441)
    KnownAddresses(path, ORIGIN).joined("digest", [ORIGIN, other])
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", unreadable)
        known = KnownAddresses(path, ORIGIN)
    known.linked(ORIGIN, [])
    again = KnownAddresses(path, ORIGIN)
    assert (again.all, again.token_digest) == ((ORIGIN, other), "digest")
    known.joined("newer", [other])
    assert KnownAddresses(path, ORIGIN).all == (other, ORIGIN)


def test_what_is_told_without_a_link_leaves_the_first_and_the_configured(tmp_path: Path) -> None:
    """A renewal names the servers anew; those of a configuration file are always known."""
    path, configured = tmp_path / "a", ("10.0.0.8", 6441)
    known = KnownAddresses(path, ORIGIN, configured)
    known.linked(("10.0.0.1", 6441), [("10.0.0.2", 6441)])
    known.told([("10.0.0.3", 6441)])
    expected = (("10.0.0.1", 6441), ("10.0.0.3", 6441), ORIGIN, configured)
    assert known.all == expected
    known.told(())
    assert KnownAddresses(path, ORIGIN, configured).all == expected
    known.lost(("10.0.0.1", 6441))
    assert known.all == (*expected[1:], expected[0])
    known.linked(ORIGIN, ())
    assert known.all[:2] == (ORIGIN, expected[0])


def test_a_server_that_tells_nothing_changes_nothing(tmp_path: Path) -> None:
    """An upstream server, or an older one: what was known stays known."""
    known = KnownAddresses(tmp_path / "a", ORIGIN)
    known.prefer([("10.0.0.9", 1)])
    known.linked(ORIGIN, ())
    assert set(known.all) == {ORIGIN, ("10.0.0.9", 1)}


def test_what_was_learnt_under_another_origin_does_not_count(tmp_path: Path) -> None:
    """A machine that joins another server, or whose configuration changes, begins anew."""
    KnownAddresses(tmp_path / "a", ORIGIN).prefer([("10.0.0.9", 1)])
    other = ("198.51.100.1", 6441)
    assert KnownAddresses(tmp_path / "a", other).all == (other,)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"{}", b'{"origin": "192.0.2.7:6441"}', b"null", b"7"]
)
def test_a_damaged_file_is_no_file(tmp_path: Path, content: bytes) -> None:
    """Addresses help after a move only: without them the origin is tried."""
    path = tmp_path / "addresses.json"
    path.write_bytes(content)
    assert KnownAddresses(path, ORIGIN).all == (ORIGIN,)


def test_a_file_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    """They are then known until the agent ends."""
    known = KnownAddresses(tmp_path / "missing" / "a", ORIGIN)
    known.prefer([("10.0.0.9", 1)])
    assert known.all == (("10.0.0.9", 1), ORIGIN)


def test_no_token_is_in_the_file(tmp_path: Path) -> None:
    """The bootstrap token is recognised by a digest."""
    path = tmp_path / "a"
    KnownAddresses(path, ORIGIN).joined("d1gest", [ORIGIN])
    assert json.loads(path.read_text()) == {
        "origin": "192.0.2.7:6441",
        "token": "d1gest",
        "addresses": "192.0.2.7:6441",
    }
    assert path.stat().st_mode & 0o777 == 0o600


A, B, C = (Target(f"10.0.0.{n}", 6441, "", None) for n in (1, 2, 3))
DOWN, UNTRUSTED = LinkEnded("down"), UntrustedServer("not ours")
UNKNOWN, LATER = NodeUnregistered("unknown"), RetryLater("expired")
CERTAIN = NodeUnregistered("unknown to the one that decides")
CERTAIN.is_certain = True


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([None], A),
        ([DOWN, None], B),
        ([UNKNOWN, None], B),
        ([UNTRUSTED, LATER, None], C),
        ([DOWN], LinkEnded),
        ([UNKNOWN], NodeUnregistered),
        ([UNKNOWN, UNKNOWN], NodeUnregistered),
        ([UNKNOWN, DOWN], RetryLater),
        ([UNKNOWN, DOWN, UNKNOWN], NodeUnregistered),
        ([DOWN, CERTAIN], NodeUnregistered),
        ([CERTAIN, None], B),
        ([DOWN, LATER], RetryLater),
        ([UNTRUSTED, DOWN], UntrustedServer),
    ],
)
async def test_addresses_are_tried_in_turn(answers: list[LinkEnded | None], expected: Any) -> None:
    """The first that gives a link wins; a node ends only if no server there knows it."""
    targets = [A, B, C][: len(answers)]

    async def connect(target: Target) -> Any:
        error = answers[targets.index(target)]
        if error is not None:
            raise error
        return target

    if isinstance(expected, Target):
        _, chosen = await connect_to_one_of(targets, connect)
        assert chosen == expected
        return
    with pytest.raises(LinkEnded) as raised:
        await connect_to_one_of(targets, connect)
    assert type(raised.value) is expected
    assert all(str(error) in str(raised.value) for error in answers)
