"""The address of the stream that keeps a cluster's log, as people give it."""

import re
from typing import TYPE_CHECKING, Annotated, Final

import typer

from nc.cli.extras import require_extra
from nc.errors import ConfigError

if TYPE_CHECKING:
    from eventlog.jetstream import StreamAddress

ClusterOption = Annotated[
    str | None,
    typer.Option(
        metavar="nats://HOST[,…]/STREAM?monitor=PORT",
        help="Keep the event log in a stream of NATS JetStream, which a first start makes, and a "
        "copy of it in the data folder (docs/how-to/replicas.md). Default: in the data folder.",
    ),
]
ClusterReplicasOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="How many servers of NATS keep a stream that is made; any number of servers like "
        "this one may share it. Default: 3",
    ),
]

# As typed: a path has one slash where an address has two. One of another scheme is no path, either.
_ADDRESS: Final = re.compile(r"(nats|tls):/|[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def stream_in(place: str | None) -> str | None:
    """The place that an option names, if it is an address, right or wrong; None: it is a path."""
    return place if place is not None and _ADDRESS.match(place) else None


def stream_address(option: str, address: str) -> "StreamAddress":
    """Read the value of an option, for which a package has to be installed.

    Raises:
        OperationFailed: it is missing; the message has the command that installs it.
        ConfigError: it is no address.
    """
    require_extra("cluster", "nats")
    from eventlog.jetstream.address import AddressWrong, StreamAddress

    try:
        return StreamAddress.parse(address)
    except AddressWrong as error:
        raise ConfigError(f"{option}: {error}") from error


def require_stream_address(address: str) -> None:
    """Check the value of `--cluster`; raises as `stream_address` does."""
    parsed = stream_address("--cluster", address)
    if parsed.monitor is None:
        raise ConfigError(
            f"--cluster: whether the servers of {parsed} keep what they acknowledge is shown on "
            "their monitoring page alone; add ?monitor=PORT"
        )
