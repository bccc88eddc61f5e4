"""Laws about nc.admin.v1: who may call it, and what nodes are called."""

import re
from collections.abc import Iterator
from typing import Final

from nc.testing.contract import administration as adm
from nc.testing.contract import operations as ops
from nc.testing.contract.knowledge import Observed, Phase
from nc.testing.contract.laws.law import Evidence, law
from nc.testing.contract.log_walk import walk
from nc.testing.contract.values import ADMIN, VIEWER


@law()
def a_revoked_certificate_opens_nothing(observed: Observed) -> Iterator[Evidence]:
    """From its revocation on, or from its end on, an operator's certificate is refused."""
    for (step, _, phase), _ in observed.operators:
        if phase in {Phase.GONE, Phase.EXPIRED}:
            yield Evidence(step.code == ops.DENIED, step)


@law()
def a_viewer_reads_and_changes_nothing(observed: Observed) -> Iterator[Evidence]:
    """What changes something is denied to a viewer; an administrator is denied nothing."""
    for (step, _, phase), role in observed.operators:
        if phase is Phase.LIVE:
            is_allowed = role != VIEWER or step.operation.reads
            yield Evidence((step.code != ops.DENIED) == is_allowed, step)


@law()
def an_administrator_is_left(observed: Observed) -> Iterator[Evidence]:
    """The last certificate that may change something cannot be revoked."""
    others: set[str] = set()  # who may be an administrator, too
    for step in observed.history.steps:
        match step.operation:
            case adm.IssueOperator(operator, role) if role == ADMIN and step.may_have_happened:
                others.add(operator)
            case adm.RevokeOperator(operator) if operator != ADMIN:
                others -= {operator} if step.is_ok else set()
            case adm.RevokeOperator() if not others and step.answer is not None:
                yield Evidence(not step.is_ok, step)


@law(needs_log=True)
def no_two_nodes_have_one_name(observed: Observed) -> Iterator[Evidence]:
    """A node's name is a DNS label, which no other registered node has."""
    for place in walk(observed.history):
        has_name = place.kind in {"node_registered", "node_updated"} and place.event.name
        if has_name and not getattr(place.event, "taken_back", False):
            holder = place.before.identities.names.get(place.event.name, place.event.node_id)
            is_label = bool(_LABEL.fullmatch(place.event.name))
            yield Evidence(is_label and holder == place.event.node_id, place)


_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@law()
def a_node_is_called_what_it_was_called(observed: Observed) -> Iterator[Evidence]:
    """Name and label are the token's at first, then the operator's, until they are changed."""
    terms: dict[str, tuple[str, str]] = {}  # prefix and label, by token
    known: dict[str, tuple[str, str]] = {}
    for _, steps in observed.history.rounds():
        for step in steps:
            operation = step.operation
            match operation:
                case adm.Describe(node) if step.is_ok and node in known:
                    yield Evidence(step.facts.said[:2] == known[node], step)
                case adm.IssueLimited() if step.is_ok:
                    terms[operation.token] = operation.prefix, operation.label
                case ops.Redeem(token, node) if step.is_ok and node not in known:
                    prefix, label = terms.get(token, ("", ""))
                    name = step.answer.node[1] if step.answer is not None else ""
                    known[node] = name or f"{prefix or 'node-'}#", label
                case adm.UpdateNode(node) if step.may_have_happened:
                    name, label = known.pop(node, ("", ""))
                    if step.is_ok and len(steps) == 1 and name:
                        known[node] = operation.name or name, operation.label or label
