"""Laws about bootstrap tokens and node tokens: which are accepted, and until when."""

import re
from collections.abc import Iterator
from typing import Any, Final

from nc.testing.contract import operations as ops
from nc.testing.contract.certificates import flaws_of
from nc.testing.contract.enrolment import Renew
from nc.testing.contract.history import Step
from nc.testing.contract.knowledge import Observed, Phase
from nc.testing.contract.laws.law import Evidence, law
from nc.testing.contract.log_walk import walk
from nc.testing.contract.operations import DENIED
from nc.testing.contract.values import ADMIN, TEN_YEARS_MINUTES


@law()
def an_acknowledged_enrolment_is_never_forgotten(observed: Observed) -> Iterator[Evidence]:
    """A node that was given its token is known from then on, whatever happens to the server."""
    for step, _, phase in observed.nodes:
        if isinstance(step.operation, ops.Query) and phase is Phase.LIVE:
            yield Evidence(step.is_ok or step.code == DENIED, step)


@law()
def unregister_is_final(observed: Observed) -> Iterator[Evidence]:
    """Once UnRegister was answered, every use of the node's token is refused, for ever."""
    for step, _, phase in observed.nodes:
        if phase is Phase.GONE and not isinstance(step.operation, ops.CloseLink):
            yield Evidence(not step.is_ok, step)


@law()
def an_expired_node_token_is_refused(observed: Observed) -> Iterator[Evidence]:
    """From the very moment on at which a node's token expires, it opens nothing."""
    for step, _, phase in observed.nodes:
        is_use = isinstance(step.operation, ops.Query | ops.OpenLink | ops.Handshake | Renew)
        if phase is Phase.EXPIRED and is_use:
            yield Evidence(not step.is_ok, step)


@law()
def a_later_expiry_revives_a_node(observed: Observed) -> Iterator[Evidence]:
    """A node that had expired is let in again as soon as it is given a later expiry."""
    expired: set[str] = set()
    for step, node, phase in observed.nodes:
        if phase is Phase.EXPIRED:
            expired.add(node)
        elif phase is Phase.LIVE and node in expired and isinstance(step.operation, ops.CheckState):
            yield Evidence(step.is_ok, step)


@law()
def an_expired_bootstrap_token_is_refused(observed: Observed) -> Iterator[Evidence]:
    """From the very moment on at which a bootstrap token expires, no node can join with it."""
    for step, _, phase in observed.bootstrap_tokens:
        if phase is Phase.EXPIRED:
            yield Evidence(not step.is_ok, step)


@law()
def a_revoked_bootstrap_token_is_refused(observed: Observed) -> Iterator[Evidence]:
    """Once its revocation was answered, no node can join with a bootstrap token."""
    for step, _, phase in observed.bootstrap_tokens:
        if phase is Phase.GONE:
            yield Evidence(not step.is_ok, step)


@law(needs_log=True)
def a_token_lets_in_no_more_than_its_terms_say(observed: Observed) -> Iterator[Evidence]:
    """No uses beyond a limit, no more nodes at one time, nor more than the server allows."""
    most = observed.history.limits.max_nodes
    for place in walk(observed.history):
        if place.kind == "node_registered":
            identities, event = place.before.identities, place.event
            if event.name in identities.names or event.taken_back:
                continue  # another law's; it was let in before
            is_full = 0 < most <= len(identities.nodes)
            yield Evidence(not is_full and not identities.fault(place.kind, event), place)


@law()
def a_bootstrap_token_serves_until_it_expires(observed: Observed) -> Iterator[Evidence]:
    """Until it expires, a bootstrap token lets in as many nodes as it may, across restarts too."""
    for step, _, phase in observed.bootstrap_tokens:
        may_be_full = observed.history.limits.max_nodes and not step.is_ok
        if phase is Phase.LIVE and not may_be_full:
            yield Evidence(step.is_ok, step)


@law()
def a_token_that_was_never_issued_is_refused(observed: Observed) -> Iterator[Evidence]:
    """What no answer ever gave as a token is none."""
    for step, name, phase in (*observed.bootstrap_tokens, *observed.nodes):
        if (
            phase is Phase.UNKNOWN
            and name != ops.SERVER_NODE
            and not isinstance(step.operation, ops.CloseLink)
        ):
            yield Evidence(not step.is_ok, step)


@law()
def a_lifetime_is_at_most_ten_years(observed: Observed) -> Iterator[Evidence]:
    """A bootstrap token may be asked for with up to ten years of minutes, not with one more."""
    for step in observed.history.of(ops.IssueToken):
        operation: Any = step.operation
        if step.operation.shown == ADMIN:
            yield Evidence(step.is_ok == (operation.minutes <= TEN_YEARS_MINUTES), step)


@law()
def every_token_is_new(observed: Observed) -> Iterator[Evidence]:
    """A token is 16 hex digits, and never one that was handed out before, but to its attempt."""
    known: dict[str, object] = {}
    for step in observed.history.of(ops.IssueToken, ops.Redeem):
        if step.answer is not None and step.is_ok:
            operation: Any = step.operation
            token, whose = step.answer.token, getattr(operation, "node", operation.token)
            is_repeat = getattr(operation, "is_repeatable", False) and known.get(token) == whose
            is_new = token not in known or is_repeat
            yield Evidence(bool(_TOKEN.fullmatch(token)) and is_new, step)
            known[token] = whose


_TOKEN: Final = re.compile(r"[0-9a-f]{16}")


@law()
def an_enrolment_s_certificates_are_usable(observed: Observed) -> Iterator[Evidence]:
    """GetToken answers two sets, each with a client certificate for a year that its CA signed."""
    for step in observed.history.of(ops.Redeem):
        is_repeatable = getattr(step.operation, "is_repeatable", False)  # another law's
        if step.answer is not None and step.is_ok and not is_repeatable:
            sets = step.answer.certificates
            flaws = [flaw for certificates in sets for flaw in flaws_of(certificates)]
            yield Evidence(len(sets) == _SETS and not flaws, f"{step}: {', '.join(flaws)}")


_SETS: Final = 2  # gRPC, network


@law()
def a_list_is_applied_as_a_whole_or_not_at_all(observed: Observed) -> Iterator[Evidence]:
    """What UpdateSensorExpireTime refused changed no node of the list; what it took, each."""
    open_lists: dict[str, Step] = {}
    for step, node, phase in observed.nodes:
        if isinstance(step.operation, ops.SetExpiries):
            open_lists[node] = step
        elif isinstance(step.operation, ops.CheckState) and node in open_lists:
            said = open_lists.pop(node)
            if said.round < step.round and phase in {Phase.LIVE, Phase.EXPIRED}:
                holds = step.code == DENIED or step.is_ok == (phase is Phase.LIVE)
                yield Evidence(holds, f"{step}, after {said}")
