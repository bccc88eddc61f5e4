"""Laws about nc.node.v1 and certificates: attempts, keys, renewals, facts, imported nodes."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from nc.testing.contract import administration as adm
from nc.testing.contract import enrolment as enr
from nc.testing.contract import operations as ops
from nc.testing.contract.certificates import common_names, flaws_of, serial_and_end
from nc.testing.contract.history import Step
from nc.testing.contract.knowledge import Observed, Phase
from nc.testing.contract.laws.law import Evidence, law
from nc.testing.contract.log_walk import walk
from nc.testing.contract.token_model import label_of
from nc.testing.contract.values import DAY_MS, NO_FACTS, UPSTREAM, Told, imported_nodes, owner


@law()
def an_attempt_to_enrol_makes_one_node(observed: Observed) -> Iterator[Evidence]:
    """However often it is repeated, it is answered with the same node, and the log has it once."""
    made: dict[str, tuple[str, str]] = {}
    for step in observed.history.of(enr.Enrol):
        operation: Any = step.operation
        if step.answer is not None and step.is_ok:
            node = str(step.answer.token), step.answer.node[0]
            yield Evidence(made.setdefault(operation.node, node) == node, step)
    for (step, _, phase), first in observed.repeats:
        again: Any = step.operation
        is_same = (again.token, again.key) == (first.token, first.key) and again.is_in_order
        is_soon = step.moment.latest_ms - first.at_ms < DAY_MS  # the token is remembered
        if phase is Phase.LIVE and is_same and is_soon and not again.shown:
            yield Evidence(step.is_ok, step)
    seen: set[tuple[str, str]] = set()
    for place in walk(observed.history):
        if place.kind == "node_registered" and place.event.attempt_id:
            attempt = place.event.token_id, place.event.attempt_id
            yield Evidence(attempt not in seen, place)
            seen.add(attempt)


@law()
def an_attempt_is_for_the_key_that_came_first(observed: Observed) -> Iterator[Evidence]:
    """Another machine's key gets no node by it, and no certificate."""
    for (step, _, phase), first in observed.repeats:
        again: Any = step.operation
        if phase is not Phase.UNKNOWN and first.is_sure and again.key != first.key:
            yield Evidence(not step.is_ok, step)


@law()
def certificates_are_renewed_for_a_node_s_own_key(observed: Observed) -> Iterator[Evidence]:
    """A live node's, whenever it asks; no other key's, and none that the server made.

    An imported node's first renewal brings its key.
    """
    keys: dict[str, str] = dict.fromkeys(imported_nodes(observed.history.limits.imported), _ANY)
    phases = {use.step.number: use.phase for use in observed.nodes}
    for _, steps in observed.history.rounds():
        for step in steps:
            operation = step.operation
            if isinstance(operation, enr.Renew) and step.answer and operation.node in keys:
                key, phase = keys[operation.node], phases.get(step.number, Phase.UNSURE)
                if key not in {_ANY, operation.key}:
                    yield Evidence(not step.is_ok, step)
                elif phase is Phase.LIVE and len(steps) == 1 and not operation.shown:
                    yield Evidence(step.is_ok == (operation.machine != enr.NO_REQUEST), step)
        _learn_keys(keys, steps)
    for place in walk(observed.history):
        if place.kind == "certificates_renewed":
            identities = place.before.identities
            yield Evidence(identities.fault(place.kind, place.event) is None, place)


_ANY: Final = "any"


def _learn_keys(keys: dict[str, str], steps: Sequence[Step]) -> None:
    """Which key each node has, after a round; nothing of those where that is not known."""
    for step in steps:
        match step.operation:
            case enr.Enrol(_, node) as enrolled if step.is_ok:
                keys.setdefault(node, enrolled.key)
            case ops.Redeem(_, node) if step.is_ok:
                keys[node] = "the server's"
            case enr.Renew(node) as renewed if step.may_have_happened and keys.get(node) == _ANY:
                if step.answer is None or len(steps) > 1:
                    del keys[node]
                else:
                    keys[node] = renewed.key


@law()
def certificates_for_a_machine_s_key_are_usable(observed: Observed) -> Iterator[Evidence]:
    """They are for this key and the node's id, each signed by its CA; so are renewed ones."""
    for step in observed.history.of(enr.Enrol, enr.Renew):
        if step.answer is not None and step.is_ok:
            sets = step.answer.certificates
            flaws = [flaw for certificates in sets for flaw in flaws_of(certificates)]
            names = {name for each in sets for name in common_names(each)}
            is_named = names == {step.answer.node[0]}
            authorities = {each.ca for each in sets}
            is_whole = len(sets) == len(authorities) == len(ops.Port)
            yield Evidence(is_whole and is_named and not flaws, f"{step}: {', '.join(flaws)}")


