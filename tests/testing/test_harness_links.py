"""Real links: a server process keeps the laws about them, and one with a bug about them does not.

`pytest -m long -s` prints in which trial each planted bug is found, how long that takes, and by
which law.
"""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from nc.clock import SystemClock, now_ms
from nc.testing import (
    CheckState,
    CloseLink,
    Crash,
    Handshake,
    IssueToken,
    Judgement,
    LawBroken,
    OpenLink,
    Redeem,
    ServerProcess,
    SetExpiries,
    Sweep,
    Trial,
    Unregister,
    search,
)
from nc.testing.targets import link_end, links
from tests.testing.broken_server import BUGS

BROKEN_SERVER = Path(__file__).with_name("broken_server.py")

MOST_TRIALS = 60

ABOUT_LINKS = {
    "no two nodes hold one address",
    "an address is one for nodes",
    "connected means one live link",
    "an old link's end does not touch a newer one",
    "no link outlives its server",
    "expiry cuts a link for good",
    "a refused command changes nothing",
    "an acknowledged change is in the log once",
    "states move along the machine",
}

# Each shows by itself, without a search, in a link's life; by which laws.
SHOWN_AT_ONCE = {
    "another address is handed over": {"an address is one for nodes"},
    "the handshake is not recorded": {"an old link's end does not touch a newer one"},
    "a late drop hurts the newer link": {  # at any moment from its acceptance on
        "a refused command changes nothing",
        "some order of the commands explains every answer",
        "an old link's end does not touch a newer one",
        "connected means one live link",
    },
}


@contextmanager
def server(bug: str = "") -> Iterator[ServerProcess]:
    """A server process, as it is or with a bug."""
    broken = (sys.executable, str(BROKEN_SERVER), bug, "serve")
    target = ServerProcess(broken) if bug else ServerProcess()
    with pytest.MonkeyPatch.context() as patch, closing(target):
        for module in (link_end, links) if bug else ():
            patch.setattr(module, "PATIENCE_S", 3.0)  # for what will never come
        yield target


def a_link_s_life(target: ServerProcess) -> Trial:
    """Two nodes: opened, greeted, taken over, closed, closed late."""
    trial = Trial(target, "10.1.1.1/29")  # with room for two nodes
    trial.perform(IssueToken("token 1", 10))
    for number in (1, 2, 3):
        trial.perform(Redeem("token 1", f"node {number}"))
    for operation in (
        OpenLink("node 1", "link 1"),
        Handshake("node 1", "link 1"),
        CheckState("node 1"),
        Handshake("node 1", "link 1"),  # which is no packet, and not answered
        OpenLink("node 1", "link 2"),
        CloseLink("node 1", "link 1"),
        CheckState("node 1"),
        Handshake("node 1", "link 2"),
        CheckState("node 1"),
        CloseLink("node 1", "link 2"),
        CheckState("node 1"),
    ):
        trial.perform(operation)
    trial.perform(OpenLink("node 2", "link 3"), Handshake("node 2", "link 3"))
    trial.perform(OpenLink("node 1", "link 4"), CloseLink("node 2", "link 3"))
    return trial


def the_end_of_links(trial: Trial) -> Judgement:
    """They are refused, expire, are unregistered, and outlive no server."""
    for operation in (
        OpenLink("0123456789abcdef", "link 5"),
        OpenLink("node 2", "link 6"),
        OpenLink("node 3", "link 7"),
        Handshake("node 1", "link 4"),
        Handshake("node 2", "link 6"),
        Handshake("node 3", "link 7"),  # all addresses are in use
        CheckState("node 3"),
        SetExpiries((("node 1", 1),)),
        OpenLink("node 1", "link 8"),
        SetExpiries((("node 1", 0),)),
        CheckState("node 1"),
        SetExpiries((("node 2", now_ms(SystemClock()) // 1000 + 1),)),
    ):
        trial.perform(operation)
    trial.wait(1000)
    trial.perform(Sweep())
    trial.perform(OpenLink("node 1", "link 9"))
    trial.perform(Handshake("node 1", "link 9"), crash=Crash(at_step=1))
    trial.perform(CheckState("node 1"))
    trial.perform(OpenLink("node 1", "link 10"))
    trial.restart("10.1.1.9/28")
    trial.perform(OpenLink("node 1", "link 11"))
    trial.perform(Handshake("node 1", "link 11"))
    trial.perform(Unregister("node 1"))
    return trial.finish()


def test_every_law_about_links_is_exercised_on_real_ones() -> None:
    """A story that has everything that can become of a link breaks no law, and exercises each."""
    with server() as target:
        exercised = the_end_of_links(a_link_s_life(target)).exercised
    assert {law.name for law, count in exercised.items() if count} >= ABOUT_LINKS


@pytest.mark.parametrize("bug", SHOWN_AT_ONCE)
def test_a_planted_bug_breaks_the_law_about_it(bug: str) -> None:
    """A link's life is enough to see it."""
    with server(bug) as target, pytest.raises(LawBroken) as broken:
        a_link_s_life(target).finish()
    assert broken.value.breach.law.name in SHOWN_AT_ONCE[bug]


@pytest.mark.long
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_about_links_is_found(bug: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A search of some trials breaks a law."""
    clock = SystemClock()
    begun_ns = clock.monotonic_ns()
    with server(bug) as target:
        report = search(target, examples=MOST_TRIALS, seed=1, steps=15, shrinks=0)
    assert not report.is_good, f"it survived {report.trials} trials"
    seconds = (clock.monotonic_ns() - begun_ns) / 1e9
    laws = "; ".join(broken.breach.law.name for broken in report.broken)
    with capsys.disabled():
        print(f"\n{bug:<45} trial {report.first_breach:>3} {seconds:5.1f} s  {laws}")  # noqa: T201 - who asks for it wants to see it
