"""A bootstrap token is redeemed: a machine becomes a node, once for each attempt."""

from nc.domain.errors import IdTaken, NodesReached, NodeUnknown, NotTheNodesKey
from nc.domain.events import CertificatesRenewed, Event, NodeRegistered
from nc.domain.names import Names, newcomer_name
from nc.domain.nodes import Nodes, UnregisteredNodes
from nc.domain.profile import NO_FACTS, label_messages
from nc.domain.tokens import RedeemToken, Tokens, require_live


def decide_redeem(
    tokens: Tokens,
    nodes: Nodes,
    unregistered: UnregisteredNodes,
    names: Names,
    command: RedeemToken,
) -> list[Event]:
    """Register one node under a live token; for a repeated attempt, record its new certificates.

    Raises:
        NodeUnknown: the attempt's node was unregistered.
        NotTheNodesKey: the attempt was made with another key.
        BootstrapTokenUnknown, …Revoked, …Expired, …UsedUp, TokenNodesReached: as `require_live`.
        NodesReached: as many nodes are registered as the server allows.
        IdTaken: another node has this id.
    """
    if is_repeated(tokens, nodes, command):
        renewed = CertificatesRenewed(
            node_id=command.node_id,
            certificates=command.certificates,
            key_sha256=command.key_sha256,
        )
        return [Event(certificates_renewed=renewed)]
    if command.attempt_id and command.node_id in unregistered:
        raise NodeUnknown(was_unregistered=True)
    known = nodes.get(command.node_id)
    if known is not None and command.attempt_id and known.profile.key_sha256 != command.key_sha256:
        raise NotTheNodesKey
    token = require_live(tokens, command.token_id, command.now_ms)
    if known is not None:
        raise IdTaken
    if command.max_nodes and len(nodes) >= command.max_nodes:
        raise NodesReached(command.max_nodes)
    terms, facts = token.terms, command.facts.cleaned()
    wanted = command.name or facts.hostname
    registered = NodeRegistered(
        node_id=command.node_id,
        token_id=command.token_id,
        certificates=command.certificates,
        name=newcomer_name(terms.node_name_prefix, wanted, command.node_id, names.__contains__),
        labels=label_messages(terms.node_labels),
        facts=None if facts == NO_FACTS else facts.message(),
        key_sha256=command.key_sha256,
        attempt_id=command.attempt_id,
    )
    return [Event(node_registered=registered)]


def is_repeated(tokens: Tokens, nodes: Nodes, command: RedeemToken) -> bool:
    """Whether the attempt has registered its node before, and its token is still remembered.

    The node's id follows from the attempt and the token (`nc.rpc.enrolment`), so that a node of
    this id and this token can only be the attempt's. It needs no use of the token.
    """
    node = nodes.get(command.node_id)
    return (
        bool(command.attempt_id)
        and node is not None
        and command.token_id in tokens
        and (node.token_id, node.profile.key_sha256) == (command.token_id, command.key_sha256)
    )
