"""What `log replay` plays of a server that runs: its events, through the API."""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nc.cli.entrypoint import OperationFailed
from nc.cli.log.query import reference
from nc.cli.ncadm.events import recorded
from nc.cli.options import value_of
from nc.cli.server_address import ServerAddress, read_host
from nc.domain.codec.records import Recorded
from nc.history.events import Progress
from nc.secrets import is_id

# How often the progress of reading is reported.
_PROGRESS_EVENTS: Final = 1000

if TYPE_CHECKING:  # imported for a server only, so that a folder needs no gRPC
    from nc.client.blocking import Client
    from nc.client.contexts import Context


def place_of(context: str | None, server: str | None, data_dir: Path | None) -> "Context":
    """The server that is meant.

    Args:
        context: the name of one of ncadm's contexts.
        server: its address, if that is another one.
        data_dir: has the certificates, if no context is named.

    Raises:
        ContextError: there is no such context.
        typer.BadParameter: the address is none.
    """
    from nc.client.contexts import Context

    if context is not None:
        found = Context.named(context)
    else:
        found = Context.current() if data_dir is None else Context.of_data_dir(data_dir)
    if server is None:
        return found
    with contextlib.suppress(ValueError):
        return replace(found, host=read_host(server))
    with value_of("--server"):
        address = ServerAddress.parse(server)
    return replace(found, host=address.host, port=address.port)


class ServerLog:
    """The log of a server, to be played from its first event on.

    Args:
        place: the server, and the operator's certificate.
    """

    def __init__(self, place: "Context") -> None:
        self._place = place
        with self._client() as client:
            log = client.server.status().log
        if log.first_seq > 1:
            raise OperationFailed(
                f"the server's log begins with event {log.first_seq}, and the state before it is "
                "not to be had through the API: play its folder, or a copy, with --log"
            )
        self.last_seq = log.last_seq
        self.title = f"{place.host}:{place.port}"

    @contextlib.contextmanager
    def _client(self) -> "Iterator[Client]":
        from nc.cli.ncadm.certificates import explained
        from nc.client.blocking import Client
        from nc.client.pem_files import UnusableFile

        logging.getLogger("grpc").setLevel(logging.CRITICAL)
        try:
            with Client(self._place) as client:
                yield client
        except UnusableFile as error:
            raise explained(error) from error

    def node(self, text: str) -> str:
        """The id of a node; one that is gone is meant by its whole id.

        Raises:
            CallFailed: the server knows none, or several.
        """
        given = reference(text)
        if is_id(given.lower()):
            return given.lower()
        with self._client() as client:
            return client.nodes.get(given).id

    def events(self, progress: Progress) -> list[Recorded]:
        """All of them, up to the end that the log had; `progress` is told how far it is."""
        found: list[Recorded] = []
        with self._client() as client:
            for event in client.events.read(1):
                new = recorded(event)
                if found and found[-1].entry == new.entry:
                    new = new._replace(entry=found[-1].entry)  # kept once
                found.append(new)
                if not event.seq % _PROGRESS_EVENTS:
                    progress(event.seq)
        return found
