"""The heartbeat: pings idle sessions, and reports those that stay silent for too long.

Checks are counted, not seconds: while this process is suspended, no session becomes idle. It also
reports sessions whose certificate has ended, by the clock; if that was just set forward, only once
it has been steady for a while: it may have been a mistake.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from nc.clock import Clock, now_ms
from nc.clock_watch import ClockWatch
from nc.hub.turns import LINKS_PER_TURN

if TYPE_CHECKING:
    from nc.hub.hub import Hub

# How often a session is checked within the time that it may be silent.
CHECKS_PER_TIMEOUT: Final = 30

# After how many checks without a frame a ping is sent: every third of that time.
CHECKS_BEFORE_PING: Final = 10


class Heartbeat:
    """Checks the sessions of one hub.

    Args:
        timeout_s: how long a session may be silent.
    """

    def __init__(self, hub: "Hub", clock: Clock, timeout_s: float) -> None:
        self._hub = hub
        self._clock = clock
        self._watch = ClockWatch(clock)
        self._interval_s = timeout_s / CHECKS_PER_TIMEOUT

    async def run(self) -> None:
        """Check all sessions again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._interval_s)
            self._watch.look()
            for count, link_id in enumerate(list(self._hub.sessions), 1):
                self.check(link_id)  # no session in a variable here: it would live on in memory
                if count % LINKS_PER_TURN == 0:
                    await asyncio.sleep(0)

    def check(self, link_id: str) -> None:
        """Note whether a frame came; ping a session without one, or end one whose time is over."""
        if (link := self._hub.sessions.get(link_id)) is None:
            return
        link.heard, link.idle_ticks = False, 0 if link.heard else link.idle_ticks + 1
        if link.ends_at_ms is not None and self._has_passed(link.ends_at_ms):
            self._hub.on_certificate_ended(link)
        elif link.idle_ticks >= CHECKS_PER_TIMEOUT:
            self._hub.on_silent(link)
        elif link.idle_ticks and link.idle_ticks % CHECKS_BEFORE_PING == 0:
            link.ping()

    def _has_passed(self, end_ms: int) -> bool:
        if now_ms(self._clock) < end_ms:
            return False
        self._watch.look()
        return self._watch.is_steady
