"""What changed between two places of a history."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from rpds import HashTrieMap

from nc.domain.administrators import Administrator
from nc.domain.codec.records import Recorded
from nc.domain.events import pb
from nc.domain.links import link_of
from nc.domain.profile import LabelPairs
from nc.domain.state import State
from nc.domain.tokens import Token

T = TypeVar("T")


class Difference(NamedTuple):
    """The changes of nodes and tokens between two places; ids in order."""

    came: list[str]
    went: list[str]
    passed_through: list[str]  # came after the first place, and went before the second
    passed_names: dict[str, str]  # the last names of those
    moved: dict[str, tuple[str, str]]  # addresses, "" for none
    changed: dict[str, tuple[str, str]]  # names of states
    flapped: dict[str, int]  # how often it lost its link and was CONNECTED again
    expiries: dict[str, tuple[int, int]]  # ms, 0 never
    tokens_came: list[str]
    tokens_went: list[str]
    renamed: dict[str, tuple[str, str]]
    relabelled: dict[str, tuple[LabelPairs, LabelPairs]]
    notes: dict[str, tuple[str, str]]
    tokens_revoked: list[str]
    administrators_came: list[str]  # serials
    administrators_revoked: list[str]


def differences(before: State, after: State, between: Iterable[Recorded]) -> Difference:
    """Compare two states; `between` are the events that lead from one to the other."""
    stayed = sorted(set(before.nodes) & set(after.nodes))
    registered, flapped = _registered_and_flapped(between)
    passed = sorted(registered.keys() - set(before.nodes) - set(after.nodes))
    old, new = before.administrators.by_serial, after.administrators.by_serial
    return Difference(
        came=sorted(set(after.nodes) - set(before.nodes)),
        went=sorted(set(before.nodes) - set(after.nodes)),
        passed_through=passed,
        passed_names={node_id: registered[node_id] for node_id in passed if registered[node_id]},
        moved=_changes(stayed, before.addresses.address_of, after.addresses.address_of),
        changed=_changes(
            stayed,
            lambda node_id: link_of(before.links, node_id).state.name,
            lambda node_id: link_of(after.links, node_id).state.name,
        ),
        flapped=dict(sorted(flapped.items())),
        expiries=_changes(
            stayed,
            lambda node_id: before.nodes[node_id].expires_at_ms,
            lambda node_id: after.nodes[node_id].expires_at_ms,
        ),
        tokens_came=sorted(set(after.tokens) - set(before.tokens)),
        tokens_went=sorted(set(before.tokens) - set(after.tokens)),
        renamed=_changes(
            stayed,
            lambda node_id: before.nodes[node_id].profile.name,
            lambda node_id: after.nodes[node_id].profile.name,
        ),
        relabelled=_changes(
            stayed,
            lambda node_id: before.nodes[node_id].profile.labels,
            lambda node_id: after.nodes[node_id].profile.labels,
        ),
        notes=_changes(
            stayed,
            lambda node_id: before.nodes[node_id].profile.note,
            lambda node_id: after.nodes[node_id].profile.note,
        ),
        tokens_revoked=sorted(_revoked(after.tokens) - _revoked(before.tokens)),
        administrators_came=sorted(set(new) - set(old)),
        administrators_revoked=sorted(_revoked(new) - _revoked(old)),
    )


def _revoked(each: "HashTrieMap[str, Token] | HashTrieMap[str, Administrator]") -> set[str]:
    return {key for key, value in each.items() if value.revoked_at_ms is not None}


def _changes(
    ids: list[str], before: Callable[[str], T], after: Callable[[str], T]
) -> dict[str, tuple[T, T]]:
    """The ids whose value differs, each with both values."""
    pairs = {each: (before(each), after(each)) for each in ids}
    return {each: (old, new) for each, (old, new) in pairs.items() if old != new}


def _registered_and_flapped(
    between: Iterable[Recorded],
) -> tuple[dict[str, str], Counter[str]]:
    """The nodes that were registered, and how often each lost its link and was CONNECTED again.

    Of those that were registered, the last name that each was given.
    """
    registered: dict[str, str] = {}
    lost: set[str] = set()
    flapped: Counter[str] = Counter()
    for recorded in between:
        event = recorded.event
        if event.HasField("node_registered"):
            registered[event.node_registered.node_id] = event.node_registered.name
        elif event.HasField("node_updated") and event.node_updated.node_id in registered:
            updated = event.node_updated
            registered[updated.node_id] = updated.name or registered[updated.node_id]
        elif event.HasField("state_changed"):
            change = event.state_changed
            if change.from_state == pb.CONNECTION_STATE_CONNECTED:
                lost.add(change.node_id)
            elif change.to_state == pb.CONNECTION_STATE_CONNECTED and change.node_id in lost:
                lost.discard(change.node_id)
                flapped[change.node_id] += 1
    return registered, flapped
