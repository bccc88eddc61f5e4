"""Connects to the first of a host's addresses that answers (RFC 8305, "happy eyeballs").

An address that swallows packets must not hide one that works: the next is tried beside it after a
short delay, families in turn. The link does the same by way of its library, with this delay, and
gRPC does it by itself, with the same.
"""

import asyncio
import socket
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Any, Final

ATTEMPT_DELAY_S: Final = 0.25  # RFC 8305, 5

AddressInfo = tuple[int, int, int, str, Any]  # as `getaddrinfo` gives it


async def dial(host: str, port: int, timeout_s: float) -> socket.socket:
    """A connected socket, not blocking.

    Raises:
        OSError: no address answers, or not in time; the last one's reason.
        UnicodeError: the host is no name.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            return await _first_connected(in_turn(found))
    except TimeoutError:
        raise TimeoutError("timed out") from None


def in_turn(found: "Sequence[AddressInfo]") -> "list[AddressInfo]":
    """The addresses with their families in turn, the family of the first one first."""
    first = [info for info in found if info[0] == found[0][0]]
    second = [info for info in found if info[0] != found[0][0]]
    return [info for info in chain(*zip_longest(first, second)) if info is not None]


async def _first_connected(addresses: "list[AddressInfo]") -> socket.socket:
    waiting = list(addresses)
    attempts: set[asyncio.Task[socket.socket]] = set()
    last_error: BaseException = OSError("the name has no address")
    try:
        while waiting or attempts:
            if waiting:
                attempts.add(asyncio.create_task(_connect(waiting.pop(0))))
            done, attempts = await asyncio.wait(
                attempts,
                timeout=ATTEMPT_DELAY_S if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            connected = [attempt.result() for attempt in done if attempt.exception() is None]
            for beaten in connected[1:]:
                beaten.close()
            if connected:
                return connected[0]
            for attempt in done:
                last_error = attempt.exception() or last_error
        raise last_error
    finally:
        for attempt in attempts:
            attempt.cancel()
            attempt.add_done_callback(_close)


def _close(attempt: "asyncio.Task[socket.socket]") -> None:
    """A connection that came too late."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


async def _connect(info: AddressInfo) -> socket.socket:
    family, kind, protocol, _, address = info
    connection = socket.socket(family, kind, protocol)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection
