"""The laws of a whole cluster: what is seen of links, agents and packets from above.

The laws of `nc.testing.laws` hold too. Those whose own checks need a client that opens links when
it is told to are checked otherwise (`by_log.py`): agents open theirs when they like. `NOT_HERE` has
those that cannot be, each with the reason.
"""

from collections.abc import Iterator
from functools import partial
from typing import Final

from nc.testing.certainties import Observed
from nc.testing.laws import LAWS, Finding, Law
from nc.testing.simulation import by_log
from nc.testing.simulation.chronicle import Chronicle

NOT_HERE: Final = {
    "the server starts again": "STARTS says more",
    "connected means one live link": "who has a link when, only the audit can see; "
    "ONE_LINK, SAME_LINKS and NEVER_STALE say it together",
    "some order of the commands explains every answer": "a model would have to guess at every "
    "moment what each agent is about to do",
}


def _seen(name: str, seen: Observed) -> Iterator[Finding]:
    """What was seen with a law in mind."""
    if isinstance(seen.history, Chronicle):
        for sight in seen.history.broken.get(name, ()):
            yield Finding(False, sight)
        for _ in range(seen.history.held[name]):
            yield Finding(True, name)


def _law(name: str, sentence: str) -> Law:
    return Law(name, sentence, partial(_seen, name), needs_log=False)


def _told_otherwise(law: Law) -> Law:
    """A law of `nc.testing.laws`, as it can be told here."""
    if (check := by_log.CHECKS.get(law.name)) is not None:
        return law._replace(check=check, needs_log=True)
    return law


STARTS = _law(
    "a start finds what was left",
    "After a stop, a crash or a failed disk the server starts, and its state is the log's.",
)
NOTHING_CRASHES = _law(
    "nothing crashes", "Whatever happens, no bug of ours ends a link, a chore, a task or a server."
)
DIGESTS = _law(
    "a recorded digest is that of its event",
    "What the log says that it amounted to after an event is what it amounts to there.",
)
ONE_LINK = _law(
    "a node has one link at the most", "A newer link of a node ends the older one, for good."
)
SILENCE = _law(
    "a silent link is ended", "A link from which nothing comes for the time allowed is ended."
)
NO_RIGHT = _law(
    "who may not be here has no link",
    "The link of a node that expired or was unregistered is cut within some seconds.",
)
SAME_LINKS = _law(
    "the hub's links are the log's",
    "Once things are quiet, what is CONNECTED in the log is just what has a link, at one server.",
)
COMES_BACK = _law(
    "every live agent is connected again",
    "When everything is well again, every agent that may is CONNECTED within a bound of time.",
)
KEEPS_ADDRESS = _law(
    "a node comes back with its address",
    "However often a node connects anew, it is told the address that it had, till it is released.",
)
DURABLE_ADDRESS = _law(
    "an address is told only once it is durable",
    "As often as a node was told its address, the log has that it was handed over.",
)
RIGHT_ONE = _law(
    "a packet arrives at the one it is for",
    "What arrives at a node is for its address, as it was sent, and arrives once.",
)
PACKETS_COUNT = _law(
    "a packet arrives or is counted as dropped",
    "Of packets that come to the switch, each is handed to one node, or counted by a reason.",
)
NEVER_STALE = _law(
    "answers are never stale",
    "An answer is what the log amounts to at some event after the last one that was acknowledged "
    "before the question was asked.",
)

SIMULATION_LAWS: Final = (
    STARTS,
    NOTHING_CRASHES,
    DIGESTS,
    ONE_LINK,
    SILENCE,
    NO_RIGHT,
    DURABLE_ADDRESS,
    KEEPS_ADDRESS,
    RIGHT_ONE,
    SAME_LINKS,
    COMES_BACK,
    PACKETS_COUNT,
    NEVER_STALE,
    *(_told_otherwise(law) for law in LAWS if law.name not in {*NOT_HERE, NEVER_STALE.name}),
)
