"""The laws of a network controller: each with a name, a sentence, and a check on a history.

A check looks for the places in a history where its law has something to say, and yields a finding
for each: how often that was is how often the law was exercised. One that never was has shown
nothing, and is reported, not passed. Most laws need the answers alone; those that look into the log
are not exercised by a target that shows none.

The order is that in which a breach is blamed: the most telling law first, and last the one that
notices everything, since nothing explains the answers.
"""

import re
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Interface
from itertools import combinations
from typing import Any, Final, NamedTuple

from nc.pb import events_pb2 as pb
from nc.testing import model
from nc.testing.certainties import (
    Life,
    Observed,
    caller_of,
    link_states,
)
from nc.testing.enrolments import flaws_of
from nc.testing.expectations import DENIED, MISTAKE, OK
from nc.testing.history import History, Observation, Step
from nc.testing.log_walk import walk
from nc.testing.operations import (
    ADMIN,
    SERVER_NODE,
    CheckHealth,
    CheckState,
    CloseLink,
    Crash,
    GetAddress,
    Handshake,
    IssueToken,
    OpenLink,
    Port,
    Redeem,
    Restart,
    SetExpiries,
    Sweep,
    Unregister,
    Wait,
)
from nc.testing.overlay import OVERFLOWING_OCTET, assignable, server_address


class Finding(NamedTuple):
    """A place where a law had something to say."""

    holds: bool
    place: object  # the step, or the event; its text names it


Check = Callable[[Observed], Iterator[Finding]]


class Law(NamedTuple):
    """What always holds.

    Attributes:
        name: the law in a few words.
        sentence: the law.
        check: finds where it had something to say.
        needs_log: whether answers alone do not exercise it.
    """

    name: str
    sentence: str
    check: Check
    needs_log: bool

    def __str__(self) -> str:
        return self.name


_LAWS: list[Law] = []


def _law(*, needs_log: bool = False) -> Callable[[Check], Check]:
    """A law: its name is the function's, its sentence the docstring."""

    def declare(check: Check) -> Check:
        name = re.sub(r"_s\b", "'s", check.__name__.replace("_s_", "'s_")).replace("_", " ")
        sentence = " ".join((check.__doc__ or "").split())
        _LAWS.append(Law(name, sentence, check, needs_log))
        return check

    return declare


# The process


@_law()
def the_server_starts_again(seen: Observed) -> Iterator[Finding]:
    """Nothing that it is asked ends the server; after a crash or a stop it starts again."""
    for happened in seen.history.happenings:
        if isinstance(happened.happening, Crash | Restart):
            yield Finding(True, happened)
    if seen.history.end:
        yield Finding(False, f"the end: {seen.history.end}")


# Tokens


@_law()
def an_acknowledged_enrolment_is_never_forgotten(seen: Observed) -> Iterator[Finding]:
    """A node that was told its token is known from then on, whatever happens to the server."""
    for step, _, life in seen.nodes:
        if isinstance(step.operation, CheckState | GetAddress) and life is Life.LIVE:
            yield Finding(step.is_ok or step.code == DENIED, step)


@_law()
def unregister_is_final(seen: Observed) -> Iterator[Finding]:
    """Once UnRegister was answered, every use of the node's token is refused, for ever."""
    for step, _, life in seen.nodes:
        if life is Life.GONE and not isinstance(step.operation, CloseLink):
            yield Finding(not step.is_ok, step)


@_law()
def an_expired_node_token_is_refused(seen: Observed) -> Iterator[Finding]:
    """From the very moment on at which a node's token expires, it opens nothing."""
    for step, _, life in seen.nodes:
        is_use = isinstance(step.operation, CheckState | GetAddress | OpenLink | Handshake)
        if life is Life.EXPIRED and is_use:
            yield Finding(not step.is_ok, step)


@_law()
def a_later_expiry_revives_a_node(seen: Observed) -> Iterator[Finding]:
    """A node that had expired is let in again as soon as it is given a later expiry."""
    expired: set[str] = set()
    for step, node, life in seen.nodes:
        if life is Life.EXPIRED:
            expired.add(node)
        elif life is Life.LIVE and node in expired and isinstance(step.operation, CheckState):
            yield Finding(step.is_ok, step)


