"""Every refusal of a decision, with its facts, and what the caller can do about it.

The texts reach clients as they are. None of them holds a token, a key or an id.
"""

from nc.durations import exact_duration
from nc.text import duration_text, moment

NODE_UNREGISTERED = "the node was unregistered"

NODE_OF_A_LATER_LOG = (
    "this server's log does not know this node, though the node's certificate is from this "
    "server's own CA: the log is older than the node, as after an older backup was put back; ask "
    "the administrator to take the node back (ncadm take-back)"
)

_REMEDY = "ask the operator for a new one (ncadm tokens issue)"


class DomainError(Exception):
    """A command was refused. Nothing changed."""


class WithoutFacts(DomainError):
    text: str

    def __init__(self) -> None:
        super().__init__(self.text)


class BootstrapTokenEmpty(WithoutFacts):
    text = f"the bootstrap token is empty; {_REMEDY}"


class BootstrapTokenMalformed(WithoutFacts):
    text = (
        "the bootstrap token is malformed: it is 16 digits of 0-9 and a-f, and nothing else; "
        "check that it was copied whole"
    )


class BootstrapTokenUnknown(WithoutFacts):
    text = (
        f"the bootstrap token is unknown: it was not issued here, or it expired long ago; {_REMEDY}"
    )


class BootstrapTokenExpired(DomainError):
    def __init__(self, expired_at_ms: int, now_ms: int) -> None:
        self.expired_at_ms = expired_at_ms
        super().__init__(
            f"the bootstrap token expired at {moment(expired_at_ms)} (by this server's clock it is "
            f"{moment(now_ms)}); {_REMEDY}"
        )


class LifetimeTooLong(DomainError):
    """LiteKube's API has minutes, as people type them to it; ours has seconds."""

    def __init__(self, lifetime: int, longest: int, unit_s: int = 60) -> None:
        self.lifetime = lifetime
        self.longest = longest
        most = exact_duration(longest * unit_s)
        if unit_s == 60:  # noqa: PLR2004 - of a minute
            most += f", {longest} minutes"
        super().__init__(
            f"a bootstrap token cannot live {exact_duration(lifetime * unit_s)}: at most ten years "
            f"({most}), or for ever (ncadm: never; in the API a negative number)"
        )


class NodeTokenEmpty(WithoutFacts):
    text = "the node token is empty; send the token that GetToken answered"


class NodeUnknown(DomainError):
    """No node has this token (any more).

    Attributes:
        was_unregistered: the state remembers that the node was unregistered.
    """

    def __init__(self, *, was_unregistered: bool = False) -> None:
        self.was_unregistered = was_unregistered
        super().__init__(
            f"{NODE_UNREGISTERED}, and its token is unknown since; "
            "register the machine again with a bootstrap token"
            if was_unregistered
            else "the node token is unknown here: no node was registered with it, or the log of "
            "this server lacks that; check that this is the right server with its own data folder, "
            "else register the machine again with a bootstrap token"
        )


class NodeNotWaiting(WithoutFacts):
    text = (
        "no node with this token waits to be taken back: it has to ask for a link first, with its "
        "certificate, after this server was started; check the token, and that its agent runs"
    )


class NodeExpired(DomainError):
    def __init__(self, expired_at_ms: int, now_ms: int) -> None:
        self.expired_at_ms = expired_at_ms
        super().__init__(
            f"the node token expired at {moment(expired_at_ms)} (by this server's clock it is "
            f"{moment(now_ms)}); "
            "an operator can set a later expiry (ncadm set-expiry)"
        )


class ListedNodeUnknown(DomainError):
    """One token of a list belongs to no node; nothing of the list was applied."""

    def __init__(self, position: int) -> None:
        self.position = position  # from 1
        super().__init__(
            f"the token at position {position} of the list is unknown; nothing was changed: "
            "correct the list and send all of it again"
        )


class ExpiryTooLate(DomainError):
    """A time of a list is larger than the API has; nothing of the list was applied."""

    def __init__(self, position: int, expires_at_s: int, largest_s: int) -> None:
        self.position = position  # from 1
        self.expires_at_s = expires_at_s
        hint = ""
        if expires_at_s // 1000 <= largest_s:
            hint = f"; as milliseconds it would be {expires_at_s // 1000} seconds"
        super().__init__(
            f"the time at position {position} of the list, {expires_at_s}, is beyond "
            f"{moment(largest_s * 1000)}{hint}; nothing was changed: give Unix seconds, or 0 for "
            "never"
        )


