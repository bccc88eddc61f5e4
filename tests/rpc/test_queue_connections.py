"""What a process sees of its own TCP connections."""

import socket
from contextlib import closing

from nc.rpc.queue.connections import Connection, Connections


def test_what_was_ended_does_not_count_any_more() -> None:
    """Although its descriptor stays open until gRPC closes it."""
    with (
        closing(Connections()) as connections,
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as peer,
        listening.accept()[0],
    ):

        def accepted() -> list[Connection]:
            port = listening.getsockname()[1]
            return [each for each in connections if each.local_port == port]

        assert [each.port for each in accepted()] == [peer.getsockname()[1]]
        assert connections.end(accepted()) == 1
        assert accepted() == []