@law(needs_log=True)
def a_certificate_ends_when_the_log_says(observed: Observed) -> Iterator[Evidence]:
    """Each one that was handed out, to a node or an operator, is in the log with its end."""
    ends: dict[str, int] = {}
    for event in (event for entry in observed.history.entries for event in entry.events):
        listed = (*event.node_registered.certificates, *event.certificates_renewed.certificates)
        for certificate in (*listed, event.administrator_added.certificate):
            ends[certificate.serial] = certificate.not_after_ms
    for step in observed.history.of(ops.Redeem, enr.Renew, adm.IssueOperator) if ends else ():
        for given in step.answer.certificates if step.answer is not None else ():
            serial, end_ms = serial_and_end(given)
            yield Evidence(ends.get(serial) == end_ms, step)


@law()
def what_is_shown_of_a_machine_is_what_it_told(observed: Observed) -> Iterator[Evidence]:
    """Of each fact the last one, told as it enrolled, renewed its certificates or linked."""
    imported = imported_nodes(observed.history.limits.imported)
    known: dict[str, Told] = dict.fromkeys(imported, NO_FACTS)
    links: dict[str, Told] = {}
    # agents of a cluster tell theirs by themselves
    for _, steps in () if observed.history.is_cluster else observed.history.rounds():
        for step in steps:
            operation: Any = step.operation
            if isinstance(operation, adm.Describe) and operation.node in known:
                if step.is_ok and len(steps) == 1:
                    yield Evidence(step.facts.said[2:] == known[operation.node], step)
            elif isinstance(operation, enr.OpenLinkWith):
                links[operation.link] = operation.told
            elif isinstance(operation, ops.Redeem | enr.Renew | ops.Handshake):
                _learn_facts(known, links, step, is_alone=len(steps) == 1)


def _learn_facts(
    known: dict[str, Told], links: dict[str, Told], step: Step, *, is_alone: bool
) -> None:
    operation: Any = step.operation
    node, told = operation.node, getattr(operation, "told", NO_FACTS)
    if isinstance(operation, ops.Handshake):
        told = links.get(operation.link, NO_FACTS)
    if isinstance(operation, ops.Redeem):
        if step.is_ok and is_alone:
            known.setdefault(node, told)  # a repeated attempt tells nothing new
    elif step.may_have_happened and node in known:
        if step.is_ok and is_alone:
            known[node] = told.after(known[node])
        else:
            del known[node]


@law()
def a_newcomer_is_called_as_it_asked(observed: Observed) -> Iterator[Evidence]:
    """Its token's prefix, then the name that it wants or its hostname, with a number if taken.

    A node that is unregistered while it enrols has no name any more.
    """
    prefixes: dict[str, str] = {}
    seen: set[str] = set()
    for _, steps in observed.history.rounds():
        for step in steps:
            match step.operation:
                case adm.IssueLimited() as issued if step.is_ok:
                    prefixes[issued.token] = issued.prefix
                case enr.Enrol(token, node) as enrolled if step.may_have_happened:
                    wanted = label_of(enrolled.name or enrolled.told.hostname)
                    if step.answer is not None and wanted and node not in seen:
                        shape = re.escape(prefixes.get(token, "") + wanted) + r"(-[1-9][0-9]*)?"
                        name = step.answer.node[1]
                        is_gone = not name and len(steps) > 1
                        yield Evidence(is_gone or bool(re.fullmatch(shape, name)), step)
                    seen.add(node)


@law()
def a_link_needs_the_certificate_of_its_node(observed: Observed) -> Iterator[Evidence]:
    """A node that was imported has upstream's, which names no node, until it renews its own."""
    imported = {*imported_nodes(observed.history.limits.imported)}
    renewed: dict[str, int] = {}  # the round in which a node was first renewed, or perhaps was
    sure: dict[str, int] = {}
    for step in observed.history.steps:
        if isinstance(step.operation, enr.Renew) and step.may_have_happened:
            renewed.setdefault(step.operation.node, step.round)
            if step.is_ok:
                sure.setdefault(step.operation.node, step.round)
    for step, node, phase in observed.nodes:
        operation: Any = step.operation
        is_query = isinstance(operation, enr.CheckAsUpstream)
        shown = UPSTREAM if is_query else getattr(operation, "certificate", "")
        if not shown or owner(shown) == node or node == ops.SERVER_NODE:
            continue
        if shown != UPSTREAM or node not in imported or sure.get(node, step.round) < step.round:
            yield Evidence(not step.is_ok, step)
        elif is_query and phase is Phase.LIVE and renewed.get(node, step.round + 1) > step.round:
            yield Evidence(step.is_ok, step)
