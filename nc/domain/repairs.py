"""The record of a repair: an operator had damage cut out of the log."""

from dataclasses import dataclass

from nc.domain.events import Event, LogRepaired


@dataclass(frozen=True, slots=True)
class RecordRepair:
    """The log was repaired just now; the event becomes the first one after the cut."""

    lost_through_seq: int  # the highest sequence number known to be lost; 0: none is
    damage: str  # what was found, and where
    kept_in: str  # the folder beside the segments that has the originals


def decide_record_repair(command: RecordRepair) -> list[Event]:
    repaired = LogRepaired(
        lost_through_seq=command.lost_through_seq, damage=command.damage, kept_in=command.kept_in
    )
    return [Event(log_repaired=repaired)]
