"""Laws about addresses: each has one holder, and stays with it."""

from collections.abc import Collection, Iterator
from ipaddress import IPv4Address, IPv4Interface
from itertools import combinations
from typing import Any, Final

from nc.pb import events_pb2 as pb
from nc.testing.contract import administration as adm
from nc.testing.contract import operations as ops
from nc.testing.contract.happenings import Restart
from nc.testing.contract.history import History, Observation, Step
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
            node_id = place.event.node_id  # which may hold it, and keep it from now on
            holder = place.before.holders.get(place.event.address, node_id)
            yield Evidence(holder == node_id, place)


def _holdings(history: History) -> Iterator[tuple[str, str, int, int]]:
    """Each node, its address, and the first and the last round in which it certainly holds it.

    What is held twice in a row was held in between, but for a handshake: it might have been lost
    and given again. Agents' handshakes are no steps.
    """
    may_have_been_lost = history.is_cluster and _is_any_reclaimed(history)
    spans: dict[str, tuple[str, int, int]] = {}
    for step in history.steps:
        operation: Any = step.operation
        if isinstance(operation, adm.AssignAddress) and operation.node in spans:
            yield operation.node, *spans.pop(operation.node)
        if not isinstance(operation, ops.Query | ops.Handshake):
            continue
        if operation.node == ops.SERVER_NODE:
            continue  # an idle node may still hold what is the server's in a new network
        node, held = operation.node, spans.get(operation.node)
        if held is not None and (may_have_been_lost or isinstance(operation, ops.Handshake)):
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
        step.operation.node
        for step in history.steps
        if isinstance(step.operation, ops.Handshake | adm.AssignAddress)
    }
    moved = any(
        isinstance(h.happening, Restart) and h.happening.network for h in history.happenings
    )
    if moved or len(handed) > len(assignable(history.network)) or _is_any_reclaimed(history):
        return  # addresses may have been taken from idle nodes, or be another network's
    known: dict[str, tuple[str, int]] = {}  # and in which round it was answered
    given = _rounds_of_other_addresses(history)
    for step, node, phase in observed.nodes:
        rounds = given.get(node, ())
        if node in known and any(known[node][1] <= each <= step.round for each in rounds):
            del known[node]
        if step.is_ok and phase is Phase.LIVE and step.round not in rounds:
            yield from _same_address(known, step, node)


def _rounds_of_other_addresses(history: History) -> dict[str, Collection[int]]:
    """The rounds in which a node was perhaps given another address.

    One that was not answered may be carried out at any later time.
    """
    found: dict[str, Collection[int]] = {}
    for step in history.steps:
        if isinstance(step.operation, adm.AssignAddress):
            last = step.round if step.answer is not None else history.steps[-1].round
            rounds = found.get(step.operation.node, ())
            found[step.operation.node] = {*rounds, *range(step.round, last + 1)}
    return found


def _same_address(known: dict[str, tuple[str, int]], step: Step, node: str) -> Iterator[Evidence]:
    """Whether a node has the address that is known, which is learned."""
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
    """An address is taken from the node idle longest, if it is so for long, and none else."""
    for place in walk(observed.history):
        if place.kind == "address_released" and place.event.reason == _RECLAIMED:
            before, background, loser = place.before, place.background, place.event.node_id
            if loser in before.identities.assigned:
                continue  # another law's
            own = before.own.values()  # of servers
            nodes = {n: a for a, n in before.holders.items() if a not in own}
            idle = {n: a for n, a in nodes.items() if n not in before.link_ids}
            network = assignable(background.network)
            now_ms = place.entry.recorded_at_ns // 1_000_000
            after_ms = observed.history.limits.reclaim_after_ms
            good = {}
            for node, address in idle.items():
                seq, at_ms = background.idle_since.get(node, (0, 0))
                is_long = max(0, now_ms - at_ms) >= after_ms
                if address in network and is_long and node not in before.identities.assigned:
                    good[node] = seq
            yield Evidence(loser in good and good[loser] == min(good.values()), place)


@law(needs_log=True)
def an_assigned_address_stays(observed: Observed) -> Iterator[Evidence]:
    """What an operator chose for a node is not taken for another one, however long it is idle."""
    for place in walk(observed.history):
        identities = place.before.identities
        if place.kind == "address_released" and identities.assigned:
            yield Evidence(identities.fault(place.kind, place.event) is None, place)


@law(needs_log=True)
def a_crowd_of_newcomers_takes_nothing_away(observed: Observed) -> Iterator[Evidence]:
    """A newcomer takes no address of others once its token has enrolled its share in a day."""
    after_ms = observed.history.limits.reclaim_after_ms
    taker = ""
    for place in walk(observed.history) if after_ms else ():
        if place.kind == "address_released" and place.event.reason == _RECLAIMED:
            taker = place.entry.request_id
        elif place.kind == "address_bound" and place.entry.request_id == taker:
            node, background = place.event.node_id, place.background
            share = max(1, IPv4Interface(background.network).network.num_addresses // _SHARE)
            yield Evidence(node in background.linked or background.ranks[node] <= share, place)


_SHARE: Final = 8  # a quarter of the slots, which are half of the addresses
