"""What an older version records, while it leads, of a server that asks again for its start."""

from nc.domain.events import Event, ReplicaStarted, StateChanged, pb
from nc.domain.levels import LEVEL
from nc.domain.state import State


def started_again(state: State, session: str, network: str) -> list[Event]:
    """A second start of the session, which ends the links that it holds; today's records none."""
    started = ReplicaStarted(
        replica_id=state.sessions[session],
        version="0",
        network_address=network,
        session=session,
        level=LEVEL,
    )
    ends = (
        StateChanged(
            node_id=node_id,
            from_state=link.state.value,
            to_state=pb.CONNECTION_STATE_IDLE,
            link_id=link.link_id,
            reason=pb.STATE_CHANGE_REASON_REPLICA_RESTARTED,
            session=session,
        )
        for node_id, link in sorted(state.links.items())
        if link.session == session
    )
    return [Event(replica_started=started), *(Event(state_changed=end) for end in ends)]
