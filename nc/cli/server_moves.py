"""Where a machine that has joined looks for its server: the command line may name a new place."""

import typer
from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.agent.addresses import KnownAddresses
from nc.agent.enrolment import Invitation
from nc.agent.state import NodeIdentity, StateFolder
from nc.cli.server_address import ServerAddress
from nc.pki.errors import InvalidName
from nc.pki.names import general_name
from nc.text import host_port


def known_addresses(
    folder: StateFolder,
    node: NodeIdentity,
    invited: Invitation | None,
    server: str | None,
    log: FilteringBoundLogger,
) -> KnownAddresses:
    """Where the server may be: where the command line says that it is now comes first."""
    known = KnownAddresses(folder.addresses, (node.host, node.port))
    hosts = {host for host, _ in known.all}
    if server is not None:
        known.prefer([_link_port(place.strip(), node.port) for place in server.split(",")])
    elif invited is not None and (new := [h for h, _ in invited.places if h not in hosts]):
        known.prefer([(host, node.port) for host in new])
        places = ", ".join(host_port(host, node.port) for host in new)
        log.info(
            log_events.AGENT_MOVED,
            message=f"this machine has joined with that token already; from now on it looks for "
            f"its server at {places} first; if the link port is another, name it with --server "
            "IP:PORT",
        )
    return known


def _link_port(server: str, port: int) -> tuple[str, int]:
    try:
        place = ServerAddress.parse(server)
    except ValueError:
        place = ServerAddress(server.removeprefix("[").removesuffix("]"), port)
    try:
        general_name(place.host)
    except InvalidName as error:
        raise typer.BadParameter(
            "expected the server's address or name, or IP:PORT, an IPv6 address in brackets",
            param_hint="--server",
        ) from error
    return place.host, place.port
