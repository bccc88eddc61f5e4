"""A walk over a log that may be damaged: how far its records can be read, and what stops it.

Damage that can be mended without losing an event does not stop it, and is noted.
"""

from collections.abc import Iterable
from typing import NamedTuple

from eventlog.cursor import Cursor
from eventlog.disk import Disk
from eventlog.errors import LogDamaged
from eventlog.format import SEGMENT_HEADER_BYTES, BadBytes, SegmentHeader, encode_segment_header
from eventlog.repair.mending import has_successor, rebuilt_header
from eventlog.repair.plan import TO_THE_END, Build
from eventlog.segments import segment_name
from eventlog.tail_scan import TailScan, proof_of_damage, scan_rest

__all__ = ["SegmentFix", "Walk", "mend_of_header", "walk"]


class SegmentFix(NamedTuple):
    """Damage that can be mended, and how."""

    damage: LogDamaged
    step: Build
    header: SegmentHeader | None = None  # that its segment gets back


class Walk(NamedTuple):
    """How far a cursor came."""

    end: Cursor
    mends: tuple[SegmentFix, ...]  # what would be mended on the way
    damage: LogDamaged | None  # why it stopped there; None: the log ends
    is_newer: bool  # what stopped it is no damage, but a later version's
    rest_end: int  # the offset behind the bytes that follow the end and are no zeros; 0: none do
    passed: frozenset[bytes]  # the chains looked for that came up
    ended: dict[int, int]  # the offset where the records end, of each segment walked over

    @property
    def last_seq(self) -> int:
        """The last event that can be read."""
        return self.end.next_seq - 1

    @property
    def first_damage(self) -> LogDamaged | None:
        """The first place that is not as it was written."""
        return self.mends[0].damage if self.mends else self.damage


def walk(disk: Disk, cursor: Cursor, segments: Iterable[int], chains: Iterable[bytes] = ()) -> Walk:
    """Move a cursor to the end of the log, or to what cannot be read.

    Args:
        disk: what the log is on.
        cursor: where to begin.
        segments: first sequence numbers of those that count.
        chains: hashes to look for on the way.

    Raises:
        LogUnavailable: this process cannot read it.
    """
    in_order = sorted(segments)
    wanted = set(chains)
    passed = wanted & {cursor.chain}
    ended: dict[int, int] = {}
    mends: list[SegmentFix] = []
    damage, rest_end = None, 0
    try:
        while True:
            while records := cursor.advance():
                passed |= wanted.intersection(stored.record.chain for stored in records)
            ended[cursor.segment] = cursor.offset
            rest = scan_rest(disk, cursor)
            rest_end = rest.end
            if cursor.segment >= in_order[-1]:
                _check_last(cursor, rest)
                break
            _check_sealed(disk, cursor, rest, mends)
            rest_end = 0
            _enter_next(disk, cursor, in_order, mends)
    except LogDamaged as error:
        damage = error
    is_newer = cursor.stop is not None and cursor.stop.newer
    return Walk(cursor, tuple(mends), damage, is_newer, rest_end, frozenset(passed), ended)


def _check_last(cursor: Cursor, rest: TailScan) -> None:
    """Raise LogDamaged for what may not lie behind the records of the last segment."""
    bad = proof_of_damage(cursor, rest)
    if bad is not None:
        raise cursor.damaged(bad)


def _check_sealed(disk: Disk, cursor: Cursor, rest: TailScan, mends: list[SegmentFix]) -> None:
    """Raise LogDamaged for what may not lie behind the records of another one, or mend it."""
    bad = cursor.stop
    if bad is None and rest.end:
        found = f"bytes that are not zero, up to offset {rest.end}"
        bad = BadBytes(found, "a record, or zeros to the end")
    if bad is None:
        return
    damage = cursor.damaged(bad)
    if bad.newer or not has_successor(disk, cursor):
        raise damage
    name = segment_name(cursor.segment)
    mends.append(SegmentFix(damage, Build(name, b"", name, 0, cursor.offset)))
    cursor.stop = None


def _enter_next(disk: Disk, cursor: Cursor, segments: list[int], mends: list[SegmentFix]) -> None:
    """Go on in the next segment, also if its header has to be mended."""
    try:
        cursor.enter_next(segments)
    except LogDamaged as damage:
        first_seq, folder = cursor.next_seq, cursor.path.parent
        if first_seq not in segments or first_seq == cursor.segment:
            raise
        header = rebuilt_header(disk, folder, first_seq, cursor.log_id, cursor.chain)
        if header is None:
            raise
        mends.append(mend_of_header(damage, header))
        cursor.enter(first_seq, header)


def mend_of_header(damage: LogDamaged, header: SegmentHeader) -> SegmentFix:
    """Give a segment its header back."""
    name, head = segment_name(header.first_seq), encode_segment_header(header)
    return SegmentFix(damage, Build(name, head, name, SEGMENT_HEADER_BYTES, TO_THE_END), header)
