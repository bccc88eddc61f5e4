"""From which seed a search finds a planted bug in its first trial or two.

A change to what is drawn moves them: the searches take longer then, and find the bugs all the same.
"""

from typing import Final

# In one server without sockets; others are found soon from 0.
IN_PROCESS: Final = {
    "a hostname is preferred to the name that is wanted": 8,
    "a list is applied up to the stranger": 16,
    "a name that is none is mended": 46,
    "a rename loses the labels": 9,
    "a renewal ends the older certificate": 18,
    "a renewal tells no facts": 18,
    "a server's cap does not count who enrols": 14,
    "a snapshot forgets expiries": 21,
    "an assigned address is reclaimed": 77,
    "an expired node renews its certificates": 18,
    "any text is an attempt": 8,
    "late facts of an older link are recorded": 47,
    "newcomers take every address": 22,
    "the certificate of who is gone is accepted": 21,
    "the first facts stay": 18,
    "what a machine leaves out is forgotten": 20,
}

# In a simulated cluster of one server; others are found soon from 0.
ONE_SERVER: Final = {
    "a full disk at a snapshot ends the writer": 11,
    "a full disk loses the record of a link s end": 15,
    "a lost reply to an attempt costs another node": 47,
    "an address is told before it is durable": 103,
}

# Of several servers, in short lives; others take a long search.
SEVERAL_SERVERS: Final = {
    "a certificate that is recorded already ends the start": 0,
    "a conflict ends the writer": 0,
    "a conflict is not decided again": 10,
    "a fork goes unnoticed": 14,
    "a late close drops the link at another server": 24,
    "a leader goes on until it hears of another": 18,
    "a lost session goes on": 0,
    "a node that is revived in time keeps its link": 8,
    "a packet is passed on to where its node has gone": 0,
    "a replaced link waits for one that is elsewhere": 1,
    "a rewind goes unnoticed": 9,
    "a server does not follow the log": 0,
    "an entry of another is folded twice": 0,
    "an open outcome is called a failure": 4,
    "every server counts as old": 0,
    "followers and leaders answer without a lease": 0,
    "levels are ignored": 0,
    "links of other servers are dropped": 6,
    "the leader acknowledges before its followers know": 2,
    "the source of another server s packet is not checked": 0,
    "what another replica ends lives on here": 0,
    "what comes from a server is forwarded like a kernel s": 0,
    "what was read at a conflict is told too late": 0,
}
