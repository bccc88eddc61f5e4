"""For tests with Hypothesis: it makes the choices, so its own shrinking and database work."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from typing import TypeVar

from hypothesis import strategies as st

from nc.net.ipv4 import build_packet
from nc.testing.contract.operations import IssueToken, Operation
from nc.testing.search.choices import Choices, Pick

T = TypeVar("T")


def pick_with(draw: Callable[[st.SearchStrategy[int]], int]) -> Pick:
    """Let Hypothesis make a trial's choices, from `data.draw` or a composite's `draw`."""

    def pick(options: Sequence[T], /) -> T:
        return options[draw(st.integers(0, len(options) - 1))]

    return pick


@st.composite
def histories(draw: st.DrawFn, now_ms: int, max_rounds: int = 20) -> list[list[Operation]]:
    """Whole histories: rounds of operations that run at the same time, without their answers.

    Every name is one that an earlier round asked for; whether that was granted shows when the
    history is played (`Trial.perform(*round)`).
    """
    pick = pick_with(draw)
    choices = Choices(pick)
    rounds: list[list[Operation]] = [[IssueToken(choices.fresh("token"), 10)]]
    choices.learn(rounds[0])
    for _ in range(pick(range(max_rounds + 1))):
        rounds.append([choices.operation(now_ms) for _ in range(pick((1, 1, 1, 2, 3)))])
        choices.learn(rounds[-1])
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
