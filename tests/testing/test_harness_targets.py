"""Every target keeps every law, and is left as it was; the same seed is the same search."""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from nc.testing import (
    LAWS,
    Ability,
    CheckState,
    Crash,
    InProcess,
    IssueToken,
    LawBroken,
    Redeem,
    Remote,
    ServerProcess,
    Unregister,
)
from nc.testing.search import Trial, Trials, search
from tests.support.forked_popen import ForkedPopen


@pytest.fixture(scope="module")
def process() -> Iterator[ServerProcess]:
    """A real server that is killed now and then, and forked at each start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", ForkedPopen)
        target = ServerProcess()
        yield target
        target.close()


IN_PROCESS = {
    "on a disk": {},
    "in memory": {"on_disk": False},
    "with a rival": {"on_disk": False, "rival": True},
}


@pytest.mark.parametrize("kind", IN_PROCESS)
def test_this_server_keeps_every_law(kind: str) -> None:
    """A short search on each kind of log breaks nothing, and exercises every law."""
    target = InProcess(**IN_PROCESS[kind])
    report = search(target, examples=20, seed=1)
    target.close()
    report.require()
    assert [law.name for law in report.idle_laws] == []


@pytest.mark.long
@pytest.mark.parametrize("kind", IN_PROCESS)
def test_this_server_keeps_every_law_for_long(kind: str) -> None:
    """Ten minutes on each kind of log."""
    target = InProcess(**IN_PROCESS[kind])
    search(target, minutes=10, seed=1000).require()
    target.close()


def test_the_same_seed_is_the_same_search() -> None:
    """Two searches from one seed see the same, step for step; another one does not."""

    def seen(seed: int) -> list[str]:
        histories: list[str] = []
        target = _Recorded(histories)
        search(target, examples=3, seed=seed)
        target.close()
        return histories

    assert seen(5) == seen(5) != seen(6)


class _Recorded(InProcess):
    """A target that notes what it is asked and answers."""

    def __init__(self, histories: list[str]) -> None:
        super().__init__()
        self._histories = histories

    def perform(self, requests: Any) -> Any:
        replies = super().perform(requests)
        self._histories.append(
            f"{requests} {[(r.moment, r.answer and r.answer.facts) for r in replies]}"
        )
        return replies


def test_a_server_process_keeps_every_law(process: ServerProcess) -> None:
    """Over gRPC and links, killed and restarted on the way."""
    search(Trials(process, rules=10), examples=3, seed=5).require()


@pytest.mark.long
def test_a_server_process_keeps_every_law_for_long(process: ServerProcess) -> None:
    """Ten minutes of it."""
    search(Trials(process, rules=15), minutes=10, seed=1000).require()


def test_what_was_acknowledged_outlives_a_kill(process: ServerProcess) -> None:
    """A node that was given its token is known to the next process; the laws agree."""
    trial = Trial(process)
    trial.perform(IssueToken("token 1", -1))
    trial.perform(Redeem("token 1", "node 1"))
    trial.perform(Redeem("token 1", "node 2"), IssueToken("token 2", 10), crash=Crash(at_step=2))
    (answer,) = trial.perform(CheckState("node 1"))
    assert answer is not None
    assert answer.is_ok
    trial.finish()
    process.end()


def test_a_server_that_ends_by_itself_broke_a_law(process: ServerProcess) -> None:
    """It is noticed at once, and what a trial that was not ended had is gone with the next one."""
    Trial(process)
    given_up = process._process
    trial = Trial(process)
    trial.perform(IssueToken("token 1", 10))
    assert given_up is not None
    assert given_up._process.poll() is not None
    assert process._process is not None
    process._process.kill()
    process._process._process.wait()
    with pytest.raises(LawBroken, match=r"the server starts again, at the end: .* by itself"):
        trial.perform(CheckState("node 1"))
    process.end()


def test_a_black_box_is_left_as_it_was(process: ServerProcess) -> None:
    """Every node that a search registered is gone again, and no token stays for ever."""
    process.begin("10.1.1.1/24")
    before = len(process.events())
    remote = Remote("127.0.0.1", process.control_port, process.tls)
    assert remote.abilities == {Ability.CERTIFICATES}
    with pytest.raises(TypeError, match="not ours"):
        Trial(remote).restart()
    report = search(Trials(remote, rules=10), examples=3, seed=2)
    remote.close()
    report.require()
    joined, left, forever = 0, 0, 0
    for event in process.events()[before:]:
        joined += event.HasField("node_registered")
        left += event.HasField("unregistered")
        forever += event.HasField("token_issued") and not event.token_issued.expires_at_ms
    assert joined == left > 0
    assert forever == 0
    assert not any(report.exercised[law] for law in LAWS if law.needs_log)
    process.end()


def test_what_another_implementation_breaks_is_reported(process: ServerProcess) -> None:
    """A server that answers otherwise breaks the law about that; nothing else is blamed."""

    class Liar(Remote):
        """Does what UnRegister asks for, and says that it fell over."""

        async def _call(self, *call: Any, **more: Any) -> Any:
            answer = await super()._call(*call, **more)
            if call[2] == "UnRegister":
                answer.code, answer.message = "500", "it fell over"
            return answer

    process.begin("10.1.1.1/24")
    remote = Liar("127.0.0.1", process.control_port, process.tls)
    report = search(Trials(remote, rules=10), examples=8, seed=3, shrinks=10, find_all=True)
    remote.close()
    assert "codes are the contract's" in {broken.breach.law.name for broken in report.broken}
    for broken in report.broken:  # the laws about who is gone, too: it is, without a "200"
        assert any(isinstance(step.operation, Unregister) for step in broken.history.steps)
    process.end()
