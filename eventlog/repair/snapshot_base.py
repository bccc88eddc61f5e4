"""How a log continues from a snapshot behind its damage.

A snapshot's position is behind a record, and a log opens only if all of that record's segment can
be read. If it cannot, what follows the position is moved to a segment of its own, which begins with
the next event and whose header has the chain hash of the snapshot. Records do not say where they
are stored, so they are moved as they are.
"""

from hashlib import sha256
from typing import NamedTuple

from eventlog.api import LogPosition
from eventlog.cursor import Cursor
from eventlog.errors import LogDamaged
from eventlog.format import NO_CHAIN, SEGMENT_HEADER_BYTES, SegmentHeader, encode_segment_header
from eventlog.repair.plan import Diagnosis, EventRange, RepairPlan, RewriteSnapshot, WriteSegment
from eventlog.repair.plan_builder import PlanBuilder
from eventlog.repair.scan import LogScan, scan_log
from eventlog.segments import segment_name
from eventlog.snapshots import segments_hash


class _Base(NamedTuple):
    """The position that the snapshot will have, and the scan from there."""

    position: LogPosition
    scan: LogScan | None  # None: nothing follows


def continue_from(
    builder: PlanBuilder, name: str, damage: LogDamaged, damaged_segment: int
) -> RepairPlan:
    """Plan to keep a snapshot, and what can be read behind it.

    Args:
        builder: of the plan.
        name: the snapshot's.
        damage: the first one before it.
        damaged_segment: the damage's; 0: nothing can be read at all.
    """
    found = builder.found
    old = found.positions[name]
    new, scan = _find_base(builder, old)
    last_seq = old.last_seq if scan is None else scan.last_seq
    if scan is not None and scan.is_newer:
        return builder.finish(Diagnosis.NEWER, scan.damage, last_seq)
    is_rewritten = new != old or not _has_hash_of_segments(builder, name)
    if found.segments.get(1) is None:
        first = LogPosition(1, SEGMENT_HEADER_BYTES, 0, NO_CHAIN)
        builder.write(segment_name(1), _new_header(builder, first))
        is_rewritten = True
    passed = frozenset[bytes]() if is_rewritten or scan is None else scan.passed
    for newer, position in found.positions.items():
        if newer == name:
            break
        if position.chain not in passed:
            builder.remove(newer, position.last_seq)
    if is_rewritten:
        builder.steps.append(RewriteSnapshot(name, new))
    readable = new.segment
    if new == old:
        readable = _readable_from(builder, damaged_segment, old.segment)
    diagnosis = Diagnosis.REPAIRABLE if builder.steps else Diagnosis.SERVES
    unreadable = EventRange(max(damage.seq, 1), readable - 1)
    return builder.finish(diagnosis, damage, last_seq, unreadable, name)


def _find_base(builder: PlanBuilder, position: LogPosition) -> _Base:
    """Choose the position of a snapshot that has `position` now; adds the steps that it needs."""
    segments, following = builder.found.segments, position.last_seq + 1
    moved = LogPosition(following, SEGMENT_HEADER_BYTES, position.last_seq, position.chain)
    header, next_header = segments.get(position.segment), segments.get(following)
    if header is not None and _reaches(builder, position):
        return _Base(position, _scan_and_keep(builder, position))
    if next_header is not None and next_header.chain == position.chain:
        return _Base(moved, _scan_and_keep(builder, moved))
    name = segment_name(following)
    if header is None:
        builder.write(name, _new_header(builder, moved))
        builder.remove_segments(position.segment, spared=(following,))
        return _Base(moved, None)
    scan = _scan_from(builder, position, without=following)
    end = scan.ended.get(position.segment, scan.end.offset)
    head = encode_segment_header(header._replace(first_seq=following, chain=position.chain))
    source = segment_name(position.segment)
    builder.steps.append(WriteSegment(name, head, source, position.offset, end))
    builder.keep(scan, spared=(position.segment, following))
    return _Base(moved, scan)


def _reaches(builder: PlanBuilder, position: LogPosition) -> bool:
    """Whether a position's segment can be read from its start up to there."""
    cursor = _start_of(builder, position.segment)
    while cursor.offset < position.offset:
        passed = cursor.advance()
        if not passed:
            return False
        if any(stored.record.chain == position.chain for stored in passed):
            return True
    return cursor.position == position


def _start_of(builder: PlanBuilder, segment: int) -> Cursor:
    """A cursor at the start of a segment, by the header that it has or will have."""
    found = builder.found
    return Cursor(builder.disk, builder.folder, segment, found.log_id, found.segments[segment])


def _scan_from(builder: PlanBuilder, position: LogPosition, without: int | None = None) -> LogScan:
    """Scan the log from a position on, with one segment left out."""
    cursor = _start_of(builder, position.segment)
    cursor.skip_to(position)
    chains = [each.chain for each in builder.found.positions.values()]
    segments = (number for number in builder.found.segments if number != without)
    return scan_log(builder.disk, cursor, segments, chains)


def _scan_and_keep(builder: PlanBuilder, position: LogPosition) -> LogScan:
    scan = _scan_from(builder, position)
    builder.keep(scan)
    return scan


def _new_header(builder: PlanBuilder, position: LogPosition) -> bytes:
    """The header of a segment that begins at a position and that no writer has made."""
    epochs = [header.epoch for header in builder.found.segments.values() if header]
    segment_id = int.from_bytes(sha256(position.chain).digest()[:4], "little")
    epoch = 1 + max(epochs, default=0)
    log_id = builder.found.log_id
    header = SegmentHeader(segment_id, log_id, position.segment, epoch, 0, position.chain)
    return encode_segment_header(header)


def _has_hash_of_segments(builder: PlanBuilder, name: str) -> bool:
    """Whether a snapshot has the hash of the segments up to its own, as they are."""
    found = builder.found
    header = found.snapshots[name]
    segments = [number for number in found.segments if number <= found.positions[name].segment]
    actual = segments_hash(builder.disk, builder.folder, segments)
    return header is not None and header.segments == actual


def _readable_from(builder: PlanBuilder, damaged_segment: int, last: int) -> int:
    """The first segment behind a damaged one from which all up to the last can be read."""
    found = builder.found.segments
    rest = [n for n, header in found.items() if header and damaged_segment < n <= last]
    while rest:
        scan = scan_log(builder.disk, _start_of(builder, rest[0]), rest)
        if scan.damage is None or scan.end.segment == last:
            return rest[0]
        rest = [number for number in rest if number > scan.end.segment]
    return last