class ServerNodeFixed(DomainError):
    """The server itself cannot be unregistered, nor expire."""

    def __init__(self, position: int | None = None) -> None:
        self.position = position  # in a list, from 1
        where = (
            "this token" if position is None else f"the token at position {position} of the list"
        )
        super().__init__(
            f"{where} stands for the server itself, which is always connected; "
            "it can neither be unregistered nor expire"
        )


class AddressPoolExhausted(DomainError):
    """Every address of the network is held by a node that is connected."""

    def __init__(self, network: str, why: str = "no node that holds one is idle") -> None:
        self.network = network
        super().__init__(
            f"no overlay address is free in {network}, and {why}; "
            "unregister nodes, or give the server a larger --network-addr"
        )


class LinkSuperseded(WithoutFacts):
    """The link is not the node's current one."""

    text = "this link has ended: it was dropped, or a newer link of the node replaced it"


class IllegalTransition(DomainError):
    """The state machine has no such move."""

    def __init__(self, state: str, trigger: str) -> None:
        self.state = state
        self.trigger = trigger
        super().__init__(f"a node that is {state} cannot {trigger}")


class IdTaken(WithoutFacts):
    """A new random id is in use already; another one has to be drawn."""

    text = "the id that was drawn is in use; try again"


class AuthorityOfAnotherLog(DomainError):
    """A replica would sign certificates with another CA key than those in the log were."""

    def __init__(self, authority: str) -> None:
        self.authority = authority  # `grpc` or `network`
        super().__init__(
            f"the key of the {authority} CA is not the one that this log was written with; "
            "put the right one back"
        )


class KeyOfAnotherLog(WithoutFacts):
    """A replica would make token ids with another key than those in the log were made with."""

    text = (
        "the key of the token ids is not the one that this log was written with; "
        "put the right one back"
    )


class BootstrapTokenRevoked(WithoutFacts):
    text = f"the bootstrap token was revoked; {_REMEDY}"


class BootstrapTokenUsedUp(DomainError):
    def __init__(self, max_uses: int) -> None:
        self.max_uses = max_uses
        super().__init__(f"the bootstrap token has no uses left, of {max_uses}; {_REMEDY}")


class TokenNodesReached(DomainError):
    """As many nodes of the token are registered as may be at one time."""

    def __init__(self, max_nodes: int) -> None:
        self.max_nodes = max_nodes
        super().__init__(
            f"as many nodes of this bootstrap token are registered as may be ({max_nodes}); "
            "unregister some of them (ncadm nodes unregister), or ask the operator for another one"
        )


class NodesReached(DomainError):
    """As many nodes are registered as the server allows."""

    def __init__(self, max_nodes: int) -> None:
        self.max_nodes = max_nodes
        super().__init__(
            f"as many nodes are registered as this server allows (serve --max-nodes {max_nodes}); "
            "unregister some of them (ncadm nodes unregister), or allow more"
        )


class AddressRecentlyHeld(AddressPoolExhausted):
    """Every idle node that holds an address has been idle for too short a time to lose it."""

    def __init__(self, network: str, reclaim_after_ms: int) -> None:
        since = duration_text(reclaim_after_ms / 1000)
        super().__init__(
            network, f"no node that holds one has been idle for {since} (serve --reclaim-after)"
        )


class TokenShareReached(AddressPoolExhausted):
    """A newcomer would take an idle node's address, and its token has enrolled too many like it."""

    def __init__(self, network: str, share: int) -> None:
        self.share = share
        super().__init__(
            network,
            "no node gives its up for this newcomer, since its bootstrap token enrolled more than "
            f"{share} nodes within a day",
        )


class NodeKeyUnknown(WithoutFacts):
    text = (
        "this node's certificates cannot be renewed: the server made its key (GetToken), or does "
        "not know it; enrol the machine again with a bootstrap token (network-controller join)"
    )


class NotTheNodesKey(WithoutFacts):
    text = (
        "the key of the certificate request is not the node's: renew with the key that it was "
        "enrolled with, or enrol the machine again with a bootstrap token"
    )


class SessionEnded(WithoutFacts):
    text = "this server's session has ended, since it was silent for too long; try again"


class ElectionLost(WithoutFacts):
    text = "another server was elected to lead meanwhile"


class LeaderKept(WithoutFacts):
    text = "the server that leads cannot be lost; it would find out itself"
