"""The membership aggregate: which machines are replicas, which may become one, which may not.

An invitation is issued, and redeemed once, before it expires; only the attempt that redeemed it is
answered again. It leaves memory when an administrator withdraws it, or when the sweep records that
it is over. A replica that was removed starts no more, until it redeems another invitation. Ids of
invitations are HMACs: no code reaches this package.
"""

from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from rpds import HashTrieMap

from nc.domain import known_replicas
from nc.domain import replica_errors as errors
from nc.domain.errors import IdTaken
from nc.domain.events import (
    Event,
    InvitationEnded,
    InvitationRedeemed,
    ReplicaInvited,
    ReplicaRemoved,
    ReplicaStarted,
    pb,
)
from nc.domain.expiry import has_passed
from nc.domain.known_replicas import KnownReplicas
from nc.domain.replicas import Sessions

DEFAULT_LIFETIME_S: Final = 60 * 60
LONGEST_LIFETIME_S: Final = 7 * 24 * 60 * 60  # the code is worth every key of the cluster

# An invitation that is over is remembered this long, so that the answer says why.
RETENTION_MS: Final = 24 * 60 * 60 * 1000

_LONGEST_ID: Final = 80  # characters; a host name of Linux has 64, and more is added to it


class Invitation(NamedTuple):
    expires_at_ms: int
    issued_at_ms: int = 0  # 0: not known
    replica_id: str = ""  # who redeemed it; "": nobody
    peer_address: str = ""
    attempt_id: str = ""
    redeemed_at_ms: int = 0

    @property
    def is_redeemed(self) -> bool:
        return bool(self.attempt_id)


@dataclass(frozen=True, slots=True)
class Membership:
    """By their ids: replicas that have started, when others were removed, and invitations."""

    # Older versions did not keep them, so no digest has them, and equal states may differ in them.
    replicas: KnownReplicas = field(default_factory=HashTrieMap, compare=False)
    removed: "HashTrieMap[str, int]" = field(default_factory=HashTrieMap)
    invitations: "HashTrieMap[str, Invitation]" = field(default_factory=HashTrieMap)


class LostReplica(NamedTuple):
    id: str
    since_ms: int  # 0: not known


def lost_replicas(members: Membership, sessions: Sessions) -> list[LostReplica]:
    """Those that ended without a stop and have not begun again, by their ids."""
    not_lost = {*sessions.values(), *members.removed}
    return sorted(
        LostReplica(replica_id, each.ended_at_ms)
        for replica_id, each in members.replicas.items()
        if each.is_lost and replica_id not in not_lost
    )


@dataclass(frozen=True, slots=True)
class InviteReplica:
    invitation_id: str
    now_ms: int
    lifetime_s: int = 0  # 0: the default


@dataclass(frozen=True, slots=True)
class RedeemInvitation:
    invitation_id: str
    replica_id: str
    peer_address: str
    attempt_id: str
    now_ms: int


@dataclass(frozen=True, slots=True)
class EndInvitation:
    """Withdraw it."""

    invitation_id: str


