"""Laws of a whole cluster: links, agents and packets, which a simulation observes directly."""

from functools import partial
from typing import Final

from nc.testing.contract.laws.law import Law, sighted

# Laws that a cluster is not held to, and why.
NOT_IN_A_CLUSTER: Final = {
    "the server starts again": "`a start finds what was left` says more",
    "connected means one live link": "agents open links by themselves; `a node has one link at "
    "the most`, `the hub's links are the log's` and `answers are never stale` together say it",
    "some order of the commands explains every answer": "a model would have to guess at every "
    "moment what each agent is about to do",
}


def _law(name: str, sentence: str) -> Law:
    return Law(name, sentence, partial(sighted, name))


STARTS = _law(
    "a start finds what was left",
    "After a stop, a crash or a failed disk the server starts, and its state is the log's.",
)
NOTHING_CRASHES = _law(
    "nothing crashes",
    "Whatever happens, no bug of ours ends a link, a background task or a server.",
)
DIGESTS = _law(
    "a recorded digest is that of its event",
    "The digest that the log records of an event is that of the state after this event.",
)
ONE_LINK = _law(
    "a node has one link at the most", "A newer link of a node ends the older one, for good."
)
SILENCE = _law(
    "a silent link is ended", "A link over which nothing comes for the time allowed is ended."
)
NO_RIGHT = _law(
    "who may not be here has no link",
    "The link of a node that expired or was unregistered is cut within some seconds.",
)
DURABLE_ADDRESS = _law(
    "an address is told only once it is durable",
    "As often as a node was given its address, the log has that it was handed over.",
)
KEEPS_ADDRESS = _law(
    "a node comes back with its address",
    "However often a node reconnects, it is given the address that it had, until that is released.",
)
RIGHT_ONE = _law(
    "a packet arrives at the one it is for",
    "What arrives at a node is for its address, as it was sent, and arrives once.",
)
SAME_LINKS = _law(
    "the hub's links are the log's",
    "Once things are quiet, what is CONNECTED in the log is just what has a link, at one server.",
)
COMES_BACK = _law(
    "every live agent is connected again",
    "When every fault is over, every agent that may is CONNECTED within a bound of time.",
)
GOES_ON = _law(
    "an agent ends only once it was unregistered",
    "No wrong server, clock or missing folder ends an agent; only that its node was unregistered.",
)
ONE_CLUSTER = _law(
    "no new cluster is begun",
    "A server that misses its log, key or certificates refuses to start until they are back.",
)
ONCE_ENROLLED = _law(
    "a node is enrolled once",
    "The log has one registration of each machine that joined, and a wrong server has none.",
)
KEEPS_TOKENS = _law(
    "no token is forgotten by a clock that jumped",
    "A bootstrap token is forgotten once it has expired, or a wrong clock was steady for long.",
)
ALL_BACK = _law(
    "every agent is connected after all is put right",
    "After a day of faults every agent is connected, with its address, but those unregistered.",
)
PACKETS_COUNT = _law(
    "a packet arrives or is counted as dropped",
    "Of packets that come to the switch, each is handed to one node, or counted by a reason.",
)
ONE_HOP = _law(
    "a packet hops once at the most",
    "What a server gets from another one goes to a node of its own, or nowhere.",
)
ONE_LEADER = _law(
    "one leader after the other acknowledges",
    "Of several servers that were elected, none acknowledges a change after a later one.",
)
LEADER_APPENDS = _law(
    "only the leader appends",
    "From one election to the next the log has what the server decided that was elected.",
)
KNOWN_KINDS = _law(
    "no event is written that a server does not know",
    "While a server of an older version goes on, there are only events of kinds that it knows.",
)
NOT_LOST = _law(
    "who is in touch is not lost",
    "A server is taken for lost only if it was out of touch, however slow the others are.",
)
OWN_LINKS = _law(
    "a link is lost with its server alone",
    "Links are dropped as lost once the session of their server has ended, and no others.",
)
TRUE_ANSWER = _law(
    "what is answered of a change is so",
    "A change that was acknowledged is in the log; a call that changed nothing has left no event.",
)
NEVER_OLDER = _law(
    "no server answers with what is past",
    "What one server has acknowledged, each other knows, or it gives no answer.",
)
SAME_STATE = _law(
    "servers on one log agree",
    "Once every fault is over, all servers answer, and have the same state.",
)
REWOUND = _law(
    "no server goes on with a log that lost events",
    "A server goes on only with what the log has; others end, say why, and start no more.",
)
TOO_OLD = _law(
    "only older servers hold back new kinds of events",
    "A change is refused for a server's level only while one of a lower level goes on.",
)
