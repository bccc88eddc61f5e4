"""Laws about addresses: each has one holder, and stays with it."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface
from itertools import combinations
from typing import Any, Final

from nc.pb import events_pb2 as pb
from nc.testing.contract import operations as ops
from nc.testing.contract.happenings import Restart
from nc.testing.contract.history import History, Observation
from nc.testing.contract.knowledge import Observed, Phase
from nc.testing.contract.laws.law import Evidence, law
from nc.testing.contract.log_walk import walk
from nc.testing.contract.overlay import OVERFLOWING_OCTET, assignable, server_address

_RECLAIMED: Final = pb.ADDRESS_RELEASE_REASON_RECLAIMED


@law()
def no_two_nodes_hold_one_address(observed: Observed) -> Iterator[Evidence]:
    """At no time are two nodes answered the same address, nor are two bound to it in the log."""
    spans = [*_holdings(observed.history)]
    for (node, address, first, last), (other, its_address, begin, end) in combinations(spans, 2):
        if node != other and address == its_address and (begin < last and first < end):
            yield Evidence(False, f"{node} and {other} both hold {address} in round {begin}")
    if len({node for node, *_ in spans}) > 1:
        yield from (Evidence(True, node) for node, *_ in spans)
    for place in walk(observed.history):
        if place.kind == "address_bound" and place.before.holders:
            yield Evidence(place.event.address not in place.before.holders, place)


def _holdings(history: History) -> Iterator[tuple[str, str, int, int]]:
    """Each node, its address, and the first and the last round in which it certainly holds it.

    What is held twice in a row was held in between, but for a handshake: it might have been lost
    and given again.
    """
    spans: dict[str, tuple[str, int, int]] = {}
    for step in history.steps:
        operation: Any = step.operation
        if not isinstance(operation, ops.Query | ops.Handshake):
            continue
        if operation.node == ops.SERVER_NODE:
            continue  # an idle node may still hold what is the server's in a new network
        node, held = operation.node, spans.get(operation.node)
        if held is not None and isinstance(operation, ops.Handshake):
            yield node, *spans.pop(node)
            held = None
        if not step.is_ok or not (address := step.facts.address):
            continue
        if held is not None and held[0] != address:
            yield node, *held
            held = None
        spans[node] = (address, step.round if held is None else held[1], step.round)
    yield from ((node, *held) for node, held in spans.items())


@law()
def an_address_stays_with_its_node(observed: Observed) -> Iterator[Evidence]:
    """Until it is released, a node has the same address, across reconnects and restarts."""
    history = observed.history
    handed = {
        step.operation.node for step in history.steps if isinstance(step.operation, ops.Handshake)
    }
    moved = any(
        isinstance(h.happening, Restart) and h.happening.network for h in history.happenings
    )
    if moved or len(handed) > len(assignable(history.network)) or _is_any_reclaimed(history):
        return  # addresses may have been taken from idle nodes, or be another network's
    known: dict[str, tuple[str, int]] = {}  # and in which round it was answered
    for step, node, phase in observed.nodes:
        if not step.is_ok or phase is not Phase.LIVE:
            continue
        address = step.facts.address
        if address is not None and node in known and step.round > known[node][1]:
            yield Evidence(address == known[node][0], step)
        if address:
            known[node] = (address, step.round)


@law()
def an_address_is_one_for_nodes(observed: Observed) -> Iterator[Evidence]:
    """A node's address is odd, within the network, never .255, and not of the server's pair."""
    network = observed.history.network
    for item in observed.history.items:
        if isinstance(item, Observation):
            happening = item.happening
            network = (isinstance(happening, Restart) and happening.network) or network
        elif isinstance(item.operation, ops.Handshake) and item.is_ok:
            address = item.facts.address or "0.0.0.0"  # noqa: S104 - no address at all
            yield Evidence(_is_for_nodes(IPv4Address(address), network), item)
    for place in walk(observed.history):
        if place.kind == "address_bound":
            bound = IPv4Address(place.event.address)
            yield Evidence(_is_for_nodes(bound, place.background.network), place)


def _is_for_nodes(address: IPv4Address, network: str) -> bool:
    number, server = int(address), int(IPv4Address(server_address(network)))
    is_within = address in IPv4Interface(network).network
    return (
        is_within
        and number % 2 == 1
        and number % 256 != OVERFLOWING_OCTET
        and abs(number - server) > 1
    )


def _is_any_reclaimed(history: History) -> bool:
    events = (event for entry in history.entries for event in entry.events)
    return any(event.address_released.reason == _RECLAIMED for event in events)


@law(needs_log=True)
def the_longest_idle_gives_its_address_up(observed: Observed) -> Iterator[Evidence]:
    """An address is taken only from a node that is idle, and from the one idle longest."""
    for place in walk(observed.history):
        if place.kind == "address_released" and place.event.reason == _RECLAIMED:
            before, background, loser = place.before, place.background, place.event.node_id
            idle = {n: a for a, n in before.holders.items() if n not in before.link_ids}
            network = assignable(background.network)
            good = {n: background.idle_since.get(n, 0) for n, a in idle.items() if a in network}
            holds = loser in idle and (loser not in good or good[loser] == min(good.values()))
            yield Evidence(holds, place)
