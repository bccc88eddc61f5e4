"""What is redacted replays as the original does, and says nothing of it that it should not."""

from collections import Counter
from dataclasses import replace
from ipaddress import IPv4Address
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog import Record
from nc.cli.log import repair
from nc.domain.codec.digest import digest
from nc.domain.codec.records import Recorded, events_of
from nc.domain.codec.snapshot import encode
from nc.domain.events import Batch, DigestRecorded, Entry, Event, pb
from nc.domain.evolve import UnknownEvent
from nc.domain.links import link_of
from nc.domain.network import Network
from nc.domain.state import State
from nc.history.events import field_of
from nc.history.fold import state_at
from nc.history.redact.addresses import Block, Relocation, block_of
from nc.history.redact.redaction import ACTORS, METHODS, OTHER, Redaction, plan_of
from nc.secrets import is_id
from nc.server.litekube import decision
from tests.support.sliced_log import Entries, batches


def records_of(history: list[Entries]) -> list[Record]:
    """Entries as a log's records."""
    records, seq = [], 1
    for batch in history:
        count = sum(len(entry.events) for entry in batch)
        payload = Batch(entries=batch).SerializeToString()
        records.append(Record(seq, count, batch[0].recorded_at_ns, 3, bytes(32), payload))
        seq += count
    return records


def events(records: list[Record]) -> list[Recorded]:
    """All events in some records."""
    return [each for record in records for each in events_of(record)]


def redacted(records: list[Record], first: int = 0) -> tuple[Redaction, State, list[Record]]:
    """A slice of records, redacted: from one of them on, with the state before."""
    after = records[first].first_seq - 1 if first < len(records) else len(events(records))
    base = state_at(events(records), after)
    redaction = Redaction(base, plan_of(base, events(records)))
    return redaction, base, [redaction.record(record) for record in records[first:]]


@settings(max_examples=50)
@given(batches, st.data())
def test_redacting_commutes_with_folding(history: list[Entries], data: st.DataObject) -> None:
    """fold(redacted(events)) = redacted(fold(events)), after every event, from any record on."""
    records = records_of(history)
    first = data.draw(st.integers(0, len(records) - 1))
    redaction, base, shown = redacted(records, first)
    originals, images = events(records), events(shown)
    for seq in range(base.seq, len(originals) + 1):
        image = state_at(images, seq, redaction.base)
        assert image == redaction.state(state_at(originals, seq))
        original = state_at(originals, seq)
        assert len(image.nodes) == len(original.nodes)
        assert Counter(link_of(image.links, n).state for n in image.nodes) == Counter(
            link_of(original.links, n).state for n in original.nodes
        )
        assert len(image.addresses.by_node) == len(original.addresses.by_node)


KEPT = ("version", "expires_at_ms", "from_state", "to_state", "reason", "lost_through_seq", "seq")


@settings(max_examples=40)
@given(batches)
def test_what_is_no_secret_stays(history: list[Entries]) -> None:
    """Numbers, times, kinds, versions, states, reasons, expiries, and what came in one entry."""
    records = records_of(history)
    _, _, shown = redacted(records)
    assert [(r.first_seq, r.count) for r in shown] == [(r.first_seq, r.count) for r in records]
    for original, image in zip(events(records), events(shown), strict=True):
        assert image.seq == original.seq
        assert image.entry.recorded_at_ns == original.entry.recorded_at_ns
        assert len(image.entry.events) == len(original.entry.events)
        assert image.event.WhichOneof("kind") == original.event.WhichOneof("kind")
        for name in KEPT:
            assert field_of(image.event, name) == field_of(original.event, name)
        assert image.entry.actor in {*ACTORS, OTHER}
        assert image.entry.method in {*METHODS, OTHER}
        if original.entry.method in METHODS:
            assert image.entry.method == original.entry.method
        for name in ("node_id", "token_id"):
            value = field_of(image.event, name)
            assert is_id(value) == bool(field_of(original.event, name))


def test_the_methods_of_our_own_commands_stay() -> None:
    """They are as public as those of the API."""
    assert {decision._METHOD, repair._METHOD} <= METHODS


@settings(max_examples=40)
@given(batches, st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=4))
def test_digests_are_those_of_the_redacted_states(
    history: list[Entries], places: list[tuple[int, int]]
) -> None:
    """Wherever a digest is recorded, of however old a state, it is that of the redacted one."""
    for at, of in places:
        added = Event(digest_recorded=DigestRecorded(seq=of, digest="ff" * 32))
        history.insert(min(at, len(history)) or 1, [Entry(events=[added])])
    records = records_of(history)
    redaction, _, shown = redacted(records)
    images = events(shown)
    for seq, _, event in images:
        if event.HasField("digest_recorded") and 0 <= event.digest_recorded.seq < seq:
            state = state_at(images, event.digest_recorded.seq, redaction.base)
            assert event.digest_recorded.digest == digest(state).hex()


@settings(max_examples=30)
@given(batches)
def test_redacting_twice_is_the_same(history: list[Entries]) -> None:
    """Nothing in it is left to chance, also where states are written down."""
    records = records_of(history)
    (one, _, first), (two, _, second) = redacted(records), redacted(records)
    assert first == second
    state = state_at(events(records), len(events(records)))
    images = [b"".join(encode(each.state(state), ordered=True)) for each in (one, two)]
    assert images[0] == images[1]


NODE, TOKEN = "feedc0dedeadbea75eed5eaf0ddba115", "5ca1ab1e0ffba5edca55e77ede7ec7ed"
NETWORK = "172.23.45.1/24"


