"""What else is known about a link that failed: mostly of clocks."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from nc.agent.link_errors import LinkEnded, UntrustedServer
from nc.client.certificate_dates import explain_dates
from nc.clock_watch import difference_text
from nc.net.wire import Address


async def hints_for(
    error: LinkEnded, now: datetime, addresses: Sequence[Address], proxy: str | None, problem: str
) -> list[str]:
    """A sentence each.

    Args:
        error: why there is no link.
        now: by this machine's clock.
        addresses: where the server may be.
        proxy: that connections go through.
        problem: what is wrong with the node's own certificate, if something is.
    """
    hints = []
    if error.server_time is not None:
        hints.append(difference_text(now, error.server_time))
    if isinstance(error, UntrustedServer) and error.is_for_dates:
        found = await asyncio.gather(
            *(explain_dates(host, port, now, proxy) for host, port in addresses)
        )
        hints.append(next(filter(None, found), "is this machine's clock right?"))
    elif problem not in str(error):
        hints.append(problem)
    return [hint for hint in hints if hint]
