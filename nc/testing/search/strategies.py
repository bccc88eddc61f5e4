"""For tests with Hypothesis: it makes the choices, so its own shrinking and database work."""

import struct
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from typing import TypeVar

from hypothesis import strategies as st

from nc.testing.contract.operations import IssueToken, Operation
from nc.testing.search.choices import Choices, Pick

T = TypeVar("T")

_HEADER = struct.Struct("!BBHHHBBH4s4s")


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
    source = IPv4Address(draw(anywhere if sources is None else sources)).packed
    destination = IPv4Address(draw(anywhere if destinations is None else destinations)).packed
    payload = draw(st.binary(max_size=max_payload_bytes))
    length = _HEADER.size + len(payload)
    protocol = draw(st.sampled_from([1, 6, 17, 47]))
    fields = (0x45, 0, length, draw(st.integers(0, 0xFFFF)), 0x4000, draw(st.integers(1, 255)))
    header = _HEADER.pack(*fields, protocol, 0, source, destination)
    return _HEADER.pack(*fields, protocol, _checksum(header), source, destination) + payload


def _checksum(header: bytes) -> int:
    """The Internet checksum (RFC 1071) of a header whose own field is zero."""
    words: tuple[int, ...] = struct.unpack(f"!{len(header) // 2}H", header)
    return -sum(words) % 0xFFFF  # ones' complement arithmetic is arithmetic modulo 2**16 - 1
