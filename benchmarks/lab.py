"""A small network of one's own: a server and two nodes, each in a network namespace, on one bridge.

    server 192.168.77.1 ─┐
    a      192.168.77.2 ─┼─ bridge, in a namespace of its own
    b      192.168.77.3 ─┘

Everything is made by `Lab` and removed with it. Needs root.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

__all__ = ["ADDRESSES", "Lab", "patiently"]

ADDRESSES = {"server": "192.168.77.1", "a": "192.168.77.2", "b": "192.168.77.3"}

# Far beyond what any step takes: it only turns a hang into a failure.
PATIENCE_S = 30.0


class Lab:
    """The namespaces, and what runs in them; `with` makes and removes it all.

    Args:
        addresses: of each machine, by its name.
    """

    def __init__(self, addresses: Mapping[str, str] = ADDRESSES) -> None:
        self.addresses = addresses
        self._prefix = f"nc{os.getpid()}"
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as made:
            bridge = self._namespace(made, "bridge")
            _ip(bridge, "link", "add", "br0", "type", "bridge")
            _ip(bridge, "link", "set", "br0", "up")
            for name, address in self.addresses.items():
                inside = self._namespace(made, name)
                _ip(
                    inside,
                    "link",
                    "add",
                    "eth0",
                    "type",
                    "veth",
                    "peer",
                    "name",
                    f"to-{name}",
                    "netns",
                    bridge,
                )
                _ip(bridge, "link", "set", f"to-{name}", "master", "br0", "up")
                _ip(inside, "addr", "add", f"{address}/24", "dev", "eth0")
                _ip(inside, "link", "set", "eth0", "up")
            self._stack = made.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _namespace(self, made: contextlib.ExitStack, name: str) -> str:
        namespace = f"{self._prefix}-{name}"
        subprocess.run(["ip", "netns", "add", namespace], check=True)
        made.callback(subprocess.run, ["ip", "netns", "del", namespace], check=True)
        _ip(namespace, "link", "set", "lo", "up")
        return namespace

    def namespace(self, where: str) -> str:
        return f"{self._prefix}-{where}"

    def command(self, where: str, *command: str | Path) -> list[str]:
        """What runs a command in a namespace, as itself: `ip netns exec` is replaced by it."""
        return ["ip", "netns", "exec", self.namespace(where), *map(str, command)]

    def run(self, where: str, *command: str | Path) -> str:
        """Run a command to its end; what it printed.

        Raises:
            subprocess.CalledProcessError: it failed.
        """
        return subprocess.run(
            self.command(where, *command), check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    @contextlib.contextmanager
    def running(
        self, where: str, *command: str | Path, log: Path | None = None
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """Have a program run meanwhile; what it says goes into a file."""
        with contextlib.ExitStack() as opened:
            sink = subprocess.DEVNULL if log is None else opened.enter_context(log.open("wb"))
            process = subprocess.Popen(
                self.command(where, *command), stdout=sink, stderr=sink, stdin=subprocess.DEVNULL
            )
            try:
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE_S)


def patiently(is_so: Callable[[], bool], what: str) -> None:
    """Wait until something is so.

    Raises:
        TimeoutError: it takes too long.
    """
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.05)


def _ip(namespace: str, *arguments: str) -> None:
    command: Sequence[str] = ["ip", "-n", namespace, *arguments]
    subprocess.run(command, check=True)
