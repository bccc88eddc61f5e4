"""Calls whose message does not come: what waits is bounded, for each party, and ends in time."""

import asyncio
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from nc.rpc.queue.bodies import Bodies
from nc.rpc.queue.call import DEADLINE_EXCEEDED, OK, RESOURCE_EXHAUSTED, Refusal, ServerCall
from nc.rpc.queue.limits import Limits
from tests.fuzz.raw_http2 import headers
from tests.support.queue_server import PATIENCE_S, UNARY, connected, serving, unary


def by_metadata(call: ServerCall) -> Refusal | None:
    call.party = dict(call.metadata).get("party", "other")
    return None


async def test_headers_only_end_with_a_deadline_and_take_nobody_elses_place() -> None:
    """Calls without a body wait in their own party's room, and not for ever.

    Those that wait for room are not told that their message did not come: it was not received.
    """
    limits = Limits(bodies=4, bodies_of_party=2, body_s=1.0)
    async with serving(decide=by_metadata, limits=limits) as running, running.channel() as channel:
        peer = connected(running)
        with peer.socket:
            streams = range(1, 100, 2)
            peer.socket.sendall(b"".join(headers(stream, UNARY.encode()) for stream in streams))
            await running.until(lambda: len(running.gate.admitted) == len(streams))
            assert await unary(channel, metadata=(("party", "mine"),)) == b"x"
            await running.until(lambda: running.port.calls_under_way == 0)
            statuses = Counter(call.status for call, _ in running.gate.ended_calls)
            assert statuses.keys() == {OK, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED}
            assert statuses.total() == len(streams) + statuses[OK] == len(streams) + 1
            assert statuses[DEADLINE_EXCEEDED] >= limits.bodies_of_party
            assert await unary(channel) == b"x"  # their room is free again


CONNECTIONS, STREAMS_EACH, BODY_BYTES = 4, 100, 1 << 20


async def test_bodies_take_bounded_memory() -> None:
    """However many calls send a body without an end, gRPC takes that of a few only."""
    limits = Limits(bodies=8, bodies_of_party=8, body_s=PATIENCE_S)
    options = (("grpc.max_receive_message_length", BODY_BYTES), ("grpc.http2.bdp_probe", 0),
               ("grpc.http2.lookahead_bytes", 16_384))  # fmt: skip
    async with serving(limits=limits, options=options) as running:
        peers = [connected(running) for _ in range(CONNECTIONS)]
        streams = range(1, 2 * STREAMS_EACH, 2)
        for peer in peers:
            peer.socket.sendall(b"".join(headers(stream, UNARY.encode()) for stream in streams))
        stuffing = (asyncio.to_thread(peer.stuff, streams, BODY_BYTES) for peer in peers)
        taken = await asyncio.gather(*stuffing)
        windows = CONNECTIONS * STREAMS_EACH * 2 * 16_384
        assert sum(taken) <= limits.bodies * BODY_BYTES + windows
        for peer in peers:
            peer.socket.close()
        await running.until(lambda: running.port.calls_under_way == 0)


class Waiting:
    def __init__(self, party: int | None) -> None:
        self.party: object = party
        self.is_gone = self.is_receiving = False

    def start_receiving(self) -> bool:
        self.is_receiving = not self.is_gone
        return self.is_receiving


@given(
    st.integers(1, 5),
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from(("come", "go", "done")), st.integers(0, 3))),
)
def test_bodies_keep_their_limits_and_leave_no_room_unused(
    for_all: int, for_party: int, steps: list[tuple[str, int]]
) -> None:
    """Never more than the limits; and none waits that the limits would let in."""
    bodies, calls = Bodies(for_all, for_party), list[Waiting]()
    for step, number in steps:
        receiving = [call for call in calls if call.is_receiving]
        if step == "come":
            calls.append(Waiting(number or None))  # a party may be any value
            bodies.await_turn(calls[-1])
        elif step == "done" and receiving:
            done = receiving[number % len(receiving)]
            calls.remove(done)
            bodies.release(done)
        elif step == "go" and calls and not calls[-1].is_receiving:
            calls[-1].is_gone = True
            calls.pop()
        of_party = Counter(call.party for call in calls if call.is_receiving)
        assert bodies.received_now == of_party.total() <= for_all
        assert all(count <= for_party for count in of_party.values())
        for call in calls:
            has_room = of_party.total() < for_all and of_party[call.party] < for_party
            assert call.is_receiving or not has_room
