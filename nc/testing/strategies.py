"""Hypothesis strategies: operations, whole histories of them, configurations, packets."""

from collections.abc import Callable, Sequence
from functools import cache
from ipaddress import IPv4Address
from typing import Any, TypeVar

from hypothesis import strategies as st

from nc.net.ipv4 import build_packet
from nc.testing import choices
from nc.testing.choices import Known, Pick
from nc.testing.operations import Crash, IssueToken, Operation

T = TypeVar("T")

# Small, so that the pool is used up; the server at its beginning, in its middle, at its end.
NETWORKS = (
    "10.1.1.1/29",
    "10.1.1.1/28",
    "10.1.1.9/28",
    "10.1.1.4/29",
    "10.1.1.0/28",
    "10.9.255.249/29",
    "10.1.1.1/24",
)


@cache
def _index(count: int) -> st.SearchStrategy[int]:
    return st.integers(0, count - 1)


@st.composite
def chosen(draw: st.DrawFn, choose: Callable[[Pick], T]) -> T:
    """What a function chooses; see `nc.testing.choices`."""

    def pick(options: Sequence[Any], /) -> Any:
        return options[draw(_index(len(options)))]

    return choose(pick)


def networks() -> st.SearchStrategy[str]:
    """Configurations: overlay networks, small ones, as the server's address in each."""
    return st.sampled_from(NETWORKS)


def operations(known: Known, now_ms: int) -> st.SearchStrategy[Operation]:
    """Anything that can be asked."""
    return chosen(lambda pick: choices.operation(pick, known, now_ms))


def crashes() -> st.SearchStrategy[Crash]:
    """The end of the process in the middle of something."""
    return st.builds(
        Crash, st.integers(0, 8), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 1000)
    )


@st.composite
def histories(draw: st.DrawFn, now_ms: int, max_rounds: int = 20) -> list[list[Operation]]:
    """Whole histories: rounds of operations that run at the same time, told without their answers.

    Every name is one that an earlier round asked for; whether that was granted is for whoever
    plays the history (`Trial.perform(*round)`) to find out.
    """
    known = Known()
    rounds: list[list[Operation]] = [[IssueToken(known.fresh("token"), 10)]]
    known.learn(rounds[0])
    for _ in range(draw(st.integers(0, max_rounds))):
        size = draw(st.sampled_from([1, 1, 1, 2, 3]))
        rounds.append([draw(operations(known, now_ms)) for _ in range(size)])
        known.learn(rounds[-1])
    return rounds


@st.composite
def packets(
    draw: st.DrawFn,
    sources: st.SearchStrategy[str] | None = None,
    destinations: st.SearchStrategy[str] | None = None,
    max_payload_bytes: int = 1380,
) -> bytes:
    """Raw IPv4 packets as links carry them: a header with its checksum, and any payload."""
    anywhere = st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number)))
    return build_packet(
        draw(anywhere if sources is None else sources),
        draw(anywhere if destinations is None else destinations),
        draw(st.binary(max_size=max_payload_bytes)),
        protocol=draw(st.sampled_from([1, 6, 17, 47])),
        packet_id=draw(st.integers(0, 0xFFFF)),
        ttl=draw(st.integers(1, 255)),
    )
