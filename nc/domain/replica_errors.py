"""Refusals that concern replicas and invitations to become one.

Beside those of `nc.domain.errors`, and like them: the texts reach clients as they are.
"""

from collections.abc import Mapping

from nc.domain.errors import DomainError, WithoutFacts
from nc.durations import exact_duration
from nc.text import moment, quoted

_ANOTHER = "make another one (ncadm replicas invite)"


class InvitationLifetimeWrong(DomainError):
    def __init__(self, lifetime_s: int, longest_s: int) -> None:
        self.lifetime_s = lifetime_s
        super().__init__(
            f"an invitation cannot last {exact_duration(lifetime_s)}: from one second to "
            f"{exact_duration(longest_s)}, or 0 for an hour"
        )


class InvitationUnknown(WithoutFacts):
    text = (
        "the invitation is unknown: its code was not issued here, was withdrawn, or expired long "
        f"ago; check that it was copied whole, or {_ANOTHER}"
    )


class InvitationExpired(DomainError):
    def __init__(self, expired_at_ms: int, now_ms: int) -> None:
        self.expired_at_ms = expired_at_ms
        super().__init__(
            f"the invitation expired at {moment(expired_at_ms)} (by this server's clock it is "
            f"{moment(now_ms)}); {_ANOTHER}"
        )


class InvitationUsed(DomainError):
    """Another machine, or another attempt of the same one, has redeemed it."""

    def __init__(self, replica_id: str, peer_address: str, at_ms: int) -> None:
        self.replica_id = replica_id
        where = f" from {peer_address}" if peer_address else ""
        super().__init__(
            f"the invitation was redeemed at {moment(at_ms)} by {quoted(replica_id)}{where}; "
            f"if that is a machine of yours, {_ANOTHER}; if it is not, it has every key of this "
            "cluster"
        )


class ReplicaIdWrong(DomainError):
    def __init__(self, longest: int) -> None:
        super().__init__(
            f"a server's name is 1 to {longest} characters without spaces: remove the file replica "
            "from its data folder, and start it again"
        )


class ReplicaIdTaken(DomainError):
    def __init__(self, replica_id: str) -> None:
        self.replica_id = replica_id
        super().__init__(
            f"a server called {quoted(replica_id)} runs: if this one's data folder is a copy of "
            "that one's, begin with an empty one; if that server is gone, wait until the others "
            "have noticed"
        )


class ReplicaUnknown(WithoutFacts):
    text = (
        "no server and no invitation is meant by this: give a server's id, or an invitation's, or "
        "the first 4 digits of that or more; ncadm replicas list --all has those that there are"
    )


class ReplicaAmbiguous(DomainError):
    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(f"{count} invitations have an id that begins so; give more digits")


class ReplicaInCharge(DomainError):
    def __init__(self, replica_id: str) -> None:
        self.replica_id = replica_id
        super().__init__(
            f"{quoted(replica_id)} is the server that would carry this out, and it cannot remove "
            "itself: stop it, and remove it by way of another one"
        )


class ReplicaIsRemoved(DomainError):
    """A replica would start that was removed."""

    def __init__(self, replica_id: str, at_ms: int) -> None:
        self.replica_id = replica_id
        super().__init__(
            f"this server, {quoted(replica_id)}, was removed at {moment(at_ms)}, and is refused "
            "since; to let it in again, invite it (ncadm replicas invite) and start it with that "
            "on an empty data folder"
        )


class ReplicaTooOld(DomainError):
    """A server that runs would not know how to read what this would record.

    Args:
        versions: by the ids of such servers; "" of one that is not known.
    """

    def __init__(self, versions: Mapping[str, str]) -> None:
        self.versions = dict(versions)
        each = ", ".join(
            f"{quoted(replica_id)} ({version or 'of an unknown version'})"
            for replica_id, version in versions.items()
        )
        super().__init__(
            f"this has to wait until every server is upgraded: {each} would not know how to read "
            "what it records; upgrade it, or stop it, and try again"
        )
