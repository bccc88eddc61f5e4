"""The sentences of `log diff`."""

from collections.abc import Callable, Iterable

from nc.domain.events import pb
from nc.domain.profile import LabelPairs
from nc.domain.state import State
from nc.history.diff import Difference
from nc.text import expiry_text


def sentences(found: Difference, before: State, after: State) -> Iterable[str]:
    """What changed, or that nothing did."""
    changes = [*_of_nodes(found, before, after), *_of_tokens(found, before, after)]
    changes += _of_administrators(found, after)
    return changes or ["nothing changed"]


def _of_nodes(found: Difference, before: State, after: State) -> Iterable[str]:
    def node(node_id: str) -> str:
        """What it is called, later if it has two names."""
        known = after.nodes.get(node_id) or before.nodes.get(node_id)
        name = found.passed_names.get(node_id, "") if known is None else known.profile.name
        return f"node {name} ({node_id})" if name else f"node {node_id}"

    yield from (f"{node(each)} was registered" for each in found.came)
    yield from (f"{node(each)} was unregistered" for each in found.went)
    yield from (f"{node(each)} was registered and unregistered" for each in found.passed_through)
    for node_id, (old, new) in found.moved.items():
        yield f"{node(node_id)} moved from {old or 'no address'} to {new or 'no address'}"
    for node_id, (old, new) in found.changed.items():
        yield f"{node(node_id)} was {old}, is {new}"
    for node_id, times in found.flapped.items():
        often = "once" if times == 1 else f"{times} times"
        yield f"{node(node_id)} flapped: it lost its link and was CONNECTED again, {often}"
    for node_id, until_ms in found.expiries.items():
        old, new = map(expiry_text, until_ms)
        yield f"{node(node_id)} expires {new} instead of {old}"
    for node_id, (old, new) in found.renamed.items():
        yield f"node {node_id} is called {new or 'nothing'} instead of {old or 'nothing'}"
    yield from _of_labels(found, node)


def _of_labels(found: Difference, node: Callable[[str], str]) -> Iterable[str]:
    for node_id, (labels, new_labels) in found.relabelled.items():
        yield f"{node(node_id)} has the labels {_labels(new_labels)} instead of {_labels(labels)}"
    for node_id, (old, new) in found.notes.items():
        yield f"{node(node_id)} has the note {_quoted(new)} instead of {_quoted(old)}"


def _of_tokens(found: Difference, before: State, after: State) -> Iterable[str]:
    def token(token_id: str) -> str:
        known = after.tokens.get(token_id) or before.tokens.get(token_id)
        label = "" if known is None else known.terms.label
        return f"bootstrap token {label} ({token_id})" if label else f"bootstrap token {token_id}"

    for token_id in found.tokens_came:
        yield f"{token(token_id)} was issued"
    for token_id in found.tokens_revoked:
        yield f"{token(token_id)} was revoked"
    for token_id in found.tokens_went:
        yield f"{token(token_id)} was forgotten"


def _of_administrators(found: Difference, after: State) -> Iterable[str]:
    def certificate(serial: str) -> str:
        each = after.administrators.by_serial[serial]
        role = pb.AdministratorRole.Name(each.role).rpartition("_")[2].lower()
        return f"the certificate {serial} of {each.name} ({role})"

    for serial in found.administrators_came:
        yield f"{certificate(serial)} was added"
    for serial in found.administrators_revoked:
        yield f"{certificate(serial)} was revoked"


def _labels(labels: LabelPairs) -> str:
    return ", ".join(f"{key}={value}" for key, value in labels) or "none"


def _quoted(note: str) -> str:
    return f"{note!r}" if note else "none"
