"""A scan of a log that may be damaged: how far its records can be read, and what stops the scan.

Damage that can be repaired without losing an event is noted, and the scan continues.
"""

from collections.abc import Iterable
from typing import NamedTuple

from eventlog.cursor import Cursor
from eventlog.disk import Disk
from eventlog.errors import LogDamaged
from eventlog.repair.segment_fixes import (
    SegmentFix,
    fix_header,
    fix_rest,
    has_successor,
    rebuild_header,
)
from eventlog.tail_scan import TailScan, bad_end_of_sealed, missing_end, proof_of_damage, scan_rest


class LogScan(NamedTuple):
    end: Cursor
    fixes: tuple[SegmentFix, ...]  # of damage that did not stop the scan
    damage: LogDamaged | None  # what stopped it; None: the end of the log
    is_newer: bool  # it was stopped by a later version of the format
    # The offset behind what follows the end and has to be written anew; 0: nothing has.
    rest_end: int
    passed: frozenset[bytes]  # the chain hashes searched for that were found
    ended: dict[int, int]  # the offset where the records end, of each segment read to its end

    @property
    def last_seq(self) -> int:
        """The last event that can be read."""
        return self.end.next_seq - 1

    @property
    def first_damage(self) -> LogDamaged | None:
        """The first damage, also one that can be fixed."""
        return self.fixes[0].damage if self.fixes else self.damage


def scan_log(
    disk: Disk, cursor: Cursor, segments: Iterable[int], chains: Iterable[bytes] = ()
) -> LogScan:
    """Move a cursor through these segments, to the end or to what cannot be read.

    Raises:
        LogUnavailable: this process cannot read it.
    """
    in_order = sorted(segments)
    wanted = set(chains)
    passed = wanted & {cursor.chain}
    ended: dict[int, int] = {}
    fixes: list[SegmentFix] = []
    damage, rest_end = None, 0
    try:
        while True:
            while records := cursor.advance():
                passed |= wanted.intersection(stored.record.chain for stored in records)
            ended[cursor.segment] = cursor.offset
            rest = scan_rest(disk, cursor)
            rest_end = rest.end
            if cursor.segment >= in_order[-1]:
                bad = proof_of_damage(cursor, rest)
                if bad is not None:
                    damage = cursor.damaged(bad)
                    rest_end = max(rest.end, cursor.offset) if bad.short else rest.end
                break
            _check_sealed(disk, cursor, rest, fixes)
            # a segment that was cut short after its records has to be made longer to be the last
            rest_end = cursor.offset if missing_end(cursor, rest) else 0
            _enter_next(disk, cursor, in_order, fixes)
            rest_end = 0
    except LogDamaged as error:
        damage = error
    is_newer = cursor.stop is not None and cursor.stop.newer
    return LogScan(cursor, tuple(fixes), damage, is_newer, rest_end, frozenset(passed), ended)


def _check_sealed(disk: Disk, cursor: Cursor, rest: TailScan, fixes: list[SegmentFix]) -> None:
    """Fix what may not follow the records of a sealed segment, or raise LogDamaged."""
    bad = bad_end_of_sealed(cursor, rest)
    if bad is None:
        return
    damage = cursor.damaged(bad)
    if bad.newer or not has_successor(disk, cursor):
        raise damage
    fixes.append(fix_rest(damage, cursor.segment, cursor.offset))
    cursor.stop = None


def _enter_next(disk: Disk, cursor: Cursor, segments: list[int], fixes: list[SegmentFix]) -> None:
    """Continue in the next segment, also if its header has to be fixed."""
    try:
        cursor.enter_next(segments)
    except LogDamaged as damage:
        first_seq, folder = cursor.next_seq, cursor.path.parent
        if first_seq not in segments or first_seq == cursor.segment:
            raise
        header = rebuild_header(disk, folder, first_seq, cursor.log_id, cursor.chain)
        if header is None:
            raise
        fixes.append(fix_header(damage, header))
        cursor.enter(first_seq, header)
