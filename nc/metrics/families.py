"""The metrics: their names, what they mean, and where each is read."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric

from nc.domain.events import pb
from nc.domain.invitations import lost_replicas
from nc.hub.hub import Hub
from nc.hub.ports import Drop
from nc.hub.refusals import Refusal
from nc.metrics.calls import calls
from nc.metrics.census import Census, Counted
from nc.metrics.loop_lag import LoopLag
from nc.metrics.shapes import counter, gauge, histogram, labelled, labelled_counter
from nc.metrics.sources import Sources
from nc.metrics.tally import Tally
from nc.replica.role import Role
from nc.rpc.admin.server import ServerFacts

_MS_PER_S: Final = 1000

# Why links end, by the names of the reasons.
_ENDS: Final = {
    name.removeprefix("STATE_CHANGE_REASON_").lower(): number
    for name, number in pb.StateChangeReason.items()
    if number
    not in {
        pb.STATE_CHANGE_REASON_UNSPECIFIED,
        pb.STATE_CHANGE_REASON_LINK_ACCEPTED,
        pb.STATE_CHANGE_REASON_ADDRESS_HANDED_OVER,
    }
}


class Families:
    """Gives every metric of a server when it is asked: a collector, for any thread."""

    def __init__(self, sources: Sources, tally: Tally, census: Census, lag: LoopLag) -> None:
        self._sources = sources
        self._tally = tally
        self._census = census
        self._lag = lag

    def collect(self) -> Iterator[Metric]:
        sources = self._sources
        yield from calls(sources.calls)
        yield from self._nodes()
        yield from links(sources.hub, self._tally)
        yield from peers(sources.hub)
        yield from replica_role(sources.role)
        yield from self._events()
        yield from self._refusals()
        yield from self._server()
        if (counted := self._census.last) is not None:
            yield from of_census(counted)

    def _nodes(self) -> Iterator[Metric]:
        state, tally = self._sources.replica.state, self._tally
        connected, beginning = tally.connected(), tally.beginning()
        by_state = {
            "idle": max(0, len(state.nodes) - connected - beginning),
            "init": beginning,
            "connected": connected,
        }
        yield labelled("nc_nodes", "Registered nodes, by the state of their link.", state=by_state)
        waiting = len(self._sources.waiting)
        yield gauge(
            "nc_nodes_unknown",
            "Nodes that show a certificate of this cluster, and that the log does not know.",
            waiting,
        )
        network = state.addresses.network
        yield gauge(
            "nc_addresses", "Addresses that the overlay network has for nodes.", network.capacity
        )
        yield gauge(
            "nc_addresses_bound",
            "Addresses that nodes hold, with a link or without.",
            len(state.addresses.by_node),
        )
        yield gauge(
            "nc_bootstrap_tokens",
            "Bootstrap tokens that were issued and are not forgotten, also those that have ended.",
            len(state.tokens),
        )

    def _events(self) -> Iterator[Metric]:
        replica = self._sources.replica
        yield labelled_counter(
            "nc_events",
            "Events that were appended to the log since the start, by kind.",
            kind=dict(self._tally.events),
        )
        yield gauge(
            "nc_log_last_seq", "The sequence number of the newest event.", replica.state.seq
        )
        yield gauge(
            "nc_log_writable",
            "1: changes can be made durable; 0: the log cannot be written now.",
            int(replica.takes_changes),
        )
        yield histogram(
            "nc_append_duration_seconds",
            "How long it took to append a record to the log and make it durable.",
            replica.append_durations,
        )
        yield gauge("nc_commands_queued", "Commands that wait to be decided.", len(replica.queue))
        yield gauge(
            "nc_snapshot_events_behind",
            "Events since the newest snapshot: so many does a start replay.",
            replica.state.seq - replica.snapshots.written_seq,
        )

    def _refusals(self) -> Iterator[Metric]:
        abuse = self._sources.abuse
        by_reason = {
            "wrong_token": abuse.wrong_tokens,
            "too_many_wrong_tokens": abuse.not_looked_at,
            "connection_ended": abuse.hung_up,
        }
        yield labelled_counter(
            "nc_abuse_refusals",
            "Refusals of who guesses tokens, or goes on although refused, by reason.",
            reason=by_reason,
        )
        refused = self._sources.hub.acceptor.refused
        yield labelled_counter(
            "nc_links_refused",
            "Connections to the link port that became no link, by reason.",
            reason={each.value: refused[each] for each in Refusal},
        )

    def _server(self) -> Iterator[Metric]:
        sources = self._sources
        build = GaugeMetricFamily(
            "nc_build_info", "1, with this server's version.", labels=["version"]
        )
        build.add_metric([sources.version], 1)
        yield build
        yield gauge("nc_watches", "Watches of events that are open.", sources.watches())
        yield counter(
            "nc_clock_steps",
            "How often this machine's clock was set by half a second or more.",
            sources.clock_watch.steps,
        )
        yield histogram(
            "nc_event_loop_lag_seconds",
            "How late the event loop was, four times a second: links and changes wait as long.",
            self._lag.lags,
        )


def links(hub: Hub, tally: Tally) -> Iterator[Metric]:
    beginning = len(hub.handshakes)
    yield labelled(
        "nc_links",
        "Links that this server holds; those in their handshake have no address yet.",
        phase={"handshake": beginning, "open": max(0, len(hub.sessions) - beginning)},
    )
    acceptor = hub.acceptor
    yield labelled(
        "nc_newcomers",
        "Connections to the link port that are no link yet, by what they wait for.",
        phase={
            "first_byte": len(acceptor.silent),
            "place": len(acceptor.ready),
            "request": len(acceptor.beginning),
        },
    )
    yield labelled_counter(
        "nc_links_ended",
        "Links that have ended since the start, by reason.",
        reason={name: tally.ends[number] for name, number in _ENDS.items()},
    )
    switch = hub.switch
    yield counter(
        "nc_packets_received",
        "Packets that came from nodes, other servers and this machine.",
        switch.packets_in,
    )
    yield counter("nc_received_bytes", "Bytes of these packets.", switch.bytes_in)
    yield labelled_counter(
        "nc_packets_dropped",
        "Packets that went nowhere, by reason.",
        reason={each.value: switch.drops[each] for each in Drop},
    )


def peers(hub: Hub) -> Iterator[Metric]:
    """Those of a server without a mesh are 0."""
    mesh = hub.mesh
    ports = [] if mesh is None else list(mesh.nodes.ports.values())
    totals = Counter[str]() if mesh is None else mesh.nodes.totals()
    away = sum(port.is_away for port in ports)
    yield labelled(
        "nc_peers",
        "Other servers of this network, by whether there is a connection to them.",
        state={"away": away, "connected": len(ports) - away},
    )
    yield labelled_counter(
        "nc_peer_packets",
        "Packets exchanged with other servers, by direction.",
        direction={"in": totals["packets_in"], "out": totals["packets_out"]},
    )
    yield labelled_counter(
        "nc_peer_bytes",
        "Bytes of these packets.",
        direction={"in": totals["bytes_in"], "out": totals["bytes_out"]},
    )
    yield counter(
        "nc_peer_connections_failed",
        "Connections to other servers that were not made, or not for the right one.",
        0 if mesh is None else mesh.failed,
    )


def replica_role(role: Role | None) -> Iterator[Metric]:
    """A server that has no others leads."""
    state = None if role is None else role.replica.state
    yield gauge(
        "nc_replica_leads",
        "1: this server decides all changes; 0: another one does, or nobody.",
        role is None or role.replica.leads,
    )
    yield gauge(
        "nc_replica_answers",
        "1: this server may answer queries; 0: it does not know whether its state is the newest.",
        role is None or role.may_answer(),
    )
    yield gauge(
        "nc_replica_lag_events",
        "Events that this server lacks of those that it knows were acknowledged.",
        0 if role is None else role.lag_events,
    )
    yield gauge(
        "nc_replicas_lost",
        "Servers of the cluster that ended without a stop, and have not begun again.",
        0 if state is None else len(lost_replicas(state.membership, state.sessions)),
    )


def of_census(counted: Counted) -> Iterator[Metric]:
    yield gauge(
        "nc_census_timestamp_seconds",
        "When the metrics below were found out, which is done every 30 s; Unix time.",
        counted.at_ms / _MS_PER_S,
    )
    yield labelled(
        "nc_nodes_offline",
        "Nodes that may have a link and have had none for so long, or since they registered.",
        at_least=counted.offline,
    )
    yield gauge(
        "nc_nodes_flapping",
        "Nodes that lost their link five times or more within the last 15 to 30 minutes.",
        counted.flapping,
    )
    yield gauge("nc_nodes_expired", "Nodes whose expiry has passed.", counted.expired)
    yield gauge(
        "nc_nodes_unrenewable",
        "Nodes whose certificates have ended or end within 30 days, and cannot be renewed.",
        counted.unrenewable,
    )
    if counted.snapshot_s is not None:
        yield gauge(
            "nc_snapshot_timestamp_seconds",
            "When the newest snapshot was written; Unix time.",
            counted.snapshot_s,
        )
    if counted.facts is not None:
        yield from of_facts(counted.facts)


def of_facts(facts: ServerFacts) -> Iterator[Metric]:
    if facts.log.folder:
        yield gauge("nc_log_size_bytes", "Size of the log's files.", facts.log.size_bytes)
        yield gauge("nc_log_free_bytes", "Free room on the log's disk.", facts.log.free_bytes)
    ends = GaugeMetricFamily(
        "nc_certificate_end_timestamp_seconds",
        "When the server's own certificates end, by authority and kind; Unix time.",
        labels=["authority", "kind"],
    )
    soonest: dict[tuple[str, str], int] = {}
    for each in facts.certificates:
        of = (each.authority, each.kind)
        soonest[of] = min(each.not_after_ms, soonest.get(of, each.not_after_ms))
    for of, not_after_ms in soonest.items():
        ends.add_metric(of, not_after_ms / _MS_PER_S)
    yield ends
    yield gauge(
        "nc_degraded",
        "How many things are wrong with the server now; ncadm status says which.",
        len(facts.degraded),
    )
