"""What the server's log says of a start, for operators."""

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.data_folder import DataFolder
from nc.domain.state import State
from nc.rpc.api import Endpoints
from nc.rpc.queue.connections import may_filter
from nc.server.server import VERSION
from nc.server.settings import ServerSettings


def report_start(
    settings: ServerSettings, endpoints: Endpoints, logger: FilteringBoundLogger
) -> None:
    logger.info(
        log_events.SERVER_STARTED,
        version=VERSION,
        advertise=",".join(settings.advertise),
        grpc_port=endpoints.control_port,
        bootstrap_port=endpoints.bootstrap_port,
        link_port=endpoints.link_port,
        network=settings.network_addr,
        data_dir=str(settings.data_dir),
    )
    if settings.internal_port is not None:
        logger.warning(
            log_events.SERVER_INTERNAL_PORT,
            message=f"port {settings.internal_port} on {settings.internal_listen} asks for no "
            "certificate: any client that reaches it and knows a node token, also the node itself, "
            "may change when the token expires; keep the port on loopback",
        )
    if settings.plaintext:
        logger.warning(
            log_events.SERVER_PLAINTEXT,
            message="no TLS: every client that reaches the ports may do everything, and read "
            "the keys that are handed out; for development only, elsewhere leave --plaintext out",
        )
    if not may_filter():
        logger.warning(
            log_events.RPC_UNFILTERED,
            message="this machine's kernel asks for CAP_NET_ADMIN to drop what callers send, which "
            "this server does not have: it ends connections of callers that loop, but they may "
            "connect again at once; where strangers reach its ports, start it as root or with that "
            "capability, as packaging/systemd does",
        )


def warn_of_folder(folder: DataFolder, logger: FilteringBoundLogger) -> None:
    for warning in folder.permission_warnings():
        logger.warning(log_events.FOLDER_WARNING, message=warning)


def warn_of_database(folder: DataFolder, state: State, logger: FilteringBoundLogger) -> None:
    """Warn of an upstream server's database in the data folder, if none was imported."""
    database = folder.upstream_database
    if database.exists() and not state.imported:
        logger.warning(
            log_events.SERVER_UPSTREAM_DATABASE,
            message=f"{database} is an upstream server's database, and the nodes in it are not "
            "known here; to import them stop this server and run network-controller "
            f"import-litekube --data-dir {folder.path} --db {database}, with the options that its "
            "--help names (docs/how-to/from-litekube.md); or move the file away",
        )