def story() -> list[Entries]:
    """Everything that could give something away, in a history that can have happened."""
    link, node = "a-link-canary", NODE
    change = pb.StateChanged(
        node_id=node,
        from_state=pb.CONNECTION_STATE_IDLE,
        to_state=pb.CONNECTION_STATE_INIT,
        link_id=link,
        reason=pb.STATE_CHANGE_REASON_EXPIRED,
    )
    # a field that only a newer version knows: number 99, a text
    change.MergeFromString(bytes.fromhex("9a06") + bytes([14]) + b"future-canary.")
    serial = "5e71a1ca9a47"
    happened = [
        Event(
            replica_started=pb.ReplicaStarted(
                replica_id="host-canary",
                version="1.2.3",
                network_address=NETWORK,
                key_check="key-canary",
            )
        ),
        Event(token_issued=pb.TokenIssued(token_id=TOKEN)),
        Event(
            node_registered=pb.NodeRegistered(
                node_id=node, token_id=TOKEN, certificates=[pb.Certificate(serial=serial)]
            )
        ),
        Event(state_changed=change),
        Event(address_bound=pb.AddressBound(node_id=node, address="172.23.45.7")),
        Event(
            log_repaired=pb.LogRepaired(
                lost_through_seq=3, damage="/srv/canary/log/1.seg", kept_in="kept-canary"
            )
        ),
        Event(digest_recorded=pb.DigestRecorded(seq=2, digest="d19e57" * 10)),
        Event(address_released=pb.AddressReleased(node_id=node, address="172.23.45.7")),
    ]
    who = [f"certificate:admin-canary:{serial}", f"bootstrap:{TOKEN}", f"link:{NODE}", "canary"]
    return [
        [
            Entry(
                actor=who[number % 4],
                method="method-canary",
                request_id=f"{number}-request-canary",
                events=[event],
            )
        ]
        for number, event in enumerate(happened)
    ]


@pytest.mark.parametrize("first", range(8))
def test_nothing_that_should_not_be_known_survives(first: int) -> None:
    """No id, actor, request, serial, path, unknown field or network, in events or in the base."""
    redaction, _, shown = redacted(records_of(story()), first)
    data = b"".join([*encode(redaction.base), *(record.payload for record in shown)])
    for canary in ("canary", NODE[:12], TOKEN[:12], "172.23", "23.45", "5e71a1", "d19e57", "srv"):
        for form in (canary.encode(), canary.encode().hex().encode()):
            assert form not in data
    for binary in (NODE[:12], TOKEN[:12]):
        assert bytes.fromhex(binary) not in data
    assert IPv4Address("172.23.45.7").packed[:3] not in data
    assert b"1.2.3" in data or first  # what may stay is there, so the search can find something


def test_what_cannot_be_read_is_not_given_away() -> None:
    """An event of a newer version is refused, by its number; so are its addresses."""
    start = story()[0]
    for unknown in (
        Event(),
        Event(address_bound=pb.AddressBound(node_id="n", address="nowhere")),
        Event(replica_started=pb.ReplicaStarted(network_address="nowhere")),
    ):
        with pytest.raises(UnknownEvent, match="event 2 "):
            redacted(records_of([start, [Entry(events=[unknown])]]))


prefixes = st.tuples(st.integers(0, 2**32 - 1), st.integers(3, 29)).map(
    lambda both: Network.parse(f"{IPv4Address(both[0] >> 32 - both[1] << 32 - both[1])}/{both[1]}")
)


@given(st.lists(prefixes, min_size=1, max_size=8), st.data())
def test_networks_keep_their_structure(networks: list[Network], data: st.DataObject) -> None:
    """Sizes, which network holds which, and each host's number in each network that holds it."""
    inner = [
        Network(each.base + (size * k) % each.size, 32 - size.bit_length() + 1, each.server)
        for each in networks[:3]
        for size in (8, 16)
        if size < each.size
        for k in [data.draw(st.integers(0, 9))]
    ]
    everywhere = [*networks, *inner]
    relocation = Relocation(map(block_of, everywhere))
    moved = {net: relocation.network(replace(net, server=net.base + 1)) for net in everywhere}
    for one, two in combinations(everywhere, 2):
        for a, b in ((one, two), (two, one)):
            assert _holds(a, b.base) == _holds(moved[a], moved[b].base)
    for net in everywhere:
        hosts = data.draw(st.lists(st.integers(0, net.size - 1), max_size=3))
        assert moved[net].base % net.size == 0
        for host in hosts:
            target = relocation.moved(net.base + host)
            assert target - moved[net].base == host
            for other in everywhere:
                assert _holds(other, net.base + host) == _holds(moved[other], target)


def _holds(network: Network, address: int) -> bool:
    return network.base <= address < network.base + network.size


@settings(max_examples=30)
@given(prefixes)
def test_one_network_goes_to_one_place(network: Network) -> None:
    """Where a network was cannot be told from where it is: alone, it goes to 10.0.0.0."""
    image = Relocation([block_of(network)]).network(network)
    assert image.base == int(IPv4Address("10.0.0.0")) & -network.size
    assert image.prefix_length == network.prefix_length
    assert Relocation([Block(0, 1 << 32)]).moved(17) == 17
    with pytest.raises(KeyError):
        Relocation([block_of(network)]).moved((network.base + network.size) % 2**32)


def test_there_is_room_for_all_there_is() -> None:
    """Where every address is in some network, each network has a place, and no two have one."""
    everything = [Block(n << 24, 1 << 24) for n in range(256)]
    relocation = Relocation(everything)
    assert {relocation.moved(each.base) for each in everything} == {b.base for b in everything}
