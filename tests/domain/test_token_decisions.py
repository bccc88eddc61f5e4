"""Bootstrap tokens: lifetimes, the millisecond of expiry, and being forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.domain.decide import decide
from nc.domain.errors import (
    BootstrapTokenExpired,
    BootstrapTokenUnknown,
    IdTaken,
    LifetimeTooLong,
)
from nc.domain.events import Certificate, pb
from nc.domain.expiry import NEVER, has_passed
from nc.domain.nodes import Expiry, SetExpiries, Unregister
from nc.domain.state import State
from nc.domain.tokens import (
    EXPIRED_TOKEN_RETENTION_MS,
    LONGEST_LIFETIME_MINUTES,
    ForgetExpiredTokens,
    IssueToken,
    RedeemToken,
)
from tests.support.histories import MINUTE_MS, NOW_MS, after, kinds

TEN_YEARS_MINUTES = 5_256_000
MOMENTS = st.integers(-(10**15), 10**15)


def expiry_of(lifetime_minutes: int) -> int:
    """When a token that is issued now for so long expires."""
    (event,) = decide(State(), IssueToken("t", lifetime_minutes, NOW_MS))
    return event.token_issued.expires_at_ms


def redeem(now_ms: int, node_id: str = "n") -> RedeemToken:
    """Redeem the token `t` at a moment."""
    return RedeemToken("t", node_id, (), now_ms)


def test_lifetimes() -> None:
    """Minutes count from now; 0 is ten minutes; any negative number is for ever."""
    assert expiry_of(1) == NOW_MS + MINUTE_MS
    assert expiry_of(0) == expiry_of(10) == NOW_MS + 10 * MINUTE_MS
    assert expiry_of(-1) == expiry_of(-(2**31)) == 0


def test_ten_years_is_the_longest() -> None:
    """Ten years to the minute are granted; one minute more is refused, and says so."""
    assert LONGEST_LIFETIME_MINUTES == TEN_YEARS_MINUTES
    assert expiry_of(TEN_YEARS_MINUTES) == NOW_MS + TEN_YEARS_MINUTES * MINUTE_MS
    with pytest.raises(LifetimeTooLong) as refused:
        expiry_of(TEN_YEARS_MINUTES + 1)
    assert refused.value.lifetime == TEN_YEARS_MINUTES + 1


@given(MOMENTS, MOMENTS)
def test_an_expiry_is_over_from_its_millisecond_on(expires_at_ms: int, now_ms: int) -> None:
    """At the very millisecond it is over, one before it is not; 0 never is."""
    assert has_passed(expires_at_ms, expires_at_ms) is (expires_at_ms != 0)
    assert not has_passed(expires_at_ms, expires_at_ms - 1)
    assert not has_passed(NEVER, now_ms)


def test_a_token_opens_the_door_until_its_last_millisecond() -> None:
    """One millisecond before its expiry a token registers a node; at it, nobody."""
    state = after(State(), IssueToken("t", 1, NOW_MS))
    end = NOW_MS + MINUTE_MS
    assert kinds(decide(state, redeem(end - 1))) == ["node_registered"]
    with pytest.raises(BootstrapTokenExpired) as refused:
        decide(state, redeem(end))
    assert refused.value.expired_at_ms == end


def test_a_token_serves_any_number_of_nodes() -> None:
    """Redeeming does not use a token up."""
    state = after(State(), IssueToken("t", 1, NOW_MS))
    state = after(state, *(redeem(NOW_MS, str(number)) for number in range(50)))
    assert len(state.nodes) == 50


def test_a_node_is_registered_with_its_certificates() -> None:
    """The event names the node, the token and each certificate; a new node never expires."""
    state = after(State(), IssueToken("t", 1, NOW_MS))
    certificate = Certificate(
        authority=pb.CERTIFICATE_AUTHORITY_GRPC, serial="1f", not_after_ms=NOW_MS
    )
    (event,) = decide(state, RedeemToken("t", "n", (certificate,), NOW_MS))
    registered = event.node_registered
    assert (registered.node_id, registered.token_id) == ("n", "t")
    assert list(registered.certificates) == [certificate]
    assert after(state, redeem(NOW_MS)).nodes["n"].expires_at_ms == NEVER


def test_an_unknown_token_registers_nobody() -> None:
    """A token that was not issued is unknown."""
    with pytest.raises(BootstrapTokenUnknown):
        decide(State(), redeem(NOW_MS))


def test_ids_are_not_taken_twice() -> None:
    """A token id or node id that is in use is refused, so that nobody gets another's."""
    state = after(State(), IssueToken("t", -1, NOW_MS), redeem(NOW_MS))
    with pytest.raises(IdTaken):
        decide(state, IssueToken("t", 1, NOW_MS))
    with pytest.raises(IdTaken):
        decide(state, redeem(NOW_MS))