@_law()
def an_expired_bootstrap_token_is_refused(seen: Observed) -> Iterator[Finding]:
    """From the very moment on at which a bootstrap token expires, it lets nobody in."""
    for step, _, life in seen.bootstrap_tokens:
        if life is Life.EXPIRED:
            yield Finding(not step.is_ok, step)


@_law()
def a_bootstrap_token_serves_until_it_expires(seen: Observed) -> Iterator[Finding]:
    """Until it expires, a bootstrap token lets any number of nodes in, across restarts too."""
    for step, _, life in seen.bootstrap_tokens:
        if life is Life.LIVE:
            yield Finding(step.is_ok, step)


@_law()
def a_token_that_was_never_issued_is_refused(seen: Observed) -> Iterator[Finding]:
    """What no answer ever gave as a token is none."""
    for step, name, life in (*seen.bootstrap_tokens, *seen.nodes):
        if (
            life is Life.UNKNOWN
            and name != SERVER_NODE
            and not isinstance(step.operation, CloseLink)
        ):
            yield Finding(not step.is_ok, step)


@_law()
def a_lifetime_is_at_most_ten_years(seen: Observed) -> Iterator[Finding]:
    """A bootstrap token may be asked for with up to ten years of minutes, not with one more."""
    for step in seen.history.of(IssueToken):
        operation: Any = step.operation
        if caller_of(step) == ADMIN:
            yield Finding(step.is_ok == (operation.minutes <= model.TEN_YEARS_MINUTES), step)


@_law()
def every_token_is_new(seen: Observed) -> Iterator[Finding]:
    """A token is 16 hex digits, and never one that was handed out before."""
    known: set[str] = set()
    for step in seen.history.of(IssueToken, Redeem):
        if step.answer is not None and step.is_ok:
            token = step.answer.token
            yield Finding(bool(_TOKEN.fullmatch(token)) and token not in known, step)
            known.add(token)


_TOKEN: Final = re.compile(r"[0-9a-f]{16}")


@_law()
def an_enrolment_s_certificates_are_usable(seen: Observed) -> Iterator[Finding]:
    """GetToken answers two sets, each with a client certificate for a year that its CA signed."""
    for step in seen.history.of(Redeem):
        if step.answer is not None and step.is_ok:
            sets = step.answer.certificates
            flaws = [flaw for certificates in sets for flaw in flaws_of(certificates)]
            yield Finding(len(sets) == _SETS and not flaws, f"{step}: {', '.join(flaws)}")


_SETS: Final = 2  # gRPC, network


@_law()
def a_list_is_applied_as_a_whole_or_not_at_all(seen: Observed) -> Iterator[Finding]:
    """What UpdateSensorExpireTime refused changed no node of the list; what it took, each."""
    open_lists: dict[str, Step] = {}
    for step, node, life in seen.nodes:
        if isinstance(step.operation, SetExpiries):
            open_lists[node] = step
        elif isinstance(step.operation, CheckState) and node in open_lists:
            said = open_lists.pop(node)
            if said.round < step.round and life in {Life.LIVE, Life.EXPIRED}:
                holds = step.code == DENIED or step.is_ok == (life is Life.LIVE)
                yield Finding(holds, f"{step}, after {said}")


# Addresses and links


@_law()
def no_two_nodes_hold_one_address(seen: Observed) -> Iterator[Finding]:
    """At no time are two nodes told the same address, nor are two bound to it in the log."""
    spans = [*_holdings(seen.history)]
    for (node, address, first, last), (other, its_address, begin, end) in combinations(spans, 2):
        if node != other and address == its_address and (begin < last and first < end):
            yield Finding(False, f"{node} and {other} both hold {address} in round {begin}")
    if len({node for node, *_ in spans}) > 1:
        yield from (Finding(True, node) for node, *_ in spans)
    if seen.history.log is not None:
        for place in walk(seen.history.log.entries):
            if place.kind == "address_bound" and place.before.held:
                yield Finding(place.event.address not in place.before.held.values(), place)