@dataclass(frozen=True, slots=True)
class ForgetInvitations:
    """Forget those that have been over for longer than the retention."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class RemoveReplica:
    replica_id: str
    decider: str  # the id of the replica that decides this


def evolve_started(
    members: Membership, sessions: Sessions, at_ms: int, event: ReplicaStarted
) -> Membership:
    known = known_replicas.evolve_started(members.replicas, sessions, at_ms, event)
    return replace(members, replicas=known)


def evolve_session_ended(
    members: Membership, replica_id: str, at_ms: int, *, is_lost: bool
) -> Membership:
    known = known_replicas.evolve_ended(members.replicas, replica_id, at_ms, is_lost=is_lost)
    return replace(members, replicas=known)


def evolve_invited(members: Membership, at_ms: int, event: ReplicaInvited) -> Membership:
    invitation = Invitation(event.expires_at_ms, at_ms)
    invitations = members.invitations.insert(event.invitation_id, invitation)
    return replace(members, invitations=invitations)


def evolve_redeemed(members: Membership, at_ms: int, event: InvitationRedeemed) -> Membership:
    removed = members.removed.discard(event.replica_id)
    invitation = members.invitations.get(event.invitation_id)
    if invitation is None:
        return replace(members, removed=removed)
    redeemed = invitation._replace(
        replica_id=event.replica_id,
        peer_address=event.peer_address,
        attempt_id=event.attempt_id,
        redeemed_at_ms=at_ms,
    )
    invitations = members.invitations.insert(event.invitation_id, redeemed)
    return replace(members, removed=removed, invitations=invitations)


def evolve_ended(members: Membership, event: InvitationEnded) -> Membership:
    return replace(members, invitations=members.invitations.discard(event.invitation_id))


def evolve_removed(members: Membership, at_ms: int, event: ReplicaRemoved) -> Membership:
    return replace(
        members,
        replicas=members.replicas.discard(event.replica_id),
        removed=members.removed.insert(event.replica_id, at_ms),
    )


def sessions_of(sessions: Sessions, replica_id: str) -> list[str]:
    """The sessions of a replica that have not ended."""
    return sorted(session for session, owner in sessions.items() if owner == replica_id)


def decide_invite(members: Membership, command: InviteReplica) -> list[Event]:
    """Issue an invitation.

    Raises:
        InvitationLifetimeWrong: it is negative, or longer than a week.
        IdTaken: another invitation has this id.
    """
    lifetime_s = command.lifetime_s or DEFAULT_LIFETIME_S
    if not 0 < lifetime_s <= LONGEST_LIFETIME_S:
        raise errors.InvitationLifetimeWrong(lifetime_s, LONGEST_LIFETIME_S)
    if command.invitation_id in members.invitations:
        raise IdTaken
    invited = ReplicaInvited(
        invitation_id=command.invitation_id, expires_at_ms=command.now_ms + lifetime_s * 1000
    )
    return [Event(replica_invited=invited)]


def require_open(
    members: Membership, invitation_id: str, attempt_id: str, now_ms: int
) -> Invitation:
    """The invitation, if this attempt may redeem it now, or has.

    Raises:
        InvitationUnknown: it was never issued, was withdrawn, or is over for long.
        InvitationExpired: its time has passed.
        InvitationUsed: another attempt has redeemed it.
    """
    invitation = members.invitations.get(invitation_id)
    if invitation is None:
        raise errors.InvitationUnknown
    if invitation.is_redeemed and invitation.attempt_id != attempt_id:
        raise errors.InvitationUsed(
            invitation.replica_id, invitation.peer_address, invitation.redeemed_at_ms
        )
    if has_passed(invitation.expires_at_ms, now_ms):
        raise errors.InvitationExpired(invitation.expires_at_ms, now_ms)
    return invitation


def require_replica_id(replica_id: str) -> None:
    """Check that a machine may be called so.

    Raises:
        ReplicaIdWrong: it may not.
    """
    is_one = 0 < len(replica_id) <= _LONGEST_ID and replica_id.isprintable()
    if not is_one or " " in replica_id:
        raise errors.ReplicaIdWrong(_LONGEST_ID)


def require_not_removed(members: Membership, replica_id: str) -> None:
    """Check that a replica may start.

    Raises:
        ReplicaIsRemoved: an administrator has removed it.
    """
    if replica_id in members.removed:
        raise errors.ReplicaIsRemoved(replica_id, members.removed[replica_id])


def decide_redeem(
    members: Membership, sessions: Sessions, command: RedeemInvitation
) -> list[Event]:
    """Redeem the invitation; no event for an attempt that has.

    Raises:
        ReplicaIdWrong, ReplicaIdTaken: no machine can become a replica under this name.
        InvitationUnknown, InvitationExpired, InvitationUsed: as `require_open`.
    """
    require_replica_id(command.replica_id)
    invitation_id, attempt_id = command.invitation_id, command.attempt_id
    if require_open(members, invitation_id, attempt_id, command.now_ms).is_redeemed:
        return []
    if command.replica_id in set(sessions.values()):
        raise errors.ReplicaIdTaken(command.replica_id)
    redeemed = InvitationRedeemed(
        invitation_id=invitation_id,
        replica_id=command.replica_id,
        peer_address=command.peer_address,
        attempt_id=attempt_id,
    )
    return [Event(invitation_redeemed=redeemed)]


def decide_end(members: Membership, command: EndInvitation) -> list[Event]:
    """Withdraw the invitation; no event if it is not remembered."""
    if command.invitation_id not in members.invitations:
        return []
    return [_ended(command.invitation_id, pb.INVITATION_END_REASON_REVOKED)]


def decide_forget(members: Membership, command: ForgetInvitations) -> list[Event]:
    """Forget those that are over, in the order of their times."""
    horizon_ms = command.now_ms - RETENTION_MS
    over = sorted(
        (each.expires_at_ms, invitation_id)
        for invitation_id, each in members.invitations.items()
        if has_passed(each.expires_at_ms, horizon_ms)
    )
    return [_ended(invitation_id, pb.INVITATION_END_REASON_EXPIRED) for _, invitation_id in over]


def decide_remove(members: Membership, sessions: Sessions, command: RemoveReplica) -> list[Event]:
    """Remove the replica, which is not answered again either; no event if it was.

    Raises:
        ReplicaUnknown: none has this id.
        ReplicaInCharge: it decides this itself.
    """
    replica_id = command.replica_id
    if replica_id in members.removed:
        return []
    if replica_id not in members.replicas and replica_id not in set(sessions.values()):
        raise errors.ReplicaUnknown
    if replica_id == command.decider:
        raise errors.ReplicaInCharge(replica_id)
    invitations = sorted(
        invitation_id
        for invitation_id, each in members.invitations.items()
        if each.is_redeemed and each.replica_id == replica_id
    )
    return [
        Event(replica_removed=ReplicaRemoved(replica_id=replica_id)),
        *(_ended(each, pb.INVITATION_END_REASON_REVOKED) for each in invitations),
    ]


def _ended(invitation_id: str, reason: pb.InvitationEndReason) -> Event:
    return Event(invitation_ended=InvitationEnded(invitation_id=invitation_id, reason=reason))
