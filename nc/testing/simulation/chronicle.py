"""A chronicle: the history of a simulated cluster, with what was seen of it from above.

Some laws hold of moments (a node has one link *now*), so whoever can look at a moment says what it
saw; the laws then read that.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from eventlog import Record
from nc.testing.history import History
from nc.testing.simulation.acts import Plan


class Sighting(NamedTuple):
    """Something that should not be."""

    what: str
    at_s: float  # since the beginning
    seq: int  # the last event in the log by then

    def __str__(self) -> str:
        return f"{self.what}, {self.at_s:+.3f} s, after event {self.seq}"


@dataclass
class Chronicle(History):
    """See the module.

    Attributes:
        plan: what was played.
        lines: what happened, to be read by people.
        held: how often each law was seen to hold, by its name.
        broken: where it was not.
        seqs: by a step's number, the last event in the log when it ended.
        log_bytes: the log as it lay on the disk, by file name; "" where it was in memory.
        records: the log's.
    """

    plan: Plan = field(default_factory=lambda: Plan(0, "", False, ()))
    lines: list[str] = field(default_factory=list)
    held: Counter[str] = field(default_factory=Counter)
    broken: dict[str, list[Sighting]] = field(default_factory=dict)
    seqs: dict[int, int] = field(default_factory=dict)
    log_bytes: dict[str, bytes] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    def saw(self, law: str, sight: Sighting, *, holds: bool) -> None:
        """A law had something to say."""
        if holds:
            self.held[law] += 1
        else:
            self.broken.setdefault(law, []).append(sight)

    def __str__(self) -> str:
        """What happened, line by line; no token and no key is in it."""
        kind = "two servers share a log in memory" if self.plan.is_shared else "a log on a disk"
        return "\n".join([f"    the network is {self.network}; {kind}", *self.lines])
