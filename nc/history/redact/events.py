"""What becomes of each kind of event, and of the parts of a state, when a history is redacted."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from rpds import HashTrieMap

from nc.domain.administrators import Administrators
from nc.domain.events import pb
from nc.domain.invitations import Membership
from nc.domain.profile import NO_PROFILE, Facts, LabelPairs, Profile, key_in
from nc.domain.terms import NO_TERMS, Terms
from nc.history.redact.names import Names


def redacted_profile(names: Names, profile: Profile) -> Profile:
    if profile == NO_PROFILE:
        return NO_PROFILE
    hidden = Profile(
        names.text(profile.name),
        _pairs(names, profile.labels),
        names.text(profile.note),
        key=key_in(names.hash(profile.key_sha256)),
        imported=profile.imported,
    )
    return hidden.with_facts(Facts(*map(names.text, profile.facts)))


def redacted_terms(names: Names, terms: Terms) -> Terms:
    if terms == NO_TERMS:
        return NO_TERMS
    return terms._replace(
        label=names.text(terms.label),
        node_labels=_pairs(names, terms.node_labels),
        node_name_prefix=names.text(terms.node_name_prefix),
    )


def redacted_administrators(names: Names, administrators: Administrators) -> Administrators:
    by_serial = {
        names.serial(serial): each._replace(name=names.text(each.name))
        for serial, each in sorted(administrators.by_serial.items())
    }
    return Administrators(HashTrieMap(by_serial), names.serial(administrators.installed))


def redacted_membership(names: Names, members: Membership) -> Membership:
    invitations = {
        names.token(invitation_id): each._replace(
            replica_id=names.replica(each.replica_id),
            peer_address=names.text(each.peer_address),
            attempt_id=names.request(each.attempt_id),
        )
        for invitation_id, each in sorted(members.invitations.items())
    }
    replicas = {names.replica(key): each for key, each in sorted(members.replicas.items())}
    removed = {names.replica(key): at_ms for key, at_ms in sorted(members.removed.items())}
    return Membership(HashTrieMap(replicas), HashTrieMap(removed), HashTrieMap(invitations))


def _pairs(names: Names, labels: LabelPairs) -> LabelPairs:
    return tuple((names.text(key), names.text(value)) for key, value in labels)


def _labels(names: Names, labels: Iterable[pb.Label]) -> list[pb.Label]:
    return [pb.Label(key=names.text(each.key), value=names.text(each.value)) for each in labels]


def _facts(names: Names, facts: pb.NodeFacts) -> pb.NodeFacts:
    return pb.NodeFacts(
        hostname=names.text(facts.hostname),
        os=names.text(facts.os),
        architecture=names.text(facts.architecture),
        agent_version=names.text(facts.agent_version),
        peer_address=names.text(facts.peer_address),
    )


def _certificates(event: Any) -> list[pb.Certificate]:
    return [
        pb.Certificate(authority=each.authority, not_after_ms=each.not_after_ms)
        for each in event.certificates
    ]


# Each kind is made of what this version knows, field by field, since a newer
# one may have added fields.
REDACTED: Final[dict[str, Callable[[Names, Any], Any]]] = {
    "replica_started": lambda names, e: pb.ReplicaStarted(
        replica_id=names.replica(e.replica_id),
        version=e.version,
        network_address=names.place.interface(e.network_address),
        session=names.session(e.session),
        is_alone=e.is_alone,
        level=e.level,
    ),
    "replica_stopped": lambda names, e: pb.ReplicaStopped(
        replica_id=names.replica(e.replica_id), session=names.session(e.session)
    ),
    "leader_elected": lambda names, e: pb.LeaderElected(
        session=names.session(e.session), epoch=e.epoch, level=e.level
    ),
    "replica_lost": lambda names, e: pb.ReplicaLost(session=names.session(e.session)),
    "replica_address_bound": lambda names, e: pb.ReplicaAddressBound(
        session=names.session(e.session), address=names.place.address(e.address)
    ),
    "token_issued": lambda names, e: pb.TokenIssued(
        token_id=names.token(e.token_id),
        expires_at_ms=e.expires_at_ms,
        label=names.text(e.label),
        max_uses=e.max_uses,
        max_nodes=e.max_nodes,
        node_labels=_labels(names, e.node_labels),
        node_name_prefix=names.text(e.node_name_prefix),
    ),
    "token_revoked": lambda names, e: pb.TokenRevoked(token_id=names.token(e.token_id)),
    "token_expired": lambda names, e: pb.TokenExpired(token_id=names.token(e.token_id)),
    "node_registered": lambda names, e: pb.NodeRegistered(
        node_id=names.node(e.node_id),
        token_id=names.token(e.token_id) if e.token_id else "",
        taken_back=e.taken_back,
        certificates=_certificates(e),
        name=names.text(e.name),
        labels=_labels(names, e.labels),
        facts=_facts(names, e.facts) if e.HasField("facts") else None,
        key_sha256=names.hash(e.key_sha256),
        attempt_id=names.request(e.attempt_id),
        imported=e.imported,
    ),
    "node_updated": lambda names, e: pb.NodeUpdated(
        node_id=names.node(e.node_id),
        name=names.text(e.name) if e.HasField("name") else None,
        labels=pb.Labels(labels=_labels(names, e.labels.labels)) if e.HasField("labels") else None,
        note=names.text(e.note) if e.HasField("note") else None,
    ),
    "node_facts_reported": lambda names, e: pb.NodeFactsReported(
        node_id=names.node(e.node_id), facts=_facts(names, e.facts)
    ),
    "certificates_renewed": lambda names, e: pb.CertificatesRenewed(
        node_id=names.node(e.node_id),
        certificates=_certificates(e),
        key_sha256=names.hash(e.key_sha256),
    ),
    "state_changed": lambda names, e: pb.StateChanged(
        node_id=names.node(e.node_id),
        from_state=e.from_state,
        to_state=e.to_state,
        link_id=names.link(e.link_id),
        reason=e.reason,
        session=names.session(e.session),
    ),
    "address_bound": lambda names, e: pb.AddressBound(
        node_id=names.node(e.node_id),
        address=names.place.address(e.address),
        assigned=e.assigned,
    ),
    "address_released": lambda names, e: pb.AddressReleased(
        node_id=names.node(e.node_id), address=names.place.address(e.address), reason=e.reason
    ),
    "expiry_changed": lambda names, e: pb.ExpiryChanged(
        node_id=names.node(e.node_id), expires_at_ms=e.expires_at_ms
    ),
    "unregistered": lambda names, e: pb.Unregistered(
        node_id=names.node(e.node_id),
        reason=e.reason,
        remembered_until_ms=e.remembered_until_ms,
    ),
    "node_forgotten": lambda names, e: pb.NodeForgotten(node_id=names.node(e.node_id)),
    "administrator_added": lambda names, e: pb.AdministratorAdded(
        name=names.text(e.name),
        role=e.role,
        certificate=pb.Certificate(
            authority=e.certificate.authority,
            serial=names.serial(e.certificate.serial),
            not_after_ms=e.certificate.not_after_ms,
        ),
        installed=e.installed,
    ),
    "administrator_revoked": lambda names, e: pb.AdministratorRevoked(
        serial=names.serial(e.serial), reason=e.reason
    ),
    "litekube_imported": lambda names, e: pb.LitekubeImported(
        database_sha256=names.hash(e.database_sha256), tokens=e.tokens, nodes=e.nodes
    ),
    "replica_invited": lambda names, e: pb.ReplicaInvited(
        invitation_id=names.token(e.invitation_id), expires_at_ms=e.expires_at_ms
    ),
    "invitation_redeemed": lambda names, e: pb.InvitationRedeemed(
        invitation_id=names.token(e.invitation_id),
        replica_id=names.replica(e.replica_id),
        peer_address=names.text(e.peer_address),
        attempt_id=names.request(e.attempt_id),
    ),
    "invitation_ended": lambda names, e: pb.InvitationEnded(
        invitation_id=names.token(e.invitation_id), reason=e.reason
    ),
    "replica_removed": lambda names, e: pb.ReplicaRemoved(replica_id=names.replica(e.replica_id)),
    # one of a state before the slice cannot be made
    "digest_recorded": lambda names, e: pb.DigestRecorded(
        seq=e.seq, digest=names.digests.get(e.seq, "")
    ),
    "log_repaired": lambda _, e: pb.LogRepaired(lost_through_seq=e.lost_through_seq),
}
