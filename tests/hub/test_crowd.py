"""Who waits for a place on the link port, and who gives way."""

from hypothesis import given
from hypothesis import strategies as st

from nc.hub.crowd import Crowd

PARTIES = st.sampled_from("abc")


def crowd_of(parties: list[str]) -> Crowd[int]:
    """Members are numbered as they come."""
    crowd: Crowd[int] = Crowd()
    for number, party in enumerate(parties):
        crowd.add(party, number)
    return crowd


@given(st.lists(PARTIES, min_size=1))
def test_who_gives_way_is_the_oldest_of_the_party_that_has_most(parties: list[str]) -> None:
    number = crowd_of(parties).oldest_of_largest()
    party = parties[number]
    assert parties.count(party) == max(map(parties.count, parties))
    assert number == parties.index(party)


@given(st.lists(PARTIES))
def test_parties_are_served_in_turn_and_each_in_its_order(parties: list[str]) -> None:
    """While a party waits, no other is served twice."""
    crowd = crowd_of(parties)
    served = [crowd.pop_next() for _ in range(len(crowd))]
    assert len(crowd) == 0
    assert sorted(served) == list(range(len(parties)))
    for party in set(parties):
        own = [number for number in served if parties[number] == party]
        assert own == sorted(own)
    for at, number in enumerate(served):
        again = [n for n in range(at + 1, len(served)) if parties[served[n]] == parties[number]]
        between = {parties[n] for n in served[at + 1 : again[0]]} if again else set()
        waiting = {parties[n] for n in served[again[0] :]} if again else set()
        assert waiting - {parties[number]} <= between


@given(st.lists(st.tuples(st.booleans(), PARTIES, st.integers(0, 5))))
def test_it_counts_who_is_there(steps: list[tuple[bool, str, int]]) -> None:
    """As a set of pairs would."""
    crowd: Crowd[str] = Crowd()
    model: set[str] = set()
    for is_added, party, number in steps:
        one = f"{party}{number}"
        if is_added and one not in model:
            crowd.add(party, one)
            model.add(one)
        elif not is_added:
            crowd.discard(party, one)
            model.discard(one)
        assert len(crowd) == len(model)
        assert set(crowd) == model
        assert bool(crowd) is bool(model)
