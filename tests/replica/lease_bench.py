"""A leader's leases on a bench: the test says what is heard, and when, in seconds."""

from collections.abc import Callable

from nc.replica.leases import NS, LeaderLeases

LEADER, ALL = "l", ("l", "a")


def ns(seconds: float) -> int:
    return round(seconds * NS)


def leases(*, quiet_s: float = 0.0, appended_s: float = 0.0) -> LeaderLeases:
    """A leader's, elected with event 1."""
    return LeaderLeases(LEADER, 1, ns(quiet_s), ns(appended_s))


def hear(
    leader: LeaderLeases,
    now_s: float,
    applied: int = 1,
    *,
    sent_s: float = 0.0,
    asked_s: float = 0.0,
    session: str = "a",
) -> None:
    leader.heard(session, ns(sent_s), applied, ns(asked_s), ns(now_s))


def hold(leader: LeaderLeases, *seqs: int) -> list[tuple[int, bool]]:
    """Apply events, and have them acknowledged; returns the answers, which come later."""
    answers: list[tuple[int, bool]] = []

    def answer(seq: int) -> Callable[[bool], None]:
        return lambda is_known: answers.append((seq, is_known))

    for seq in seqs:
        leader.applied(seq)
        leader.wait(seq, answer(seq))
    return answers