def _holdings(history: History) -> Iterator[tuple[str, str, int, int]]:
    """Nodes, their addresses, and rounds from which to which they surely hold them.

    What is held twice in a row was held in between, but for a handshake: it might have been lost
    and given again.
    """
    spans: dict[str, tuple[str, int, int]] = {}
    for step in history.steps:
        operation: Any = step.operation
        if not isinstance(operation, CheckState | GetAddress | Handshake):
            continue
        if operation.node == SERVER_NODE:
            continue  # an idle node may still hold what is the server's in a new network
        node, held = operation.node, spans.get(operation.node)
        if held is not None and isinstance(operation, Handshake):
            yield node, *spans.pop(node)
            held = None
        if step.answer is None or not step.is_ok or not (address := step.answer.facts.address):
            continue
        if held is not None and held[0] != address:
            yield node, *held
            held = None
        spans[node] = (address, step.round if held is None else held[1], step.round)
    yield from ((node, *held) for node, held in spans.items())


@_law()
def an_address_stays_with_its_node(seen: Observed) -> Iterator[Finding]:
    """Until it is released, a node has the same address, across reconnects and restarts."""
    history = seen.history
    handed = {
        step.operation.node for step in history.steps if isinstance(step.operation, Handshake)
    }
    moved = any(
        isinstance(h.happening, Restart) and h.happening.network for h in history.happenings
    )
    if moved or len(handed) > len(assignable(history.network)):
        return  # addresses may have been taken from idle nodes, or be another network's
    known: dict[str, tuple[str, int]] = {}  # and in which round it was told
    for step, node, life in seen.nodes:
        if step.answer is None or not step.is_ok or life is not Life.LIVE:
            continue
        address = step.answer.facts.address
        if address is not None and node in known and step.round > known[node][1]:
            yield Finding(address == known[node][0], step)
        if address:
            known[node] = (address, step.round)


@_law()
def an_address_is_one_for_nodes(seen: Observed) -> Iterator[Finding]:
    """A node's address is odd, within the network, never .255, and not of the server's pair."""
    network = seen.history.network
    for item in seen.history.items:
        if isinstance(item, Observation):
            happening = item.happening
            network = (isinstance(happening, Restart) and happening.network) or network
        elif isinstance(item.operation, Handshake) and item.is_ok and item.answer is not None:
            address = item.answer.facts.address or "0.0.0.0"  # noqa: S104 - no address at all
            yield Finding(_is_for_nodes(IPv4Address(address), network), item)


def _is_for_nodes(address: IPv4Address, network: str) -> bool:
    number, server = int(address), int(IPv4Address(server_address(network)))
    is_within = address in IPv4Interface(network).network
    return (
        is_within
        and number % 2 == 1
        and number % 256 != OVERFLOWING_OCTET
        and abs(number - server) > 1
    )


@_law()
def connected_means_one_live_link(seen: Observed) -> Iterator[Finding]:
    """A node is CONNECTED or INIT just as long as its newest link lives, and IDLE without.

    Its own end sees the same: every other link of it has been closed.
    """
    for step, state, was_closed_late in _states(seen):
        if not was_closed_late:
            yield Finding(step.answer is not None and step.answer.facts.state == state, step)
    for step, _, life in seen.nodes:
        is_known = life is Life.GONE or (life is Life.LIVE and step.is_ok)
        if isinstance(step.operation, CheckState) and step.answer is not None and is_known:
            links, told = step.answer.links, step.answer.facts.state
            if links is not None and told is not None:
                yield Finding(links in _LINKS_AT_ITS_END.get(told, {0}), step)


_LINKS_AT_ITS_END: Final = {model.CONNECTED: {1}, model.INIT: {0, 1}}  # INIT outlives a refusal


@_law()
def an_old_link_s_end_does_not_touch_a_newer_one(seen: Observed) -> Iterator[Finding]:
    """The newer link wins, and what is heard late of the older one changes nothing."""
    for step, state, was_closed_late in _states(seen):
        if was_closed_late:
            yield Finding(step.answer is not None and step.answer.facts.state == state, step)


def _states(seen: Observed) -> Iterator[tuple[Step, int, bool]]:
    """Each answer about a live node's state, and the state that its link must have."""
    asked: dict[str, set[int]] = {}
    for step, node, life in seen.nodes:
        if isinstance(step.operation, CheckState) and life is Life.LIVE and step.is_ok:
            asked.setdefault(node, set()).add(step.number)
    for node, numbers in asked.items():
        for step, link in link_states(seen.history, node):
            if step.number in numbers and link.state is not None:
                yield step, link.state, link.closed_late


