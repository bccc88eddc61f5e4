"""A follower's changes while its leader ends, or has taken it for lost."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog
from rpds import HashTrieMap

from nc.clock import SystemClock
from nc.contract import LARGEST_UINT64
from nc.domain.errors import SessionEnded
from nc.domain.events import pb as events
from nc.domain.links import DropLink
from nc.domain.state import State
from nc.hub.recorder import LATER, LinkRecorder
from nc.hub.session import Session
from nc.pb.replica.v1 import replication_pb2 as pb
from nc.pki.errors import AuthorityNotYetValid
from nc.replica.errors import NotLeading, OutcomeOpen, Stopping, Unwritable, WriteRefused
from nc.replica.leases import Granted
from nc.replica.peers import Peer, Peers
from nc.replica.replica import Replica
from nc.replica.role import Role
from nc.replica.touch import Touch
from nc.replica.waiting import WaitingNodes
from nc.rpc.answers import answer_to
from nc.rpc.api import Call
from nc.rpc.callers import ANONYMOUS
from nc.rpc.replication.changes import error_of, refusal_of
from nc.rpc.replication.following import Following
from nc.rpc.replication.line import LineBroken
from nc.rpc.replication.service import ReplicationService
from tests.support.replica_bench import ORIGIN, on_a_loop, settle
from tests.support.whole_server import Lines

CLOSED = events.STATE_CHANGE_REASON_LINK_CLOSED
DROP = DropLink("node", "link", CLOSED)
NOTHING = Granted(0, 0, 0)
FORWARD = Call(ANONYMOUS, "forward", "id", 0)


class Refusing:
    """A line to a leader that refuses with these errors, one after the other, and then does it."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    async def forward(self, _request: pb.ForwardRequest, _timeout_s: float) -> pb.ForwardResponse:
        refusal = refusal_of(self.errors.pop(0)) if self.errors else pb.Refusal()
        return pb.ForwardResponse(refusal=refusal)


class FollowerLine:
    """The messages of a follower that says one thing, and then is there until it `ends`."""

    def __init__(self) -> None:
        self.ends = asyncio.Event()
        self._first: bytes | None = pb.FromFollower(session="s").SerializeToString()

    async def read(self) -> bytes | None:
        first, self._first = self._first, None
        if first is None:
            await self.ends.wait()
        return first

    async def write(self, message: bytes) -> None:
        pass


def following_by(line: Refusing) -> Following:
    replica = SimpleNamespace(
        session="s", leads=False, state=SimpleNamespace(seq=0), observe=lambda _: None
    )
    touch = Touch(SystemClock().monotonic_ns)
    role: Any = SimpleNamespace(replica=replica, touch=touch)
    opened: Any = lambda _: line  # noqa: E731 - typed
    following: Any = Following(
        cast(Role, role), Peers(), lambda: Peer("", 0), opened, SystemClock(), WaitingNodes()
    )
    following._line = line
    return cast(Following, following)


def leading_by(role: Any, lines: Lines) -> ReplicationService:
    log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[lines])
    unused: Any = None
    parts = (unused, lambda: Peer("", 0), dict, unused, unused, SystemClock(), log, WaitingNodes())
    return ReplicationService(cast(Role, role), *parts)


@on_a_loop
async def test_the_end_of_a_link_outlives_a_leader_whose_log_fails_or_that_stops() -> None:
    """It is the leader's log, and not this server's: another leader is asked."""
    line = Refusing(Unwritable(), Stopping(), Unwritable())
    await following_by(line).change(DROP, ORIGIN, insist=True)
    assert line.errors == []


@on_a_loop
async def test_a_leader_is_called_again_once_a_certificate_can_be_made() -> None:
    """A clock that was set wrong does not end a server that follows."""
    following: Any = following_by(Refusing())
    role, is_called, errors = following._role, asyncio.Event(), [AuthorityNotYetValid(None, "", "")]
    role.stands, role.leader = False, SimpleNamespace(address="a:1", epoch=1)

    async def gone(_message: object) -> None:
        raise LineBroken

    async def close() -> None:
        is_called.set()

    def opened(_address: str) -> Any:
        if errors:
            raise errors.pop()
        return SimpleNamespace(send=gone, close=close)

    following._open_line = opened
    running = asyncio.create_task(following.run())
    calling = asyncio.create_task(is_called.wait())
    await asyncio.wait([running, calling], return_when=asyncio.FIRST_COMPLETED)
    assert is_called.is_set()
    for task in (running, calling):
        task.cancel()


@on_a_loop
async def test_whether_a_leader_did_it_whose_log_fails_is_open() -> None:
    """A change that is not insisted on says so."""
    with pytest.raises(OutcomeOpen):
        await following_by(Refusing(Unwritable())).change(DROP, ORIGIN, insist=False)


