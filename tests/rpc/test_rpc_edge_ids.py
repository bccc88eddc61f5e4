"""Which request ids the edge takes over from a caller."""

from typing import Any

import pytest

from nc.pb import network_controller_pb2 as pb
from tests.rpc.edge_bench import TOKEN, UUID, Bench, Context

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
OURS = "0c57e80d1d0000000001"


@pytest.mark.parametrize(
    ("sent", "recorded"),
    [
        (UUID, UUID),
        (UUID.lower(), UUID.lower()),
        (ULID, ULID),
        (ULID.lower(), ULID.lower()),
        (TRACE_ID, TRACE_ID),
        (f"00-{TRACE_ID}-00f067aa0ba902b7-01", TRACE_ID),
        (OURS, OURS),
    ],
)
def test_an_id_of_a_narrow_form_is_used(sent: str, recorded: str) -> None:
    """Returned as it was sent, logged, and known to the operation; a trace by its id."""
    bench, context, seen = Bench(), Context((sent,)), []

    async def operation(_request: Any, call: Any) -> pb.CheckConnResponse:
        seen.append(call.request_id)
        return pb.CheckConnResponse()

    bench.call(operation, context=context)
    assert seen == [recorded]
    assert context.request_id == sent
    assert bench.lines[0]["request_id"] == recorded


@pytest.mark.parametrize(
    "sent",
    [
        *("", " ", "a b", "x" * 129, "a\n", "a\x00", "\x1b[31m", "a\x7f", "é", "a", "retry-1"),
        *(f"{UUID}\n", f" {UUID}", UUID.replace("-", "_"), f"{{{UUID}}}", UUID[:-1] + "\u0660"),
        *(ULID[:-1], f"8{ULID[1:]}", ULID.replace("Z", "U")),
        *(TRACE_ID[1:], f"{TRACE_ID}0", f"01-{TRACE_ID}-00f067aa0ba902b7-01", f"00-{TRACE_ID}"),
        *(OURS[1:], TOKEN, f"x{TOKEN}"),
    ],
)
def test_an_id_of_another_form_is_replaced(sent: str) -> None:
    """Whatever is of no form that is used: a made one stands in for it everywhere."""
    bench, context = Bench(), Context((sent,))
    bench.call(context=context)
    made = context.request_id
    assert made == bench.lines[0]["request_id"] != sent
    assert len(made) == 20


def test_of_several_ids_the_first_fit_one_counts() -> None:
    """A caller that sends the header twice still gets one id back."""
    context = Context(("not fit", UUID, ULID))
    Bench().call(context=context)
    assert context.request_id == UUID
