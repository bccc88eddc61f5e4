"""Where a snapshot can stand in a log whose past is damaged, so that the log goes on from it.

A snapshot's place is behind a record, and a log opens only if all of that segment can be read. If
that one cannot, what follows the place goes into a segment of its own, which begins with the next
event and whose header has the chain hash that the snapshot remembers; records do not say where they
are stored, so they go there as they are.
"""

from hashlib import sha256
from typing import NamedTuple

from eventlog.api import LogPosition
from eventlog.cursor import Cursor
from eventlog.errors import LogDamaged
from eventlog.format import NO_CHAIN, SEGMENT_HEADER_BYTES, SegmentHeader, encode_segment_header
from eventlog.repair.draft import PlanDraft
from eventlog.repair.plan import Build, Finding, Plan, Renew, Span
from eventlog.repair.walk import Walk, walk
from eventlog.segments import segment_name
from eventlog.snapshots import segments_hash

__all__ = ["continue_from"]


class _Stand(NamedTuple):
    """A place that the snapshot can have, and the way on from there."""

    place: LogPosition
    way: Walk | None  # None: nothing follows


def continue_from(draft: PlanDraft, name: str, damage: LogDamaged, damaged_segment: int) -> Plan:
    """Plan to keep what a snapshot holds, and what can be read behind it.

    Args:
        draft: of the plan.
        name: the snapshot's.
        damage: what cannot be read before it.
        damaged_segment: where that is; 0: nothing can be read at all.
    """
    found, headers = draft.found, draft.found.places
    place = headers[name]
    new_place, way = _stand(draft, place)
    last_seq = place.last_seq if way is None else way.last_seq
    if way is not None and way.is_newer:
        return draft.finish(Finding.NEWER, way.damage, last_seq)
    is_new = new_place != place or not _knows_the_segments(draft, name)
    if found.segments.get(1) is None:
        stub = _header(draft, LogPosition(1, SEGMENT_HEADER_BYTES, 0, NO_CHAIN))
        draft.steps.append(Build(segment_name(1), stub, "", 0, 0))
        is_new = True
    passed = frozenset[bytes]() if is_new or way is None else way.passed
    for newer, its_place in headers.items():
        if newer == name:
            break
        if its_place.chain not in passed:
            draft.remove(newer, its_place.last_seq)
    if is_new:
        draft.steps.append(Renew(name, new_place))
    readable = new_place.segment
    if new_place == place:
        readable = _readable_from(draft, damaged_segment, place.segment)
    finding = Finding.REPAIRABLE if draft.steps else Finding.SERVES
    unreadable = Span(max(damage.seq, 1), readable - 1)
    return draft.finish(finding, damage, last_seq, unreadable, name)


def _stand(draft: PlanDraft, place: LogPosition) -> _Stand:
    """Find a place for the snapshot of that one; what has to be done for it goes into the plan."""
    segments, following = draft.found.segments, place.last_seq + 1
    new_place = LogPosition(following, SEGMENT_HEADER_BYTES, place.last_seq, place.chain)
    header, next_header = segments.get(place.segment), segments.get(following)
    if header is not None and _reaches(draft, place):
        return _Stand(place, _cut_where_it_ends(draft, place))
    if next_header is not None and next_header.chain == place.chain:
        return _Stand(new_place, _cut_where_it_ends(draft, new_place))
    name = segment_name(following)
    if header is None:
        draft.steps.append(Build(name, _header(draft, new_place), "", 0, 0))
        draft.remove_segments(place.segment, spared=(following,))
        return _Stand(new_place, None)
    way = _way_from(draft, place, without=following)
    end = way.ended.get(place.segment, way.end.offset)
    head = encode_segment_header(header._replace(first_seq=following, chain=place.chain))
    draft.steps.append(Build(name, head, segment_name(place.segment), place.offset, end))
    draft.keep_way(way, spared=(place.segment, following))
    return _Stand(new_place, way)


def _reaches(draft: PlanDraft, place: LogPosition) -> bool:
    """Whether the segment of a place can be read from its start up to there."""
    cursor = _start_of(draft, place.segment)
    while cursor.offset < place.offset:
        passed = cursor.advance()
        if not passed:
            return False
        if any(stored.record.chain == place.chain for stored in passed):
            return True
    return cursor.place == place


def _start_of(draft: PlanDraft, segment: int) -> Cursor:
    """A cursor at the start of a segment, whose header may have to be mended."""
    found = draft.found
    return Cursor(draft.disk, draft.folder, segment, found.log_id, found.segments[segment])


def _way_from(draft: PlanDraft, place: LogPosition, without: int | None = None) -> Walk:
    """The way on from a place; one segment may be left out."""
    cursor = _start_of(draft, place.segment)
    cursor.skip_to(place)
    chains = [each.chain for each in draft.found.places.values()]
    return walk(draft.disk, cursor, (n for n in draft.found.segments if n != without), chains)


def _cut_where_it_ends(draft: PlanDraft, place: LogPosition) -> Walk:
    way = _way_from(draft, place)
    draft.keep_way(way)
    return way


def _header(draft: PlanDraft, place: LogPosition) -> bytes:
    """The header of a segment that begins there and was made by nobody."""
    known = [header.epoch for header in draft.found.segments.values() if header]
    segment_id = int.from_bytes(sha256(place.chain).digest()[:4], "little")
    epoch = 1 + max(known, default=0)
    return encode_segment_header(
        SegmentHeader(segment_id, draft.found.log_id, place.segment, epoch, 0, place.chain)
    )


def _knows_the_segments(draft: PlanDraft, name: str) -> bool:
    """Whether a snapshot remembers the segments before it as they are."""
    header = draft.found.snapshots[name]
    segments = [n for n in draft.found.segments if n <= draft.found.places[name].segment]
    known = segments_hash(draft.disk, draft.folder, segments)
    return header is not None and header.segments == known


def _readable_from(draft: PlanDraft, damaged_segment: int, last: int) -> int:
    """The first segment behind a damaged one from which everything up to the last can be read."""
    found = draft.found.segments
    rest = [n for n, header in found.items() if header and damaged_segment < n <= last]
    while rest:
        way = walk(draft.disk, _start_of(draft, rest[0]), rest)
        if way.damage is None or way.end.segment == last:
            return rest[0]
        rest = [number for number in rest if number > way.end.segment]
    return last
