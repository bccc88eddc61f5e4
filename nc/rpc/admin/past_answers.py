"""The answers of nc.admin.v1.History, from a log that is read."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from typing import Final

from eventlog import LogReader
from nc.domain.codec.records import Recorded
from nc.domain.links import link_of
from nc.domain.map_items import items_of
from nc.domain.names import shown_name
from nc.domain.operator_errors import NodeReferenceUnknown
from nc.domain.references import SHORTEST_PREFIX, node_meant
from nc.domain.state import State
from nc.history.as_of import states_at
from nc.history.diff import differences
from nc.history.events import Point, history
from nc.history.explain import Target, explain
from nc.pb.admin.v1 import history_pb2 as pb
from nc.pb.admin.v1 import nodes_pb2
from nc.rpc.admin.errors import Ambiguous, InvalidField, NotFound
from nc.rpc.admin.live_links import NoLinks
from nc.rpc.admin.logged import NodeNames, kind_of, logged, node_id_of
from nc.rpc.admin.paging import list_id, page_of, page_size, place_of
from nc.rpc.admin.selection import node_filter, node_key, ordering_of
from nc.rpc.admin.views import STATES, node_view, token_view

# Tokens, differences and reasons in one answer.
_MOST: Final = 10_000

_NS_PER_MS: Final = 1_000_000


async def at(reader: LogReader, request: pb.AtRequest, _: str) -> pb.AtResponse:
    """The state as of a moment; later pages are of the moment that the first one had."""
    seq_text, _, place = request.page_token.partition(".")
    listed = list_id("at", request.filter)
    if request.page_token and not seq_text.isdecimal():
        raise InvalidField("page_token", "it is not from a page of this list")
    point = Point(seq=int(seq_text)) if seq_text else _point(request.moment)
    state, at_ns = states_at(reader, [point])[0]
    now_ms = (at_ns or 0) // _NS_PER_MS
    ordering = ordering_of(nodes_pb2.NODE_ORDER_NAME)
    page = await page_of(
        items_of(state.nodes),
        node_key(state, node_filter(state, request.filter), ordering),
        after=place_of(place, listed, ordering.kind),
        size=page_size(request.page_size),
        descending=False,
        listed=listed,
    )
    tokens = [] if request.page_token else sorted(items_of(state.tokens))
    return pb.AtResponse(
        seq=state.seq,
        recorded_at_ns=at_ns or 0,
        nodes=[
            node_view(state, node_id, state.nodes[node_id], NoLinks(), now_ms)
            for _, node_id in page.keys
        ],
        next_page_token=f"{state.seq}.{page.next_token}" if page.next_token else "",
        total=page.total,
        tokens=[token_view(*each, now_ms) for each in tokens[:_MOST]],
        network=str(state.addresses.network),
    )


async def diff(reader: LogReader, request: pb.DiffRequest, _: str) -> pb.DiffResponse:
    """What changed from one moment to another; backwards, if the first is the later one."""
    points = [_point(getattr(request, "from")), _point(request.to)]
    before, after = (found.state for found in states_at(reader, points))
    found = list(_differences(reader, before, after))
    answer = pb.DiffResponse(from_seq=before.seq, to_seq=after.seq, differences=found[:_MOST])
    answer.more = len(found) - len(answer.differences)
    return answer


def _differences(reader: LogReader, before: State, after: State) -> Iterator[pb.Difference]:
    if before.addresses.network != after.addresses.network:
        networks = str(before.addresses.network), str(after.addresses.network)
        yield pb.Difference(
            subject="network", field="network", before=networks[0], after=networks[1]
        )
    for subject, texts in (
        ("node", _node_texts),
        ("token", _token_texts),
        ("administrator", _administrator_texts),
    ):
        yield from _changes(subject, texts(before), texts(after))
    first, last = sorted((before.seq, after.seq))
    between = takewhile(lambda each: each.seq <= last, history(reader, first))
    passing = differences(before, after, between)
    for node_id in passing.passed_through:
        name = passing.passed_names.get(node_id, "")
        yield pb.Difference(subject="node", id=node_id, name=name, field="came and went")
    for node_id, count in passing.flapped.items():
        yield pb.Difference(
            subject="node",
            id=node_id,
            name=_node_name(after, node_id),
            field="links lost",
            after=str(count),
        )


# By id, then by field; the field "" is the thing's name.
Texts = Mapping[str, Mapping[str, str]]


def _changes(subject: str, before: Texts, after: Texts) -> Iterator[pb.Difference]:
    """What came, what went, and what changed of the rest; by id, then by field."""
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        name = (new or old or {}).get("", "")
        if old is None or new is None:
            here = ("", "there") if old is None else ("there", "")
            yield pb.Difference(subject=subject, id=key, name=name, before=here[0], after=here[1])
            continue
        for field in sorted(new):
            if field and old[field] != new[field]:
                yield pb.Difference(
                    subject=subject,
                    id=key,
                    name=name,
                    field=field,
                    before=old[field],
                    after=new[field],
                )


def _node_texts(state: State) -> Texts:
    return {
        node_id: {
            "": shown_name(node.profile.name, node_id),
            "name": node.profile.name,
            "labels": _labels(node.profile.labels),
            "note": node.profile.note,
            "state": link_of(state.links, node_id).state.name,
            "address": state.addresses.address_of(node_id),
            "expires_at_ms": _number(node.expires_at_ms),
            "certificates_end_ms": _number(node.certificates_end_ms),
        }
        for node_id, node in items_of(state.nodes)
    }


def _token_texts(state: State) -> Texts:
    return {
        token_id: {
            "": token.terms.label,
            "revoked": "revoked" if token.is_revoked else "",
            "uses": _number(token.uses),
        }
        for token_id, token in items_of(state.tokens)
    }


def _administrator_texts(state: State) -> Texts:
    return {
        serial: {
            "": each.name,
            "revoked": "" if each.revoked_at_ms is None else "revoked",
        }
        for serial, each in items_of(state.administrators.by_serial)
    }


def _labels(pairs: Iterable[tuple[str, str]]) -> str:
    return ",".join(f"{key}={value}" for key, value in pairs)


def _number(value: int) -> str:
    return str(value) if value else ""


async def why(reader: LogReader, request: pb.WhyRequest, id_of_token: str) -> pb.WhyResponse:
    """What led to a node's state.

    Args:
        reader: of the log.
        request: the node may be one that is gone.
        id_of_token: the node's id, if the reference is its token.
    """
    state = states_at(reader, [_point(request.moment)])[0].state
    node_id = _node_meant(reader, state, request.node, id_of_token)
    names = NodeNames(lambda: state)
    lines = list(explain(_until(reader, state.seq), Target("node", node_id)))
    # the first ones say where it came from, the last ones why it is as it is
    shown = lines if len(lines) <= _MOST else [*lines[:10], *lines[10 - _MOST :]]
    node = state.nodes.get(node_id)
    return pb.WhyResponse(
        node_id=node_id,
        name=_node_name(state, node_id) or _last_name(each.recorded for each in lines),
        state=nodes_pb2.NODE_STATE_UNSPECIFIED
        if node is None
        else STATES[link_of(state.links, node_id).state],
        address=state.addresses.address_of(node_id),
        seq=state.seq,
        left_out=len(lines) - len(shown),
        reasons=[
            pb.Reason(event=logged(each.recorded, names), sentence=each.text) for each in shown
        ],
    )


def _until(reader: LogReader, last: int) -> Iterator[Recorded]:
    return takewhile(lambda each: each.seq <= last, history(reader))


def _node_meant(reader: LogReader, state: State, reference: str, id_of_token: str) -> str:
    try:
        return node_meant(state, reference, lambda _: id_of_token)
    except NodeReferenceUnknown:
        gone = sorted(_nodes_seen(_until(reader, state.seq), reference.lower(), id_of_token))
        if not gone and state.seq < reader.last_seq:
            raise NotFound(
                f"there was no such node up to event {state.seq}; leave the moment out to search "
                "the whole log"
            ) from None
        if not gone:
            raise
        if len(gone) > 1:
            raise Ambiguous(
                f"several nodes that are gone are meant by this, such as {', '.join(gone[:4])}; "
                "give an id"
            ) from None
        return gone[0]


def _nodes_seen(events: Iterable[Recorded], reference: str, id_of_token: str) -> set[str]:
    found = set()
    for recorded in events:
        kind = kind_of(recorded.event)
        node_id = node_id_of(recorded.event, kind)
        if not node_id:
            continue
        is_prefix = len(reference) >= SHORTEST_PREFIX and node_id.startswith(reference)
        name = getattr(getattr(recorded.event, kind), "name", "")
        if node_id == id_of_token or is_prefix or name == reference:
            found.add(node_id)
    return found


def _last_name(events: Iterable[Recorded]) -> str:
    """The name that the last of a node's events that name it gave it; empty: none did."""
    name = ""
    for recorded in events:
        event = getattr(recorded.event, kind_of(recorded.event))
        name = getattr(event, "name", "") or name
    return name


def _node_name(state: State, node_id: str) -> str:
    node = state.nodes.get(node_id)
    return "" if node is None else shown_name(node.profile.name, node_id)


def _point(moment: pb.Moment) -> Point:
    match moment.WhichOneof("moment"):
        case "seq":
            return Point(seq=moment.seq)
        case "time_ms":
            return Point(at_ns=(moment.time_ms + 1) * _NS_PER_MS - 1)
        case _:
            return Point()
