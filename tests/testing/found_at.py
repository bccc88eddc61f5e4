"""From which seed a search finds a planted bug in its first trial or two.

A change to what is drawn moves them: the searches take longer then, and find the bugs all the same.
"""

from typing import Final

# In one server without sockets; others are found soon from 0.
IN_PROCESS: Final = {
    "a certificate's revocation is only recorded": 3,
    "a conflict is not decided again": 3,
    "a hostname is preferred to the name that is wanted": 8,
    "a key that the server made is renewed": 5,
    "a list is applied up to the stranger": 16,
    "a name is given twice": 4,
    "a name that is none is mended": 46,
    "a node may unregister another": 4,
    "a refused command appends an event": 4,
    "a rename loses the labels": 9,
    "a renewal ends the older certificate": 18,
    "a renewal forgets what is known of a node": 8,
    "a renewal tells no facts": 18,
    "a revived node is still connected": 12,
    "a revoked certificate is accepted": 3,
    "a server's cap does not count who enrols": 14,
    "a snapshot forgets expiries": 21,
    "a snapshot forgets revocations": 4,
    "a snapshot forgets who holds what": 8,
    "a token may live for centuries": 8,
    "a token serves once too often": 5,
    "a token's cap of nodes is not looked at": 5,
    "a viewer may change things": 4,
    "an assigned address is reclaimed": 77,
    "an expired node renews its certificates": 18,
    "any key is renewed": 5,
    "any text is an attempt": 8,
    "late facts of an older link are recorded": 47,
    "newcomers take every address": 22,
    "the certificate of who is gone is accepted": 21,
    "the first facts stay": 18,
    "the server's cap of nodes is not looked at": 14,
    "the sweep forgets a live token": 3,
    "the sweep forgets who has just left": 4,
    "what a machine leaves out is forgotten": 20,
    "who left still counts": 5,
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
    "a certificate that is recorded already ends the start": 23,
    "a conflict ends the writer": 0,
    "a conflict is not decided again": 31,
    "a fork goes unnoticed": 27,
    "a late close drops the link at another server": 24,
    "a leader goes on until it hears of another": 18,
    "a lost session goes on": 40,
    "a node that is revived in time keeps its link": 8,
    "a packet is passed on to where its node has gone": 24,
    "a replaced link waits for one that is elsewhere": 20,
    "a rewind goes unnoticed": 16,
    "a server does not follow the log": 37,
    "a server that is slow is taken for lost": 5,
    "an entry of another is folded twice": 13,
    "an open outcome is called a failure": 65,
    "an open outcome is called a success": 65,
    "every server counts as old": 7,
    "followers and leaders answer without a lease": 24,
    "levels are ignored": 7,
    "links of other servers are dropped": 6,
    "the leader acknowledges before its followers know": 23,
    "the source of another server s packet is not checked": 24,
    "what another replica ends lives on here": 23,
    "what comes from a server is forwarded like a kernel s": 24,
    "what was read at a conflict is told too late": 13,
}
