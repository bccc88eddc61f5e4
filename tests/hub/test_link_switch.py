"""The switch against a model that says in the plainest way where a frame goes."""

from collections import Counter
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.hub.ports import MAX_QUEUED_BYTES, Drop
from nc.hub.switch import Switch
from nc.net.wire import PLAIN_VNET_HEADER
from tests.hub.switch_model import (
    NETWORK,
    NODES,
    SENDERS,
    UPLINK,
    End,
    bench,
    expected,
    in_frame,
    is_no_host,
    packets,
)
from tests.support.link_client import packet


@given(
    st.lists(
        SENDERS.flatmap(
            lambda s: st.tuples(st.just(s), st.lists(packets(s), min_size=1, max_size=6))
        ),
        max_size=8,
    ),
    st.booleans(),
    st.booleans(),
    st.sets(st.sampled_from((*NODES, UPLINK))),
    st.sets(st.sampled_from((*NODES, UPLINK))),
)
def test_the_switch_does_what_the_model_says(
    sent: list[tuple[str, list[bytes]]],
    interconnection: bool,
    has_uplink: bool,
    offloads: set[str],
    slow: set[str],
) -> None:
    """Each packet gets to the one end that the model names, as that end wants it, or is counted.

    And nothing is lost or made: what came in is what went out and what was dropped. With offloads
    packets share frames, those that follow each other to the same end.
    """
    here = bench(interconnection=interconnection, offloads=tuple(offloads), uplink=has_uplink)
    for name in slow & here.ends.keys():
        here.ends[name].waiting_bytes = MAX_QUEUED_BYTES
    wanted: dict[str, list[bytes]] = {name: [] for name in here.ends}
    drops: Counter[Drop] = Counter()
    came = Counter[str]()
    for sender, contents in sent:
        if sender not in here.ends:
            continue
        frames = [here.ends[sender].frame(content) for content in contents]
        before = ""
        for frame in [b"".join(frames)] if sender in offloads else frames:
            here.send(sender, frame)
            for content in in_frame(frame) if sender in offloads else [frame]:
                came[sender] += 1
                came["bytes"] += len(content)
                outcome = expected(here, sender, content, interconnection=interconnection)
                if isinstance(outcome, Drop):
                    drops[outcome] += 1
                elif sender in offloads and outcome in offloads and outcome == before:
                    wanted[outcome][-1] += here.ends[outcome].frame(content)
                elif sender not in offloads and outcome in offloads:
                    total = int.from_bytes(content[2:4])
                    wanted[outcome].append(here.ends[outcome].frame(content[:total]))
                else:
                    wanted[outcome].append(here.ends[outcome].frame(content))
                before = outcome
    assert {name: end.got for name, end in here.ends.items()} == wanted
    assert here.switch.drops == drops
    ports = {name: end.port for name, end in here.ends.items()}
    assert sum((port.drops for port in ports.values()), Counter()) == drops
    bytes_in = came.pop("bytes", 0)
    assert sum(port.bytes_in for port in ports.values()) == bytes_in
    assert {name: port.packets_in for name, port in ports.items() if port.packets_in} == came
    assert sum(port.packets_out for port in ports.values()) == came.total() - drops.total()
    for name, end in here.ends.items():
        split = [in_frame(frame) if name in offloads else [frame] for frame in end.got]
        assert end.port.packets_out == sum(map(len, split))
        assert end.port.bytes_out == sum(len(content) for group in split for content in group)


@given(st.binary(max_size=120), st.booleans())
def test_whatever_comes_is_forwarded_or_counted_once(frame: bytes, offloads: bool) -> None:
    """No bytes at all make the switch fail, offload headers included."""
    here = bench(offloads=NODES[:1] if offloads else ())
    here.send(NODES[0], frame)
    came, dropped = here.ends[NODES[0]].port.packets_in, here.switch.drops.total()
    assert came >= max(dropped, 1)
    assert (dropped < came) == any(end.got for end in here.ends.values())


def test_a_super_packet_is_cut_for_who_cannot_take_it_and_untouched_for_who_can() -> None:
    """Between two ends with offloads not a byte changes; a plain one gets whole packets."""
    tcp = packet(*NODES[:2], bytes(12) + b"\x50\x18" + bytes(6) + b"x" * 1000)
    tcp = tcp[:9] + b"\x06" + tcp[10:]
    super_packet = b"\x01\x01\x28\x00\x90\x01\x14\x00\x10\x00" + tcp  # TCPv4, segments of 400 bytes
    both = bench(offloads=NODES[:2])
    both.send(NODES[0], super_packet)
    assert both.ends[NODES[1]].got == [super_packet]
    one = bench(offloads=NODES[:1])
    one.send(NODES[0], super_packet)
    got = one.ends[NODES[1]].got
    assert [len(content) for content in got] == [440, 440, 240]
    assert b"".join(content[40:] for content in got) == b"x" * 1000


@pytest.mark.parametrize("receiver_offloads", [False, True])
@pytest.mark.parametrize(
    "header",
    [
        b"\x01\x01" + bytes(8),  # segments of no bytes
        b"\x01\x01\x28\x00\x08\x00\x14\x00\x10\x00",  # of 8: thousands of them
        b"\x01\x03\x28\x00\x90\x01\x14\x00\x10\x00",  # of UDP
        b"\x01\x00\x00\x00\x00\x00\x0c\x00\x00\x00",  # a checksum over the source address
        b"\x01\x00\x00\x00\x00\x00\x14\x00\x3b\x00",  # and one half behind the packet
    ],
)
def test_an_offload_header_that_does_harm_is_counted(
    header: bytes, receiver_offloads: bool
) -> None:
    """It reaches nobody's kernel; it is the sender's fault, and its neighbours' packets arrive."""
    here = bench(offloads=NODES[: 1 + receiver_offloads])
    good = packet(*NODES[:2], b"good")
    bad = header + packet(*NODES[:2], bytes(60))
    here.send(NODES[0], PLAIN_VNET_HEADER + good + bad + PLAIN_VNET_HEADER + good)
    assert here.switch.drops == {Drop.BAD_OFFLOAD: 1}
    assert here.ends[NODES[0]].port.drops == {Drop.BAD_OFFLOAD: 1}
    arrived = b"".join(here.ends[NODES[1]].got)
    assert arrived == 2 * ((PLAIN_VNET_HEADER if receiver_offloads else b"") + good)


def test_a_late_detach_of_an_old_port_leaves_the_new_one() -> None:
    """A port that was replaced cannot take its successor away."""
    here = bench()
    newer = End(address=NODES[1])
    here.switch.attach(newer.port)
    here.switch.detach(here.ends[NODES[1]].port)
    here.send(NODES[0], packet(*NODES[:2]))
    assert (newer.got, here.ends[NODES[1]].got) == ([packet(*NODES[:2])], [])
    here.switch.detach(newer.port)
    here.send(NODES[0], packet(*NODES[:2]))
    assert here.switch.drops == {Drop.NOBODY_THERE: 1}


def test_the_uplink_comes_and_goes() -> None:
    """What is for the server goes to the uplink as long as there is one."""
    here = bench()
    here.switch.detach_uplink()
    here.send(NODES[0], packet(NODES[0], "10.1.1.1"))
    assert here.switch.drops == {Drop.NO_UPLINK: 1}


def test_a_port_without_an_address_is_no_nodes() -> None:
    """Only a port with an address can be attached as a node's."""
    with pytest.raises(ValueError, match="address"):
        Switch(NETWORK).attach(End().port)


OUTSIDE = st.ip_addresses(v=4).filter(lambda address: address not in IPv4Network("10.1.1.0/24"))
NETWORKS = st.builds(
    lambda address, length: IPv4Network((address, length), strict=False),
    st.ip_addresses(v=4),
    st.integers(0, 32),
)


@given(OUTSIDE, st.lists(NETWORKS, max_size=4), st.booleans())
def test_a_node_reaches_beyond_the_network_only_what_is_allowed(
    destination: IPv4Address, allowed: list[IPv4Network], interconnection: bool
) -> None:
    """With no list: nothing; with one: what is in it and is one machine's address."""
    switch = Switch(NETWORK, interconnection=interconnection, destinations=allowed)
    node, uplink = End(address=NODES[0]), End()
    switch.attach(node.port)
    switch.attach_uplink(uplink.port)
    content = packet(NODES[0], str(destination))
    switch.receive(node.port, content)
    may = any(destination in network for network in allowed) and not is_no_host(destination)
    assert uplink.got == ([content] if may else [])
    refusal = Drop.NOT_UNICAST if is_no_host(destination) else Drop.NOT_ALLOWED
    assert switch.drops == ({} if may else {refusal: 1})


@pytest.mark.parametrize("interconnection", [False, True])
def test_the_servers_own_address_is_always_reached(interconnection: bool) -> None:
    """Without any `--allow-destination`, and it answers."""
    switch = Switch(NETWORK, interconnection=interconnection)
    node, uplink = End(address=NODES[0]), End()
    switch.attach(node.port)
    switch.attach_uplink(uplink.port)
    switch.receive(node.port, packet(NODES[0], "10.1.1.1"))
    switch.receive(uplink.port, packet("10.1.1.1", NODES[0]))
    assert (len(uplink.got), len(node.got), switch.drops) == (1, 1, {})