@_law()
def no_link_outlives_its_server(seen: Observed) -> Iterator[Finding]:
    """After a crash or a restart every node is IDLE until it connects again."""
    opened = _rounds_with_new_links(seen)
    fresh: dict[str, bool] = {}
    for item in seen.history.items:
        if isinstance(item, Observation):
            if not isinstance(item.happening, Wait):
                fresh = dict.fromkeys(fresh, True)
        elif isinstance(item.operation, OpenLink):
            fresh[item.operation.node] = False
        elif (
            isinstance(item.operation, CheckState)
            and fresh.get(item.operation.node)
            and (item.operation.node, item.round) not in opened
            and item.answer is not None
            and item.is_ok
        ):
            yield Finding(item.answer.facts.state == model.IDLE, item)


def _rounds_with_new_links(seen: Observed) -> set[tuple[str, int]]:
    """Nodes, and the rounds in which they may have got a new link."""
    operations = ((step.operation, step.round) for step in seen.history.steps)
    return {(o.node, number) for o, number in operations if isinstance(o, OpenLink)}


@_law()
def expiry_cuts_a_link_for_good(seen: Observed) -> Iterator[Finding]:
    """A node that expired is IDLE when it is revived, until it connects again.

    The sweep has closed its link.
    """
    for swept in seen.history.of(Sweep):
        if swept.answer is not None and swept.answer.links is not None:
            yield Finding(swept.answer.links == 0, swept)
    opened = _rounds_with_new_links(seen)
    refused_ms: dict[str, int] = {}  # when a node was last known to have expired
    for step, node, life in seen.nodes:
        if isinstance(step.operation, OpenLink):
            refused_ms.pop(node, None)
        elif life is Life.EXPIRED:
            refused_ms[node] = step.moment.latest_ms
        elif (
            life is Life.LIVE
            and isinstance(step.operation, CheckState)
            and step.is_ok
            and (node, step.round) not in opened
            # a clock that was set back would have revived it, too
            and refused_ms.get(node, step.moment.latest_ms + 1) <= step.moment.earliest_ms
        ):
            holds = step.answer is not None and step.answer.facts.state == model.IDLE
            yield Finding(holds, step)


# Answers


@_law()
def the_server_s_own_node_is_fixed(seen: Observed) -> Iterator[Finding]:
    """`reserverd` is CONNECTED at the server's overlay address, and cannot be removed."""
    for step in seen.history.of(CheckState, GetAddress, Unregister, SetExpiries):
        operation: Any = step.operation
        facts = step.answer.facts if step.answer is not None else None
        if isinstance(operation, SetExpiries):
            if any(node == SERVER_NODE for node, _ in operation.expiries):
                yield Finding(not step.is_ok, step)
        elif operation.node == SERVER_NODE and isinstance(operation, Unregister):
            yield Finding(step.code == MISTAKE and facts is not None and not facts.result, step)
        elif operation.node == SERVER_NODE and facts is not None and step.code != DENIED:
            states = {None, model.CONNECTED}
            yield Finding(step.is_ok and facts.state in states and bool(facts.address), step)


@_law()
def answers_do_not_differ_by_port(seen: Observed) -> Iterator[Finding]:
    """What both ports offer, both answer alike."""
    before: Step | None = None
    for step in seen.history.of(Redeem, CheckHealth):
        if caller_of(step) not in {"", ADMIN}:
            continue
        if before is not None and _asks_at_other_port(step, before):
            yield Finding(step.code == before.code and _says(step) == _says(before), step)
        before = step


def _asks_at_other_port(step: Step, before: Step) -> bool:
    """Whether it asks the same as the step right before it, of the other port."""
    return (
        step.round == before.round + 1
        and _port(step) is not _port(before)
        and _without_port(step) == _without_port(before)
        and step.reason == before.reason
    )


def _port(step: Step) -> Port:
    operation: Any = step.operation
    return Port(operation.port)


def _without_port(step: Step) -> tuple[object, ...]:
    operation: Any = step.operation
    return type(operation), getattr(operation, "token", None)


