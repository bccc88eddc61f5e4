"""What `log why` says of an invitation."""

from nc.domain.codec.records import Recorded
from nc.domain.decide import decide
from nc.domain.events import Entry
from nc.domain.invitations import (
    EndInvitation,
    ForgetInvitations,
    InviteReplica,
    RedeemInvitation,
)
from nc.domain.state import State
from nc.history.explain import Target, explain, now_line
from tests.support.histories import NOW_MS, after

THIS = Target("invitation", "i")
INVITE = InviteReplica("i", NOW_MS)
REDEEM = RedeemInvitation("i", "b", "192.0.2.2", "attempt", NOW_MS)


def told(*commands: InviteReplica | RedeemInvitation | EndInvitation | ForgetInvitations) -> str:
    """Each sentence of its history, and of how it is at the end."""
    state, history = State(), []
    for command in commands:
        events = decide(state, command)
        history += [Recorded(state.seq + 1, Entry(actor="a"), event) for event in events]
        state = after(state, command)
    sentences = [line.text for line in explain(history, THIS)]
    return "\n".join([*sentences, now_line(state, THIS, NOW_MS)])


def test_who_redeemed_it_and_from_where() -> None:
    """And that this machine has the keys."""
    text = told(INVITE, InviteReplica("other", NOW_MS), REDEEM)
    issued, redeemed, now = text.splitlines()
    assert issued.startswith("the invitation was issued, good until ")
    assert redeemed == "it was redeemed by b from 192.0.2.2, which has the cluster's keys since"
    assert now.startswith("the invitation was redeemed by b, and expires at ")


def test_how_it_ended() -> None:
    """Withdrawn, or forgotten after its time."""
    assert "it was withdrawn" in told(INVITE, EndInvitation("i"))
    late = ForgetInvitations(NOW_MS + 26 * 3_600_000)
    assert "it was forgotten" in told(INVITE, late)
    assert "not remembered any more" in told(INVITE, late)
