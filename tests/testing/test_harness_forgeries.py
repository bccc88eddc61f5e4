"""Every law can be broken: a good history breaks none, and with one lie in it just those named.

A search shows that a law is exercised, and a planted bug that something notices. A check that has
become true whatever it looks at would pass both; here it does not.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from nc.testing import (
    LAWS,
    SERVER_NODE,
    CheckState,
    GetAddress,
    Handshake,
    History,
    IssueToken,
    Redeem,
    Unregister,
    judge,
)
from nc.testing.contract.administration import Describe, RevokeOperator
from nc.testing.contract.enrolment import CheckAsUpstream, Enrol, Renew
from nc.testing.contract.history import Step
from nc.testing.contract.values import ADMIN, Told
from nc.testing.search import Trial
from tests.testing.forged_histories import (
    NOBODY,
    Lie,
    a_crowd,
    a_full_house,
    a_life,
    a_workshop,
    an_office,
    answering,
    recorded,
    saying,
    writing,
)
from tests.testing.lies import (
    as_step,
    before_it_expires,
    called_db,
    called_otherwise,
    idle_the_other_way_round,
    in_other_words,
    like_an_unknown_one,
    naming_a_token,
    of_another_link,
    of_another_node,
    of_the_first_node,
    used_up_by_one,
    with_a_bit_less_pem,
    with_a_later_end,
    with_another_replay,
    with_many_before_it,
    with_the_token_of_node_1,
    without_a_release,
)


def _last_query(history: History) -> int:
    return max(step.round for step in history.of(CheckState))


ADDRESS_1, ADDRESS_2 = "10.1.1.3", "10.1.1.5"

FORGOTTEN = "an acknowledged enrolment is never forgotten"
LOGGED_ONCE = "an acknowledged change is in the log once"
LISTED = "a list is applied as a whole or not at all"
NEW = "every token is new"
USABLE = "an enrolment's certificates are usable"
REFUSED = "a refused command changes nothing"
NEVER_ISSUED = "a token that was never issued is refused"
STAYS = "an address stays with its node"
ONE_LINK = "connected means one live link"
EXPLAINED = "some order of the commands explains every answer"
LET_IN = "a token lets in no more than its terms say"
REVOKED = "a revoked bootstrap token is refused"
ASSIGNED = "an assigned address stays"
CROWD = "a crowd of newcomers takes nothing away"
CUT_OFF = "a revoked certificate opens nothing"
VIEWERS = "a viewer reads and changes nothing"
LAST_ONE = "an administrator is left"
ONE_NAME = "no two nodes have one name"
CALLED = "a node is called what it was called"
LONGEST_IDLE = "the longest idle gives its address up"
ONE_NODE = "an attempt to enrol makes one node"
FIRST_KEY = "an attempt is for the key that came first"
OWN_KEY = "certificates are renewed for a node's own key"
OWN_CERTIFICATES = "certificates for a machine's key are usable"
TOLD = "what is shown of a machine is what it told"
AS_ASKED = "a newcomer is called as it asked"
ENDS = "a certificate ends when the log says"
OF_ITS_NODE = "a link needs the certificate of its node"

JOIN_2, JOIN_3 = Redeem("token 1", "node 2"), Redeem("token 1", "node 3")
ASK_1, ASK_2 = CheckState("node 1"), CheckState("node 2")
WHERE_1, WHERE_2 = GetAddress("node 1"), GetAddress("node 2")
GREET_1 = Handshake("node 1", "link 1")
TOO_LATE, TOO_LONG = Redeem("token 2", "nobody"), IssueToken("token 3", 5_256_001)
STEAL = Unregister("node 1", "node 2")
ENROL = Enrol("token 1", "node 1", told=Told("db", "1.0"))
THIEF = replace(ENROL, machine="another machine")

# By a law: a lie that breaks it, and whatever other law the same lie breaks.
FORGERIES: dict[str, tuple[Lie, set[str]]] = {
    "the server starts again": (lambda h: replace(h, end="a bit is wrong"), set()),
    FORGOTTEN: (saying(WHERE_1, "400", None, "", at=0), set()),
    "unregister is final": (saying(WHERE_2, "200", None, ADDRESS_2), set()),
    "an expired node token is refused": (saying(WHERE_2, "200", None, ADDRESS_2, at=1), set()),
    "a later expiry revives a node": (
        saying(ASK_2, "400", -1, "", at=1),
        {FORGOTTEN, LISTED},
    ),
    "an expired bootstrap token is refused": (saying(TOO_LATE, "200"), {USABLE, LOGGED_ONCE, NEW}),
    "a bootstrap token serves until it expires": (saying(JOIN_3, "400"), {NEVER_ISSUED, REFUSED}),
    NEVER_ISSUED: (saying(CheckState(NOBODY), "200", -1, ""), set()),
    "a lifetime is at most ten years": (saying(TOO_LONG, "200"), {LOGGED_ONCE, NEW}),
    NEW: (answering(JOIN_3, with_the_token_of_node_1), set()),
    USABLE: (answering(JOIN_2, with_a_bit_less_pem), set()),
    LISTED: (saying(ASK_1, "400", -1, "", at=2), {FORGOTTEN}),
    "no two nodes hold one address": (saying(WHERE_2, "200", None, ADDRESS_1, at=0), {STAYS}),
    STAYS: (saying(WHERE_1, "200", None, "10.1.1.9"), set()),
    "an address is one for nodes": (saying(GREET_1, "200", None, "10.1.1.4"), {STAYS}),
    ONE_LINK: (saying(ASK_2, "200", 1, ADDRESS_2, at=0), set()),
    "an old link's end does not touch a newer one": (
        saying(ASK_1, "200", -1, ADDRESS_1, at=0),
        set(),
    ),
    "no link outlives its server": (saying(ASK_1, "200", 3, ADDRESS_1, at=3), {ONE_LINK}),
    "expiry cuts a link for good": (saying(ASK_2, "200", 3, ADDRESS_2, at=1), set()),
    "the server's own node is fixed": (saying(CheckState(SERVER_NODE), "200", -1, ""), set()),
    "answers do not differ by port": (answering(Redeem(NOBODY, "nobody"), in_other_words), set()),
    "who may call what": (saying(STEAL, "400", None, None, False), set()),
    "every mistake has its own message": (
        answering(Redeem("", "nobody"), like_an_unknown_one),
        set(),
    ),
    "no message holds a token": (answering(CheckState(NOBODY), naming_a_token), set()),
    "codes are the contract's": (saying(CheckState(NOBODY), "500", -1, ""), set()),
    REFUSED: (writing("token_expired", as_step(3)), set()),
    LOGGED_ONCE: (writing("unregistered", as_step(0)), set()),
    "states move along the machine": (writing("state_changed", of_another_link), set()),
    "who is gone holds nothing": (writing("unregistered", without_a_release), set()),
    LONGEST_IDLE: (idle_the_other_way_round, set()),
    "only dead tokens are forgotten": (writing("token_expired", before_it_expires), set()),
    REVOKED: (saying(Redeem("token 1", "nobody"), "200"), {USABLE, LOGGED_ONCE, NEW}),
    LET_IN: (used_up_by_one, set()),
    ASSIGNED: (of_the_first_node, set()),
    CROWD: (with_many_before_it, set()),
    CUT_OFF: (saying(CheckState("node 1", "operator 1"), "200", -1, ""), set()),
    VIEWERS: (saying(IssueToken("token 2", 10, "operator 1"), "400"), set()),
    LAST_ONE: (saying(RevokeOperator(ADMIN), "200"), set()),
    ONE_NAME: (writing("node_updated", called_db), set()),
    CALLED: (saying(Describe("node 1"), "200", None, "", None, ("web-2", "a", "", "")), set()),
    ONE_NODE: (answering(ENROL, of_another_node), set()),
    FIRST_KEY: (saying(THIEF, "200"), {NEW, ONE_NODE, OWN_CERTIFICATES}),
    OWN_KEY: (saying(Renew("node 1", "another machine"), "200"), {LOGGED_ONCE, OWN_CERTIFICATES}),
    OWN_CERTIFICATES: (answering(ENROL, with_a_bit_less_pem), set()),
    ENDS: (writing("certificates_renewed", with_a_later_end), set()),
    TOLD: (saying(Describe("node 1"), "200", None, "", None, ("web-db", "", "", "1.1")), set()),
    AS_ASKED: (answering(ENROL, called_otherwise, at=0), {CALLED}),
    OF_ITS_NODE: (saying(CheckAsUpstream("node 1"), "200", -1, ""), set()),
    "replay equals live": (with_another_replay, set()),
    "answers are never stale": (lambda h: replace(h, stale=_last_query(h)), set()),
    EXPLAINED: (lambda h: replace(h, unexplained=_last_query(h)), set()),
}


SCRIPTS = {
    LONGEST_IDLE: a_crowd,
    **dict.fromkeys((ASSIGNED, CROWD), a_full_house),
    **dict.fromkeys(
        (ONE_NODE, FIRST_KEY, OWN_KEY, OWN_CERTIFICATES, ENDS, TOLD, AS_ASKED, OF_ITS_NODE),
        a_workshop,
    ),
    **dict.fromkeys((REVOKED, LET_IN, CUT_OFF, VIEWERS, LAST_ONE, ONE_NAME, CALLED), an_office),
}


def script_for(law: str) -> Callable[[Trial], None]:
    """One that exercises it."""
    return SCRIPTS.get(law, a_life)


@pytest.mark.parametrize("law", FORGERIES)
def test_a_forgery_breaks_its_law(law: str) -> None:
    """A good history exercises it and breaks none; a lie breaks it, and none but those named."""
    history = recorded(script_for(law))
    judgement = judge(history)
    assert judgement.breaches == []
    assert [each.name for each, count in judgement.exercised.items() if count and each.name == law]
    lie, others = FORGERIES[law]
    assert {breach.law.name for breach in judge(lie(history)).breaches} == {law, *others}


@pytest.mark.parametrize("script", [a_life, a_workshop, an_office])
def test_a_good_history_without_reasons_breaks_no_law(script: Callable[[Trial], None]) -> None:
    """As a cluster's is, which no model runs beside: the laws need all that decides an answer."""
    history = recorded(script)
    alike = replace(history, items=[], steps=[])
    for item in history.items:
        alike.add(replace(item, reason="") if isinstance(item, Step) else item)
    assert judge(alike).breaches == []


def test_every_law_can_be_broken() -> None:
    """There is a forgery for each."""
    assert FORGERIES.keys() == {law.name for law in LAWS}
