"""The membership in a snapshot: to parts, and back from them."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rpds import HashTrieMap

from nc.domain.invitations import Invitation, Membership
from nc.domain.known_replicas import KnownReplica
from nc.pb import snapshot_pb2 as pb


def membership_parts(
    members: Membership, slices: Callable[[Iterable[Any]], Iterable[list[Any]]]
) -> Iterator[pb.Membership]:
    """The parts; `slices` says how many entries each has, and in which order."""
    for invitations in slices(members.invitations.items()):
        yield pb.Membership(
            invitations=[pb.Invitation(id=key, **each._asdict()) for key, each in invitations]
        )
    for replicas in slices(members.replicas.items()):
        yield pb.Membership(
            replicas=[pb.Replica(id=key, **each._asdict()) for key, each in replicas]
        )
    for removed in slices(members.removed.items()):
        yield pb.Membership(
            removed=[pb.RemovedReplica(id=key, removed_at_ms=at_ms) for key, at_ms in removed]
        )


class MembershipReader:
    def __init__(self) -> None:
        self._invitations: dict[str, Invitation] = {}
        self._replicas: dict[str, KnownReplica] = {}
        self._removed: dict[str, int] = {}

    def add(self, part: pb.Membership) -> None:
        for each in part.invitations:
            self._invitations[each.id] = Invitation(
                each.expires_at_ms,
                each.issued_at_ms,
                each.replica_id,
                each.peer_address,
                each.attempt_id,
                each.redeemed_at_ms,
            )
        for replica in part.replicas:
            self._replicas[replica.id] = KnownReplica(
                *(getattr(replica, field) for field in KnownReplica._fields)
            )
        self._removed |= {each.id: each.removed_at_ms for each in part.removed}

    def finish(self) -> Membership:
        return Membership(
            HashTrieMap(self._replicas),
            HashTrieMap(self._removed),
            HashTrieMap(self._invitations),
        )
