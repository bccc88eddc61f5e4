"""The history of a simulated cluster, with its plan, and its log as stored on the disk."""

from dataclasses import dataclass, field

from eventlog import Record
from nc.testing.contract.history import History
from nc.testing.simulation.actions import Plan


@dataclass
class Chronicle(History):
    """See the module.

    Attributes:
    plan: what was played.
    lines: what happened, for people.
    seqs: by a step's number, the last event in the log when it ended.
    log_bytes: the log's files by name; {} where several servers share it.
    records: the log's.
    """

    is_cluster: bool = True
    plan: Plan = field(default_factory=lambda: Plan(0, "", False, ()))
    lines: list[str] = field(default_factory=list)
    seqs: dict[int, int] = field(default_factory=dict)
    log_bytes: dict[str, bytes] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    def __str__(self) -> str:
        """The lines, without tokens and keys."""
        kind = "several servers share a log" if self.plan.is_shared else "a log on a disk"
        return "\n".join([f"    the network is {self.network}; {kind}", *self.lines])