def test_an_expired_token_comes_before_a_taken_id() -> None:
    """The door is looked at first: an expired token is refused as expired."""
    state = after(State(), IssueToken("t", 1, NOW_MS), redeem(NOW_MS))
    with pytest.raises(BootstrapTokenExpired):
        decide(state, redeem(NOW_MS + MINUTE_MS))


BOTH = ("t", "for ever")


def test_an_expired_token_is_remembered_for_a_day() -> None:
    """Until the retention is over its user is told `expired`; then the sweep forgets it."""
    assert EXPIRED_TOKEN_RETENTION_MS == 24 * 60 * MINUTE_MS
    state = after(State(), IssueToken("t", 1, NOW_MS), IssueToken("for ever", -1, NOW_MS))
    forgotten_at = NOW_MS + MINUTE_MS + EXPIRED_TOKEN_RETENTION_MS
    assert decide(state, ForgetExpiredTokens(BOTH, forgotten_at - 1)) == []
    assert kinds(decide(state, ForgetExpiredTokens(BOTH, forgotten_at))) == ["token_expired"]
    state = after(state, ForgetExpiredTokens(BOTH, forgotten_at))
    assert list(state.tokens) == ["for ever"]
    with pytest.raises(BootstrapTokenUnknown):
        decide(state, redeem(forgotten_at))


def test_tokens_are_forgotten_in_the_order_of_their_ids() -> None:
    """Whoever sweeps walks a map, and equal maps may differ in their order: equal logs do not."""
    names = ("b", "a", "c")
    state = after(State(), *(IssueToken(name, 1, NOW_MS) for name in names))
    forgotten_at = NOW_MS + MINUTE_MS + EXPIRED_TOKEN_RETENTION_MS
    events = decide(state, ForgetExpiredTokens(names, forgotten_at))
    assert [event.token_expired.token_id for event in events] == ["a", "b", "c"]


def test_a_forgotten_token_leaves_its_nodes() -> None:
    """Nodes that joined with a token stay when it expires and when it is forgotten."""
    state = after(State(), IssueToken("t", 1, NOW_MS), redeem(NOW_MS))
    state = after(state, ForgetExpiredTokens(BOTH, NOW_MS + 2 * EXPIRED_TOKEN_RETENTION_MS))
    assert set(state.nodes) == {"n"}
    assert not state.tokens


def test_a_sweep_forgets_among_those_it_looks_at_each_once() -> None:
    """Tokens that are not looked at stay; unknown ones, and one named twice, do no harm."""
    tokens = [IssueToken(name, 1, NOW_MS) for name in ("t", "u", "v")]
    at_ms = NOW_MS + MINUTE_MS + EXPIRED_TOKEN_RETENTION_MS
    state = after(State(), *tokens, ForgetExpiredTokens(("u", "w", "u"), at_ms))
    assert set(state.tokens) == {"t", "v"}


def test_equal_states_decide_equally() -> None:
    """What is decided depends on what the state says, not on how its maps came to be."""
    names = [str(number) for number in range(40)]
    states = []
    for order in (names, names[::-1]):
        state = after(State(), IssueToken("t", -1, NOW_MS))
        state = after(state, *(IssueToken(name, 1, NOW_MS) for name in order))
        states.append(state)
    sweep = ForgetExpiredTokens(tuple(names), NOW_MS + MINUTE_MS + EXPIRED_TOKEN_RETENTION_MS)
    assert states[0] == states[1]
    assert decide(states[0], sweep) == decide(states[1], sweep)


def test_an_unregistered_nodes_id_is_free_again() -> None:
    """What is refused is an id in use; one that was given up may come again, without its past."""
    state = after(State(), IssueToken("t", -1, NOW_MS), redeem(NOW_MS))
    state = after(state, SetExpiries((Expiry("n", 1),), NOW_MS), Unregister("n"), redeem(NOW_MS))
    assert state.nodes["n"].expires_at_ms == NEVER