@on_a_loop
async def test_a_link_of_a_server_that_was_lost_has_ended_with_it() -> None:
    """There is nothing to record any more."""

    async def submit(*_: object, **__: object) -> None:
        raise SessionEnded

    replica, waiting = cast(Replica, SimpleNamespace(submit=submit)), WaitingNodes()
    recorder = LinkRecorder(replica, SystemClock(), waiting, 0)
    link: Any = SimpleNamespace(node_id="node", link_id="link", is_accepted=True)
    await recorder.end(cast(Session, link), CLOSED)


@on_a_loop
async def test_a_bug_of_the_leaders_is_no_mistake_of_the_callers() -> None:
    """It is logged there; its text goes nowhere, and whoever asked may ask again."""

    async def broken() -> None:
        raise KeyError("an inner matter")

    replica = SimpleNamespace(state=State(), decides=True)
    role: Any = SimpleNamespace(current=broken, replica=replica)
    lines = Lines()
    service = leading_by(role, lines)
    response = await service.forward(pb.ForwardRequest(), FORWARD)
    error = error_of(response.refusal)
    assert isinstance(error, OutcomeOpen)
    assert "inner" not in str(error)
    assert [line["request_id"] for line in lines.named("rpc.crashed")] == ["id"]
    assert answer_to(error, "id").code == "500"
    assert isinstance(error, LATER)


@pytest.mark.parametrize(
    "request_", [pb.ForwardRequest(call=pb.Call(path="/new")), pb.ForwardRequest(session="s")]
)
@on_a_loop
async def test_what_an_older_leader_does_not_know_was_not_done(
    request_: pb.ForwardRequest,
) -> None:
    """Nobody has to see whether it was: it may be asked for again once that server is upgraded."""

    async def current() -> None:
        pass

    state = State(sessions=HashTrieMap({"s": "server"}))
    replica = SimpleNamespace(state=state, decides=True, leads=True)
    lines = Lines()
    service = leading_by(SimpleNamespace(current=current, replica=replica), lines)
    error = error_of((await service.forward(request_, FORWARD)).refusal)
    assert isinstance(error, WriteRefused)
    assert "nothing was changed; upgrade that server" in str(error)
    assert lines.named("rpc.crashed") == []


@on_a_loop
async def test_a_stop_that_waits_may_be_of_a_session_that_has_ended() -> None:
    """Its server has started again meanwhile: nothing is recorded of the earlier session."""

    async def current() -> None:
        pass

    state = State(sessions=HashTrieMap({"s": "server"}))
    replica = SimpleNamespace(state=state, decides=True, leads=True)
    quiet = SimpleNamespace(quiet_until_ns=LARGEST_UINT64)
    role = SimpleNamespace(current=current, replica=replica, leases=quiet)
    stop = pb.Change(stop_replica=pb.StopReplica(replica_id="server", session="s"))
    request = pb.ForwardRequest(session="s", change=stop)
    stopping = asyncio.create_task(leading_by(role, Lines()).forward(request, FORWARD))
    await settle()
    replica.state = State(sessions=HashTrieMap({"later": "server"}))
    quiet.quiet_until_ns = 0
    assert isinstance(error_of((await stopping).refusal), SessionEnded)


@pytest.mark.parametrize("calls", [1, 2])
@on_a_loop
async def test_who_follows_and_never_begins_is_forgotten(calls: int) -> None:
    """Once it goes away; not if it has called again meanwhile."""
    noted: Any = lambda *_: None  # noqa: E731 - typed
    replica = SimpleNamespace(state=State(), session="leader")
    leases = SimpleNamespace(broke=noted)
    role = SimpleNamespace(leases=leases, replica=replica, heard=noted, grant=lambda _: NOTHING)
    service: Any = leading_by(role, Lines())
    lines = [FollowerLine() for _ in range(calls)]
    following = [asyncio.create_task(service.follow(line, FORWARD)) for line in lines]
    await settle()
    lines[0].ends.set()
    await following[0]
    assert ("s" in service._known) is (calls > 1)
    for line in lines:
        line.ends.set()
    await asyncio.gather(*following)
    assert not service._known


@on_a_loop
async def test_who_leads_no_more_says_so_at_once() -> None:
    """It may answer again only once it follows the next leader: whoever asks asks that one."""

    async def current() -> None:
        raise AssertionError("it waits")

    replica = SimpleNamespace(state=State(), decides=False, leads=False)
    service = leading_by(SimpleNamespace(current=current, replica=replica), Lines())
    response = await service.forward(pb.ForwardRequest(), FORWARD)
    assert isinstance(error_of(response.refusal), NotLeading)
