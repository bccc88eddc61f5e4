"""Turns: links that keep the server busy are read one after the other, so that control comes first.

The event loop reads every link that has something to say in each of its turns: 16 KiB, which may be
two hundred packets and a millisecond. With twenty such links a turn takes twenty, and everything
else (handshakes, commands, the packets of quiet links) waits for it. So a link whose reading was
much work is read again only when its turn has come: one such link in one turn of the loop. Nobody's
throughput is lost, since the loop never waits. Bulk data is no work: a packet of 64 KiB is one.
"""

import asyncio
from typing import Final, Protocol

# So many packets and frames in one reading are much work: a few tenths of a millisecond.
MUCH_WORK: Final = 64


# How many links something is done for in one turn of the event loop that all of them get: it takes
# some ten microseconds each.
LINKS_PER_TURN: Final = 50


class Readable(Protocol):
    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Turns:
    def __init__(self) -> None:
        self._waiting: dict[Readable, None] = {}

    def wait(self, link: Readable) -> None:
        """Read this link no further until its turn has come."""
        if link in self._waiting:
            return
        loop = asyncio.get_running_loop()
        # Not here, in the middle of a reading: aiofastnet would forget what it holds decrypted. In
        # the next turn this comes before any reading.
        loop.call_soon(link.pause_reading)
        if not self._waiting:
            loop.call_soon(self._next)
        self._waiting[link] = None

    def _next(self) -> None:
        link = next(iter(self._waiting))
        del self._waiting[link]
        link.resume_reading()
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
