"""Addresses whose callers come back as often as they are hung up on."""

import contextlib
import socket
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.rpc.queue import connections, held_back, syn_filter
from nc.rpc.queue.call import Refusal, ServerCall
from nc.rpc.queue.hang_up import SILENT_S, HangUps
from nc.rpc.queue.held_back import HELD_S, HeldBack
from nc.rpc.queue.limits import Limits
from nc.rpc.queue.syn_filter import MOST_ADDRESSES, PASSES_ONE_IN, program
from tests.fuzz.raw_http2 import Peer, headers
from tests.support.bpf import PASSES, Packet, run
from tests.support.filter_right import needs_filter
from tests.support.queue_server import CHANNEL_OPTIONS, PATIENCE_S, UNARY, Serving, serving, unary

PERMISSION_DENIED = 7


def decide(call: ServerCall) -> Refusal | None:
    match dict(call.metadata).get("party"):
        case "stranger":
            return Refusal(PERMISSION_DENIED, "go away", hangs_up=True)
        case "administrator":
            call.vouch()
    return None


@pytest.fixture
def drops_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """As good as no SYN passes by chance."""
    monkeypatch.setattr(syn_filter, "PASSES_ONE_IN", 1 << 31)


class Looping:
    """A caller at an address of its own."""

    def __init__(self, running: Serving, host: str, source: str) -> None:
        self._running = running
        self._to = host, running.port.number
        self._source = source, 0
        self._total = 0

    async def call(self, party: str) -> None:
        """Call on a new connection, and leave it once the gate was asked."""
        running, self._total = self._running, len(self._running.gate.admitted) + 1
        raw = socket.create_connection(self._to, PATIENCE_S, self._source)
        with raw:
            Peer(raw).socket.sendall(
                headers(1, UNARY.encode(), fields=[(b"party", party.encode())])
            )
            await running.until(lambda: len(running.gate.admitted) == self._total)

    async def loop(self) -> None:
        """Be hung up on until new connections do not begin."""
        held = self._running.server.hang_ups.held_back
        while not held.total:
            await self.call("stranger")
        await self._running.until(lambda: not self.begins())

    def begins(self) -> bool:
        """Whether the kernel takes a new connection at once."""
        with socket.socket(socket.AF_INET6 if ":" in self._to[0] else socket.AF_INET) as raw:
            raw.setblocking(False)
            raw.bind(self._source)
            raw.connect_ex(self._to)
            with contextlib.suppress(OSError):
                raw.getpeername()
                return True
        return False


@needs_filter
@pytest.mark.usefixtures("drops_all")
@pytest.mark.parametrize(
    ("address", "source", "party"),
    [
        ("127.0.0.1", "127.0.0.3", "127.0.0.3"),
        ("[::]", "127.0.0.3", "127.0.0.3"),
        ("[::1]", "::1", "::/64"),
    ],
)
async def test_who_comes_back_too_often_is_held_back_until_somebody_vouches(
    address: str, source: str, party: str
) -> None:
    """Others, and connections that are there already, are answered meanwhile."""
    host = "::1" if ":" in source else "127.0.0.1"
    reported = list[str]()
    async with serving(decide=decide, address=address, report_held_back=reported.append) as running:
        target = f"[{host}]:{running.port.number}" if ":" in host else running.target
        async with grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS) as channel:
            assert await unary(channel) == b"x"
            looping = Looping(running, host, source)
            await looping.loop()
            assert reported == [party]
            if ":" not in host:
                async with running.channel() as later:  # from 127.0.0.1
                    assert await unary(later) == b"x"
            assert await unary(channel) == b"x"
            running.server.hang_ups.vouch(
                f"ipv6:[{source}]:1" if ":" in source else f"ipv4:{source}:1"
            )
            await running.until(looping.begins)
        assert running.errors == []


@pytest.mark.usefixtures("drops_all")
async def test_an_address_of_an_administrator_is_never_held_back() -> None:
    """However often other callers from there are hung up on."""
    async with serving(decide=decide) as running:
        looping = Looping(running, "127.0.0.1", "127.0.0.4")
        await looping.call("administrator")
        for _ in range(2 * held_back._AT_ONCE):
            await looping.call("stranger")
        assert running.server.hang_ups.held_back.total == 0
        assert looping.begins()


async def test_where_nothing_can_be_filtered_nobody_is_said_to_be_held_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who comes back too often is hung up on, each time."""
    monkeypatch.setattr(connections, "_ATTACH_FILTER", -1)
    reported = list[str]()
    async with serving(decide=decide, report_held_back=reported.append) as running:
        looping, hang_ups = Looping(running, "127.0.0.1", "127.0.0.6"), running.server.hang_ups
        while not hang_ups.held_back.total:
            await looping.call("stranger")
        await running.until(lambda: not hang_ups.are_wanted)
        assert (reported, hang_ups.silenced) == ([], 0)
        assert looping.begins()


async def test_a_connection_counts_once() -> None:
    """However many of its calls are given up: their messages do not come."""
    limits = Limits(awaited=0, body_s=PATIENCE_S)
    async with serving(limits=limits) as running:
        raw = socket.create_connection(
            ("127.0.0.1", running.port.number), PATIENCE_S, ("127.0.0.5", 0)
        )
        with raw:
            party = [(b"party", b"stranger")]
            calls = range(1, 4 * held_back._AT_ONCE, 2)
            Peer(raw).socket.sendall(
                b"".join(headers(n, UNARY.encode(), fields=party) for n in calls)
            )
            await running.until(lambda: len(running.gate.ended_calls) == len(calls))
        assert running.server.hang_ups.held_back.total == 0


def test_a_port_that_is_used_again_counts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever takes its ports in turn would never be held back; not while it is silent."""
    clock, counted = Time(), list[str]()
    hang_ups = HangUps(clock.monotonic_ns, (), lambda _party: None)
    monkeypatch.setattr(hang_ups.held_back, "note", counted.append)
    peers = [f"ipv4:192.0.2.1:{port}" for port in range(3)]
    for rounds in range(1, 4):
        for _ in range(2):
            for peer in peers:
                hang_ups.want(1, peer)
            clock.now_ns += int(SILENT_S * 1e9)
        assert len(counted) == rounds * len(peers)
    hang_ups.stop()


class Time:
    now_ns = 0

    def monotonic_ns(self) -> int:
        return self.now_ns


def test_an_address_is_held_back_for_some_seconds_after_its_last_connection() -> None:
    """And anew if it goes on then."""
    clock = Time()
    held = HeldBack(clock.monotonic_ns)
    for _ in range(held_back._AT_ONCE):
        held.note("192.0.2.1")
        assert held.changed() is None
    held.note("192.0.2.1")
    assert held.changed() == ["192.0.2.1"]
    clock.now_ns += 500_000_000
    held.note("192.0.2.1")
    assert held.changed() is None
    assert held.next_s == HELD_S + 0.5
    clock.now_ns += int(HELD_S * 1e9)
    assert held.changed() == []
    assert held.next_s is None


def test_no_more_addresses_are_held_back_than_the_filter_takes() -> None:
    """Those go that were seen last the longest ago."""
    held = HeldBack(Time().monotonic_ns)
    networks = [f"2001:db8:0:{number:x}::" for number in range(MOST_ADDRESSES + 1)]
    for network in networks:
        for _ in range(held_back._AT_ONCE + 1):
            held.note(network)
    assert held.changed() == [f"{network}/64" for network in networks[1:]]


def addresses() -> Iterator[st.SearchStrategy[str]]:
    """Few, so that they are often equal, or equal in part."""
    for words in (
        ("10.0.0.1", "10.0.0.2", "11.0.0.1"),
        ("2001:db8::", "2001:db9::", "2001:db8:0:1::"),
    ):
        yield st.sampled_from(words)


@given(
    st.lists(st.one_of(*addresses()), max_size=5, unique=True),
    st.one_of(*addresses()),
    st.integers(0, 0xFF),
    st.integers(0, 0xFFFF_FFFF),
)
def test_the_filter_drops_syns_of_its_addresses_by_chance_and_nothing_else(
    held: list[str], source: str, flags: int, random: int
) -> None:
    """Whatever else the packet says."""
    parties = [each if "." in each else f"{each}/64" for each in held]
    packet = Packet(ip_address(source), flags, random)
    is_syn = flags & 0x12 == 0x02
    is_held = any(packet.source in ip_network(party) for party in parties)
    passes = not (is_syn and is_held) or random % PASSES_ONE_IN == 0
    assert run(program(parties), packet) == (PASSES if passes else 0)
