"""`ncadm status` and `ncadm links`: how the server is, and what goes over its links."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import typer

from nc.cli.ncadm import render
from nc.cli.ncadm.groups.replicas import state_of
from nc.cli.ncadm.render import Column, second, second_utc, size_text
from nc.cli.ncadm.session import client_of, shown
from nc.cli.options import Document, DocumentOption, WatchOption
from nc.client.replicas import Replica
from nc.client.reports import CertificateStatus, ServerStatus
from nc.client.types import Link, NodeLink, PeerServer

if TYPE_CHECKING:
    from nc.client.blocking import Client


def status(
    context: typer.Context, watch: WatchOption = False, output: DocumentOption = Document.TABLE
) -> None:
    """Print how the server is, and what is degraded.

    Example: ncadm status
    """
    with client_of(context) as client:
        shown(lambda: _status_text(client, output), watch=watch)


def _status_text(client: "Client", output: Document) -> str:
    status = client.server.status()
    if output is not Document.TABLE:
        return render.as_data(render.plain(status), output)
    lists_servers = status.log.stream and status.out_of_touch_since is None
    return _status_table(status, client.replicas.list() if lists_servers else ())


def _status_table(status: ServerStatus, replicas: Iterable[Replica]) -> str:
    log = status.log
    state = "" if log.writable else ", cannot be written"
    place = f"{log.stream}, with a copy in {log.folder}" if log.stream else log.folder
    counts = (
        (status.nodes_connected, "CONNECTED"),
        (status.nodes_init, "INIT"),
        (status.nodes_idle, "IDLE"),
    )
    rows = [
        ("version", f"{status.version}, started {second_utc(status.started_at, '?')}"),
        ("advertised", ", ".join(status.advertised_names) or status.advertised),
        ("network", status.network),
        ("addresses", f"{status.addresses_bound} of {status.addresses_total} are bound"),
        ("nodes", ", ".join(f"{count} {name}" for count, name in counts)),
        ("bootstrap tokens", _tokens(status)),
        ("log", f"events {log.first_seq} to {log.last_seq}{state}, in {place}"),
        ("room", f"{size_text(log.size_bytes)} used, {size_text(log.free_bytes)} free"),
        *(("server", _replica(each)) for each in replicas),
        *(("certificate", _certificate(each)) for each in status.certificates),
    ]
    if status.unrenewable_nodes:
        count = status.unrenewable_nodes
        text = f"{count} end within 30 days and cannot be renewed: ncadm nodes list --ending 30d"
        rows.append(("nodes' certificates", text))
    rows += [("degraded", sentence) for sentence in status.degraded] or [("degraded", "nothing is")]
    return render.fields(rows)


def _tokens(status: ServerStatus) -> str:
    over = ((status.tokens_expired, "expired"), (status.tokens_revoked, "revoked"))
    return ", ".join([str(status.tokens), *(f"{count} {what}" for count, what in over if count)])


def _replica(each: Replica) -> str:
    role = "" if each.role is None else f", {each.role}"
    lag = f", lag {each.lag_events} events" if each.lag_events else ""
    since = "" if each.ended is None else f" since {second_utc(each.ended)}"
    return f"{each.id}{' (this one)' if each.self else ''}: {state_of(each)}{since}{role}{lag}"


def _certificate(each: CertificateStatus) -> str:
    renewed = (
        "the server cannot renew it"
        if each.renewed_from is None
        else f"renewed from {second_utc(each.renewed_from)} on"
    )
    return f"{each.authority} {each.kind} ends {second_utc(each.not_after, '?')}; {renewed}"


COLUMNS: Final[tuple[Column[NodeLink], ...]] = (
    Column("node", lambda row: row.name or row.node_id[:8]),
    Column("address", lambda row: row.address or "not yet"),
    Column("peer", lambda row: row.link.peer, rank=2),
    Column("since (UTC)", lambda row: second(row.link.opened_at, "?"), rank=1),
    Column("packets in", lambda row: f"{row.link.packets_in:,}", rank=4, is_number=True),
    Column("bytes in", lambda row: f"{row.link.bytes_in:,}", is_number=True),
    Column("packets out", lambda row: f"{row.link.packets_out:,}", rank=4, is_number=True),
    Column("bytes out", lambda row: f"{row.link.bytes_out:,}", is_number=True),
    Column("dropped", lambda row: f"{_dropped(row.link):,}", rank=3, is_number=True),
)

_DROPPED: Final[tuple[Column[tuple[str, int]], ...]] = (
    Column("dropped because", lambda row: row[0].replace("_", " ")),
    Column("packets", lambda row: f"{row[1]:,}", is_number=True),
)


_PEERS: Final[tuple[Column[PeerServer], ...]] = (
    Column("server", lambda row: row.replica_id or row.session[:8]),
    Column("at", lambda row: row.address or "not known now", rank=1),
    Column("connected", lambda row: "yes" if row.connected else "no"),
    Column("packets in", lambda row: f"{row.packets_in:,}", rank=3, is_number=True),
    Column("bytes in", lambda row: f"{row.bytes_in:,}", is_number=True),
    Column("packets out", lambda row: f"{row.packets_out:,}", rank=3, is_number=True),
    Column("bytes out", lambda row: f"{row.bytes_out:,}", is_number=True),
    Column("dropped", lambda row: f"{sum(row.dropped.values()):,}", rank=2, is_number=True),
)


def _dropped(link: Link) -> int:
    return sum(link.dropped.values())


def links(
    context: typer.Context, watch: WatchOption = False, output: DocumentOption = Document.TABLE
) -> None:
    """Print the links of nodes, the other servers, and what was dropped.

    Example: ncadm links --watch
    """
    with client_of(context) as client:

        def text() -> str:
            found, dropped = list(client.server.links()), client.server.dropped()
            peers = client.server.peers()
            if output is not Document.TABLE:
                data = {
                    "links": render.plain(found),
                    "dropped": dropped,
                    "peers": render.plain(peers),
                }
                return render.as_data(data, output)
            parts = [render.listed(found, COLUMNS, output, none="there are no links")]
            if peers:
                parts += ["", render.table(_PEERS, peers)]
            if dropped:
                parts += ["", render.table(_DROPPED, dropped.items())]
            return "\n".join(parts)

        shown(text, watch=watch)