def _says(step: Step) -> str:
    return step.answer.message if step.answer is not None else ""


@_law()
def who_may_call_what(seen: Observed) -> Iterator[Finding]:
    """A node's certificate opens its own affairs, and nothing once the node is gone or expired."""
    for step, node, life in seen.callers:
        operation: Any = step.operation
        is_admins = isinstance(operation, IssueToken | SetExpiries)
        is_anothers = isinstance(operation, Unregister) and operation.node != node
        if life in {Life.GONE, Life.EXPIRED} or is_admins or is_anothers:
            yield Finding(step.code == DENIED, step)
        elif life is Life.LIVE:
            yield Finding(step.code != DENIED, step)
    for step in seen.history.of(IssueToken, CheckState, Unregister, SetExpiries):
        if caller_of(step) == ADMIN:
            yield Finding(step.code != DENIED, step)


@_law()
def every_mistake_has_its_own_message(seen: Observed) -> Iterator[Finding]:
    """Success says `ok`; an empty, a malformed, an unknown and an expired token each read apart."""
    meanings: dict[str, str] = {}
    for step in seen.history.steps:
        if step.answer is None or not hasattr(step.operation, "caller"):
            continue
        message = step.answer.message
        if step.is_ok:
            yield Finding(message == "ok", step)
        elif step.reason.startswith("BootstrapToken"):
            yield Finding(meanings.setdefault(message, step.reason) == step.reason, step)
        else:
            yield Finding(bool(message), step)


@_law()
def no_message_holds_a_token(seen: Observed) -> Iterator[Finding]:
    """What is said for people to read never gives a token or a key away."""
    secrets = seen.history.secrets()
    for step in seen.history.steps:
        if step.answer is not None and step.answer.message:
            message = step.answer.message
            is_clean = "PRIVATE KEY" not in message and not any(s in message for s in secrets)
            yield Finding(is_clean, step)


@_law()
def codes_are_the_contract_s(seen: Observed) -> Iterator[Finding]:
    """A client is told 200 or 400, or denied; 500 and everything else is the server's own fault."""
    for step in seen.history.steps:
        if step.answer is not None:
            yield Finding(step.code in {OK, MISTAKE, DENIED}, step)


# The log


@_law(needs_log=True)
def a_refused_command_changes_nothing(seen: Observed) -> Iterator[Finding]:
    """What was refused, and what only asked, left no event."""
    left = _events_by_request(seen)
    for step in seen.history.steps if left is not None else ():
        is_query = isinstance(step.operation, CheckState | GetAddress | CheckHealth)
        if left is not None and step.answer is not None and (is_query or not step.is_ok):
            yield Finding(not left.get(step.request_id), step)


@_law(needs_log=True)
def an_acknowledged_change_is_in_the_log_once(seen: Observed) -> Iterator[Finding]:
    """What was answered with success left the events that the contract lists, just once."""
    left = _events_by_request(seen)
    for step in seen.history.steps if left is not None else ():
        wanted = _EVENTS.get(type(step.operation))
        if left is not None and step.is_ok and wanted is not None:
            kinds = left.get(step.request_id, [])
            yield Finding(kinds.count(wanted) == 1 and len(kinds) <= _MOST_EVENTS, step)


_EVENTS: Final = {
    IssueToken: "token_issued",
    Redeem: "node_registered",
    Unregister: "unregistered",
    Handshake: "state_changed",
}
_MOST_EVENTS: Final = 4  # an address moves twice, is bound, and the state changes


def _events_by_request(seen: Observed) -> dict[str, list[str]] | None:
    if seen.history.log is None:
        return None
    found: dict[str, list[str]] = {}
    for entry in seen.history.log.entries:
        kinds = [event.WhichOneof("kind") or "" for event in entry.events]
        found.setdefault(entry.request_id, []).extend(kinds)
    return found


_MOVES: Final = {
    (pb.CONNECTION_STATE_IDLE, pb.CONNECTION_STATE_INIT),
    (pb.CONNECTION_STATE_INIT, pb.CONNECTION_STATE_CONNECTED),
    (pb.CONNECTION_STATE_INIT, pb.CONNECTION_STATE_IDLE),
    (pb.CONNECTION_STATE_CONNECTED, pb.CONNECTION_STATE_IDLE),
}


