"""Changes of a node's profile: its name and labels, its machine's facts, its certificates."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nc.domain.errors import NodeKeyUnknown, NotTheNodesKey
from nc.domain.events import (
    Certificate,
    CertificatesRenewed,
    Event,
    Labels,
    NodeFactsReported,
    NodeUpdated,
)
from nc.domain.fsm import ConnectionState
from nc.domain.interning import shared_id
from nc.domain.links import Links, link_of
from nc.domain.names import Names, TransientNames, newcomer_name, require_name
from nc.domain.nodes import (
    Node,
    Nodes,
    TransientNodes,
    UnregisteredNodes,
    certificates_end_ms,
    require_live,
    require_node,
)
from nc.domain.operator_errors import NodeNameTaken
from nc.domain.profile import (
    NO_FACTS,
    Facts,
    LabelPairs,
    Profile,
    facts_in,
    key_in,
    label_messages,
    label_pairs,
    labels_in,
    require_note,
    told,
)


@dataclass(frozen=True, slots=True)
class UpdateNode:
    """Change what a node is called; None and absent labels stay."""

    node_id: str
    name: str | None = None
    set_labels: Mapping[str, str] = field(default_factory=dict)
    remove_labels: tuple[str, ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """A node's machine told facts on a link; those that it left out stay."""

    node_id: str
    link_id: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class RenewCertificates:
    """New certificates were signed for a node's key.

    Attributes:
        name: what an imported node wants to be called, with its first key.
    """

    node_id: str
    certificates: tuple[Certificate, ...]
    key_sha256: str  # hex, of the public key in them
    now_ms: int
    facts: Facts = NO_FACTS
    name: str = ""


def evolve_updated(nodes: TransientNodes, names: TransientNames, event: NodeUpdated) -> None:
    node = nodes.get(event.node_id)
    if node is None:
        return
    profile = node.profile
    if event.HasField("name"):
        if names.get(profile.name) == event.node_id:
            names.discard(profile.name)
        profile = profile._replace(name=event.name)
        names[profile.name] = shared_id(event.node_id)
    if event.HasField("labels"):
        profile = profile._replace(labels=labels_in(event.labels.labels))
    if event.HasField("note"):
        profile = profile._replace(note=event.note)
    nodes[shared_id(event.node_id)] = node._replace(profile=profile)


def evolve_facts(nodes: TransientNodes, event: NodeFactsReported) -> None:
    node = nodes.get(event.node_id)
    if node is not None:
        profile = node.profile.with_facts(facts_in(event.facts))
        nodes[shared_id(event.node_id)] = node._replace(profile=profile)


def evolve_renewed(nodes: TransientNodes, event: CertificatesRenewed) -> None:
    node = nodes.get(event.node_id)
    if node is not None:
        profile = node.profile._replace(key=key_in(event.key_sha256), imported=False)
        nodes[shared_id(event.node_id)] = node._replace(
            certificates_end_ms=certificates_end_ms(event.certificates), profile=profile
        )


def decide_update(
    nodes: Nodes, names: Names, unregistered: UnregisteredNodes, command: UpdateNode
) -> list[Event]:
    """Change what differs; no event if nothing does.

    Raises:
        NodeUnknown: it was never registered, or was unregistered.
        NodeNameInvalid, NodeNameTaken: it cannot have this name.
        LabelInvalid, TooManyLabels, NoteInvalid: it cannot have this label or note.
    """
    profile = require_node(nodes, unregistered, command.node_id).profile
    updated = NodeUpdated(node_id=command.node_id)
    if command.name is not None and command.name != profile.name:
        require_name(command.name)
        if command.name in names:
            raise NodeNameTaken(command.name)
        updated.name = command.name
    labels = _changed_labels(profile, command)
    if labels != profile.labels:
        updated.labels.CopyFrom(Labels(labels=label_messages(labels)))
    if command.note is not None and command.note != profile.note:
        require_note(command.note)
        updated.note = command.note
    return [] if updated == NodeUpdated(node_id=command.node_id) else [Event(node_updated=updated)]


def _changed_labels(profile: Profile, command: UpdateNode) -> LabelPairs:
    """The node's labels once the command is carried out."""
    if not command.set_labels and not command.remove_labels:
        return profile.labels
    labels = dict(profile.labels)
    for key in command.remove_labels:
        labels.pop(key, None)
    return label_pairs({**labels, **command.set_labels})


def decide_report(
    nodes: Nodes, unregistered: UnregisteredNodes, links: Links, command: ReportFacts
) -> list[Event]:
    """Record the node's facts; no event if they are known, or it is not connected by this link.

    Raises:
        NodeUnknown: it was never registered, or was unregistered.
    """
    node = require_node(nodes, unregistered, command.node_id)
    link = link_of(links, command.node_id)
    is_current = (link.state, link.link_id) == (ConnectionState.CONNECTED, command.link_id)
    return _report(node, command.node_id, command.facts) if is_current else []


def _report(node: Node, node_id: str, said: Facts) -> list[Event]:
    before = node.profile.facts
    facts = told(before, said)
    if facts == before:
        return []
    return [Event(node_facts_reported=NodeFactsReported(node_id=node_id, facts=facts.message()))]


def decide_renew(
    nodes: Nodes, names: Names, unregistered: UnregisteredNodes, command: RenewCertificates
) -> list[Event]:
    """Record the certificates, facts that are new, and the name of an imported node.

    Raises:
        NodeUnknown, NodeExpired: the node's token is refused.
        NodeKeyUnknown, NotTheNodesKey: as `require_key`.
    """
    node = require_live(nodes, unregistered, command.node_id, command.now_ms)
    require_key(node, command.key_sha256)
    renewed = CertificatesRenewed(
        node_id=command.node_id,
        certificates=command.certificates,
        key_sha256=command.key_sha256,
    )
    return [
        Event(certificates_renewed=renewed),
        *_first_name(node, names, command),
        *_report(node, command.node_id, command.facts),
    ]


def _first_name(node: Node, names: Names, command: RenewCertificates) -> list[Event]:
    """What an imported node is called with its first key."""
    if not node.profile.imported or not command.name:
        return []

    def is_taken(name: str) -> bool:
        return names.get(name, command.node_id) != command.node_id

    name = newcomer_name("", command.name, command.node_id, is_taken)
    if name == node.profile.name:
        return []
    return [Event(node_updated=NodeUpdated(node_id=command.node_id, name=name))]


def require_key(node: Node, key_sha256: str) -> None:
    """Check that certificates for this key may be signed for a node.

    An imported node's first renewal brings its key.

    Raises:
        NodeKeyUnknown: the server made its key.
        NotTheNodesKey: it has another one.
    """
    if not node.is_renewable:
        raise NodeKeyUnknown
    if node.profile.key_sha256 not in ("", key_sha256):
        raise NotTheNodesKey
