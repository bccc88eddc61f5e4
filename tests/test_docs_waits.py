"""docs/reference/waits.md has the times that are in the code."""

import re
from pathlib import Path
from typing import Final

import pytest

from eventlog.jetstream import connection, log, moving, publishing, tail
from nc import backoff
from nc.agent import agent, renewal, renewal_call
from nc.agent import connection as link
from nc.client import channel
from nc.client.areas import events, history
from nc.domain import invitations, limits, tokens
from nc.hub import mesh, peer_link, reachable
from nc.hub.limits import Limits as LinkLimits
from nc.net import watch
from nc.replica import leadership, leases, replica, shared, touch
from nc.rpc.admin import history as past
from nc.rpc.admin import watching
from nc.rpc.queue import hang_up, held_back
from nc.rpc.queue.limits import Limits
from nc.server import membership, server

PAGE: Final = Path(__file__).parent.parent / "docs" / "reference" / "waits.md"

LINKS, CALLS = LinkLimits(), Limits()
HOUR: Final = 3600
DAY: Final = 24 * HOUR

# The beginning of a row, and the seconds that it has to name, in order.
ROWS: Final = {
    "a call for its message": (CALLS.body_s,),
    "an answer that nobody reads": (CALLS.answer_s,),
    "a caller that goes on": (hang_up.SILENT_S,),
    "an address whose callers": (held_back.HELD_S,),
    "a message of `Events/Watch`": (watching.QUIET_S, watching.PATIENCE_S),
    "`History/At`": (past._PATIENCE_S,),
    "a connection to the link port": (LINKS.first_byte_timeout_s,),
    "TLS and the upgrade": (LINKS.upgrade_timeout_s, LINKS.hello_timeout_s),
    "a newcomer that sends": (LINKS.patience_s,),
    "a link that is silent": (LINKS.silence_timeout_s, LINKS.silence_timeout_s / 3),
    "a bootstrap token that": (tokens.EXPIRED_TOKEN_RETENTION_MS / 1000,),
    "an idle node's address": (limits.DEFAULT_RECLAIM_AFTER_MS / 1000,),
    "a link, from the first": (link.CONNECT_TIMEOUT_S, agent._FIRST_ROUND_TIMEOUT_S),
    "a silent server": (
        *(link.SILENCE_LIMIT_S, link.PING_INTERVAL_S),
        *(link.SHORT_SILENCE_LIMIT_S, link.SHORT_PING_INTERVAL_S),
    ),
    "the next try after a failure": (backoff.FIRST_S, backoff.LONGEST_S),
    "the next try after a refusal": (backoff.FIRST_REFUSED_S, backoff.LONGEST_REFUSED_S),
    "a renewal that": (renewal_call._TIMEOUT_S, backoff.FIRST_REFUSED_S, renewal._LONGEST_PAUSE_S),
    "a route or an address": (watch.FIRST_PAUSE_S, watch.LONGEST_PAUSE_S, watch.QUIET_S),
    "a call of `ncadm`": (channel.DEFAULT_TIMEOUT_S, history.TIMEOUT_S),
    "a watch on which": (events.SILENCE_S,),
    "a server that has heard": (leases.FOLLOWER_LEASE_S,),
    "a query at": (touch.CURRENT_WAIT_S,),
    "a change for a leader": (touch.CHANGE_WAIT_S,),
    "a change for a server that has broken": (leases.BROKEN_OUT_AFTER_S,),
    "a change for a server that is silent": (leases.OUT_AFTER_S,),
    "a server of which": (leadership.LOST_AFTER_LOOKS / 2,),
    "the others for": (leadership.SILENCE_S,),
    "a server out of touch that": (touch.LEAVE_AFTER_S,),
    "the only server": (leases.NEWCOMER_S,),
    "queries, while too few": (leases.APPEND_LEASE_S,),
    "a connection between two": (
        *(peer_link.SILENCE_LIMIT_S, peer_link.PING_INTERVAL_S),
        mesh._LONGEST_S,
    ),
    "an invitation": (invitations.DEFAULT_LIFETIME_S,),
    "a start, for any": (connection.LET_IN_S,),
    "a start or a reader": (tail._PATIENCE_S,),
    "an append, for an answer": (publishing.TRY_S,),
    "an append, for a majority": (log.BUSY_AFTER_S,),
    "a full disk": (replica.ROOM_CHECK_INTERVAL_S,),
    "`log move`": (moving._PATIENCE_S,),
    "a stop, for calls": (server.STOP_GRACE_S,),
    "a stop, for nodes": (reachable._GOING_S,),
    "a stop, for links": (LINKS.close_timeout_s,),
    "a stop of one of several servers, for": (membership._LEAVE_S,),
    "a stop of one of several servers, at": (shared._LAST_APPEND_S,),
}
UNITS: Final = {"s": 1, "min": 60, "h": HOUR, "d": DAY}


@pytest.mark.parametrize("beginning", ROWS)
def test_a_row_names_the_times_that_the_code_has(beginning: str) -> None:
    """A time that changes in the code changes on the page, too."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    (row,) = (line for line in lines if line.startswith(f"| {beginning}"))
    cell = row.split("|")[2]
    named = [
        float(number) * UNITS[unit]
        for number, unit in re.findall(r"(\d+(?:\.\d+)?) (s|min|h|d)\b", cell)
    ]
    times = iter(named)
    assert all(any(time == wanted for time in times) for wanted in ROWS[beginning]), named