@_law(needs_log=True)
def states_move_along_the_machine(seen: Observed) -> Iterator[Finding]:
    """IDLE to INIT to CONNECTED, and back to IDLE: each change begins where the last one ended."""
    if seen.history.log is None:
        return
    for place in walk(seen.history.log.entries):
        if place.kind == "state_changed":
            event = place.event
            idle = (pb.CONNECTION_STATE_IDLE, event.link_id)
            was, link = place.before.links.get(event.node_id, idle)
            is_move = (event.from_state, event.to_state) in _MOVES
            yield Finding(is_move and event.from_state == was and event.link_id == link, place)


@_law(needs_log=True)
def who_is_gone_holds_nothing(seen: Observed) -> Iterator[Finding]:
    """A node that is unregistered has no link and no address, and nothing happens to it again."""
    if seen.history.log is None:
        return
    for place in walk(seen.history.log.entries):
        node_id = getattr(place.event, "node_id", None)
        if node_id is not None:
            before = place.before
            is_first = place.kind == "node_registered"
            yield Finding(node_id not in before.left, place)
            yield Finding(is_first != (node_id in before.nodes), place)
            if place.kind == "unregistered":
                yield Finding(node_id not in before.links and node_id not in before.held, place)


@_law(needs_log=True)
def the_longest_idle_gives_its_address_up(seen: Observed) -> Iterator[Finding]:
    """An address is taken only from a node that is idle, and from the one idle longest."""
    if seen.history.log is None:
        return
    for place in walk(seen.history.log.entries):
        reclaimed = pb.ADDRESS_RELEASE_REASON_RECLAIMED
        if place.kind == "address_released" and place.event.reason == reclaimed:
            before, loser = place.before, place.event.node_id
            idle = {n: before.idle_since.get(n, 0) for n in before.held if n not in before.links}
            network = _network_in_force(place.entry, seen)
            good = {n: since for n, since in idle.items() if before.held[n] in network}
            holds = loser in idle and (loser not in good or good[loser] == min(good.values()))
            yield Finding(holds, place)


def _network_in_force(entry: pb.Entry, seen: Observed) -> list[str]:
    """The addresses for nodes of the network that the last start before an entry named."""
    network = seen.history.network
    for earlier in seen.history.log.entries if seen.history.log is not None else ():
        if earlier is entry:
            break
        for event in earlier.events:
            if event.HasField("replica_started"):
                network = event.replica_started.network_address
    return assignable(network)


@_law(needs_log=True)
def only_dead_tokens_are_forgotten(seen: Observed) -> Iterator[Finding]:
    """The sweep lets go of bootstrap tokens that have expired, and of no others."""
    if seen.history.log is None:
        return
    for place in walk(seen.history.log.entries):
        if place.kind == "token_expired":
            expires_at_ms = place.before.tokens.get(place.event.token_id, 0)
            now_ms = place.entry.recorded_at_ns // 1_000_000
            yield Finding(0 < expires_at_ms <= now_ms, place)


@_law(needs_log=True)
def replay_equals_live(seen: Observed) -> Iterator[Finding]:
    """Reading the log from its beginning gives the state that is serving."""
    log = seen.history.log
    if log is not None and log.live_digest is not None:
        yield Finding(log.live_digest == log.replayed_digest, "the end of the history")


# Everything


@_law()
def answers_are_never_stale(seen: Observed) -> Iterator[Finding]:
    """An answer is never older than what was acknowledged before the question was asked."""
    is_known = False
    for number, steps in seen.history.rounds():
        if all(isinstance(step.operation, CheckState | GetAddress) for step in steps):
            if is_known:
                yield Finding(number != seen.history.stale, _round(steps))
        else:
            is_known = is_known or any(step.is_ok for step in steps)


@_law()
def some_order_of_the_commands_explains_every_answer(seen: Observed) -> Iterator[Finding]:
    """What ran at the same time took effect in some order, each doing what the contract says."""
    for number, steps in seen.history.rounds():
        yield Finding(number != seen.history.unexplained, _round(steps))


def _round(steps: list[Step]) -> str:
    return "; ".join(map(str, steps))


LAWS: Final = tuple(_LAWS)
