"""Any event at all: every kind, with fields that are well-formed and otherwise make no sense."""

from ipaddress import IPv4Address

from hypothesis import strategies as st

from nc.domain.events import (
    AddressBound,
    AddressReleased,
    AdministratorAdded,
    AdministratorRevoked,
    Certificate,
    CertificatesRenewed,
    DigestRecorded,
    Event,
    ExpiryChanged,
    InvitationEnded,
    InvitationRedeemed,
    Label,
    Labels,
    LeaderElected,
    LitekubeImported,
    LogRepaired,
    NodeFacts,
    NodeFactsReported,
    NodeForgotten,
    NodeRegistered,
    NodeUpdated,
    ReplicaAddressBound,
    ReplicaInvited,
    ReplicaLost,
    ReplicaRemoved,
    ReplicaStarted,
    ReplicaStopped,
    StateChanged,
    TokenExpired,
    TokenIssued,
    TokenRevoked,
    Unregistered,
    pb,
)

keys = st.binary(max_size=4).map(bytes.hex)
ids = st.sampled_from(["", "a", "b", "c"]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=3
)
times_ms = st.integers(-(2**63), 2**63 - 1)
addresses = st.builds(IPv4Address, st.integers(0, 2**32 - 1)).map(str) | st.integers(0, 16).map(
    lambda host: f"10.1.1.{host}"
)
states = st.sampled_from(
    [pb.CONNECTION_STATE_IDLE, pb.CONNECTION_STATE_INIT, pb.CONNECTION_STATE_CONNECTED]
)
networks = st.sampled_from(
    ["10.1.1.1/24", "10.1.1.0/24", "10.1.1.9/28", "10.0.0.1/8", "1.2.3.4/29"]
)

counts = st.integers(0, 3)
labels = st.dictionaries(ids, ids, max_size=2).map(
    lambda pairs: [Label(key=key, value=value) for key, value in sorted(pairs.items())]
)
facts = st.builds(NodeFacts, hostname=ids, os=ids, peer_address=ids)
certificates = st.lists(st.builds(Certificate, serial=ids, not_after_ms=times_ms), max_size=2)

events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        Event,
        replica_started=st.builds(
            ReplicaStarted,
            replica_id=ids,
            version=ids,
            network_address=networks,
            key_check=ids,
            grpc_authority=ids,
            network_authority=ids,
            session=ids,
            is_alone=st.booleans(),
        ),
    ),
    st.builds(Event, replica_stopped=st.builds(ReplicaStopped, replica_id=ids, session=ids)),
    st.builds(
        Event,
        replica_invited=st.builds(ReplicaInvited, invitation_id=ids, expires_at_ms=times_ms),
    ),
    st.builds(
        Event,
        invitation_redeemed=st.builds(
            InvitationRedeemed,
            invitation_id=ids,
            replica_id=ids,
            peer_address=ids,
            attempt_id=ids,
        ),
    ),
    st.builds(
        Event,
        invitation_ended=st.builds(
            InvitationEnded, invitation_id=ids, reason=st.sampled_from([1, 2])
        ),
    ),
    st.builds(Event, replica_removed=st.builds(ReplicaRemoved, replica_id=ids)),
    st.builds(
        Event,
        leader_elected=st.builds(
            LeaderElected, session=ids, epoch=counts, address=ids, level=counts
        ),
    ),
    st.builds(Event, replica_lost=st.builds(ReplicaLost, session=ids)),
    st.builds(
        Event,
        replica_address_bound=st.builds(ReplicaAddressBound, session=ids, address=addresses),
    ),
    st.builds(
        Event,
        token_issued=st.builds(
            TokenIssued,
            token_id=ids,
            expires_at_ms=times_ms,
            label=ids,
            max_uses=counts,
            max_nodes=counts,
            node_labels=labels,
            node_name_prefix=ids,
        ),
    ),
    st.builds(Event, token_revoked=st.builds(TokenRevoked, token_id=ids)),
    st.builds(Event, token_expired=st.builds(TokenExpired, token_id=ids)),
    st.builds(
        Event,
        node_registered=st.builds(
            NodeRegistered,
            node_id=ids,
            token_id=ids,
            certificates=certificates,
            name=ids,
            labels=labels,
            facts=st.none() | facts,
            key_sha256=keys,
            attempt_id=ids,
            imported=st.booleans(),
        ),
    ),
    st.builds(
        Event,
        node_updated=st.builds(
            NodeUpdated,
            node_id=ids,
            name=st.none() | ids,
            labels=st.none() | st.builds(Labels, labels=labels),
            note=st.none() | ids,
        ),
    ),
    st.builds(Event, node_facts_reported=st.builds(NodeFactsReported, node_id=ids, facts=facts)),
    st.builds(
        Event,
        certificates_renewed=st.builds(
            CertificatesRenewed, node_id=ids, certificates=certificates, key_sha256=keys
        ),
    ),
    st.builds(
        Event,
        administrator_added=st.builds(
            AdministratorAdded,
            name=ids,
            role=st.sampled_from(pb.AdministratorRole.values()),
            certificate=st.builds(Certificate, serial=ids, not_after_ms=times_ms),
            installed=st.booleans(),
        ),
    ),
    st.builds(
        Event,
        administrator_revoked=st.builds(
            AdministratorRevoked,
            serial=ids,
            reason=st.sampled_from(pb.AdministratorRevocationReason.values()),
        ),
    ),
    st.builds(Event, litekube_imported=st.builds(LitekubeImported, database_sha256=ids)),
    st.builds(
        Event,
        state_changed=st.builds(
            StateChanged,
            node_id=ids,
            from_state=states,
            to_state=states,
            link_id=ids,
            reason=st.sampled_from(pb.StateChangeReason.values()),
            session=ids,
        ),
    ),
    st.builds(
        Event,
        address_bound=st.builds(
            AddressBound, node_id=ids, address=addresses, assigned=st.booleans()
        ),
    ),
    st.builds(
        Event,
        address_released=st.builds(
            AddressReleased,
            node_id=ids,
            address=addresses,
            reason=st.sampled_from(pb.AddressReleaseReason.values()),
        ),
    ),
    st.builds(Event, expiry_changed=st.builds(ExpiryChanged, node_id=ids, expires_at_ms=times_ms)),
    st.builds(
        Event, unregistered=st.builds(Unregistered, node_id=ids, remembered_until_ms=times_ms)
    ),
    st.builds(Event, node_forgotten=st.builds(NodeForgotten, node_id=ids)),
    st.builds(Event, digest_recorded=st.builds(DigestRecorded, seq=times_ms, digest=ids)),
    st.builds(Event, log_repaired=st.builds(LogRepaired, lost_through_seq=times_ms, damage=ids)),
)

_PEOPLED = [
    event
    for node_id, host in (("a", 3), ("b", 5), ("c", 7))
    for event in (
        Event(node_registered=NodeRegistered(node_id=node_id)),
        Event(address_bound=AddressBound(node_id=node_id, address=f"10.1.1.{host}")),
        Event(state_changed=StateChanged(node_id=node_id, to_state=pb.CONNECTION_STATE_CONNECTED)),
    )
]

# Any events, half of the times after a few nodes have come, so that something becomes of them.
histories = st.builds(
    list[Event].__add__, st.sampled_from([[], _PEOPLED]), st.lists(events, max_size=20)
)
