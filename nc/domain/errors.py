"""Every refusal of a decision, with its facts, and what the caller can do about it.

The texts reach clients as they are. None of them holds a token, a key or an id.
"""

from nc.text import moment

NODE_UNREGISTERED = "the node was unregistered"

NODE_OF_A_LATER_LOG = (
    "this server's log does not know this node, though the node's certificate is from this "
    "server's own CA: the log is older than the node, as after an older backup was put back; ask "
    "the administrator to take the node back (ncadm take-back)"
)

_REMEDY = "ask the operator for a new one (ncadm create-bootstrap-token)"


class DomainError(Exception):
    """A command was refused. Nothing changed."""


class _WithoutFacts(DomainError):
    text: str

    def __init__(self) -> None:
        super().__init__(self.text)


class BootstrapTokenEmpty(_WithoutFacts):
    text = f"the bootstrap token is empty; {_REMEDY}"


class BootstrapTokenMalformed(_WithoutFacts):
    text = (
        "the bootstrap token is malformed: it is 16 digits of 0-9 and a-f, and nothing else; "
        "check that it was copied whole"
    )


class BootstrapTokenUnknown(_WithoutFacts):
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
    def __init__(self, minutes: int, longest_minutes: int) -> None:
        self.minutes = minutes
        self.longest_minutes = longest_minutes
        super().__init__(
            f"a bootstrap token cannot live {minutes} minutes: at most {longest_minutes} "
            "(ten years), or a negative number for one that never expires"
        )


class NodeTokenEmpty(_WithoutFacts):
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


class NodeNotWaiting(_WithoutFacts):
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

    def __init__(self, network: str) -> None:
        self.network = network
        super().__init__(
            f"no overlay address is free in {network}, and no node that holds one is idle; "
            "unregister nodes, or give the server a larger --network-addr"
        )


class LinkSuperseded(_WithoutFacts):
    """The link is not the node's current one."""

    text = "this link has ended: it was dropped, or a newer link of the node replaced it"


class IllegalTransition(DomainError):
    """The state machine has no such move."""

    def __init__(self, state: str, trigger: str) -> None:
        self.state = state
        self.trigger = trigger
        super().__init__(f"a node that is {state} cannot {trigger}")


class IdTaken(_WithoutFacts):
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


class KeyOfAnotherLog(_WithoutFacts):
    """A replica would make token ids with another key than those in the log were made with."""

    text = (
        "the key of the token ids is not the one that this log was written with; "
        "put the right one back"
    )
