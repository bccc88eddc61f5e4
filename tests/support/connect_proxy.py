"""An HTTP proxy that knows CONNECT alone, on a thread of its own."""

import contextlib
import socket
import threading
from typing import Self


class ConnectProxy:
    """Open within `with`.

    Args:
        status: what it answers; beside 200 it connects to nothing.

    Attributes:
        targets: what it was asked to connect to.
        heads: the requests.
    """

    def __init__(self, status: str = "200 OK") -> None:
        self.targets: list[str] = []
        self.heads: list[str] = []
        self._status = status
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = [self._listener]

    @property
    def url(self) -> str:
        """As `--proxy` takes it."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1) or b"\r\n\r\n"
            self.heads.append(head.decode())
            target = head.split(b" ")[1].decode()
            self.targets.append(target)
            if not self._status.startswith("200"):
                client.sendall(f"HTTP/1.1 {self._status}\r\nContent-Length: 0\r\n\r\n".encode())
                client.close()
                return
            host, _, port = target.rpartition(":")
            server = socket.create_connection((host.strip("[]"), int(port)))
            self._sockets.append(server)
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            threading.Thread(target=_pump, args=(server, client), daemon=True).start()
            _pump(client, server)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
