"""Real links: a server process keeps the laws about them, and one with a bug about them does not.

`pytest -m long -s` prints in which trial each planted bug is found, how long that takes, and by
which law.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from nc.clock import SystemClock, now_ms
from nc.testing import (
    LAWS,
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
    Unregister,
)
from nc.testing.search import Trial, Trials, search
from nc.testing.targets import link_end, links
from tests.support.forked_popen import ForkedPopen
from tests.testing.broken_server import BUGS

BROKEN_SERVER = Path(__file__).with_name("broken_server.py")

# By chance the rarest is found by the same seed in trial 44, or not within 60.
MOST_TRIALS = 200

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

# In a search the general one may be first for any bug: it speaks of every answer, and what a real
# server is about to do is chance.
OF_ALL_ANSWERS = "some order of the commands explains every answer"

# The laws that each bug breaks.
FOUND_BY = {
    "a late drop hurts the newer link": {  # at any moment from its acceptance on
        OF_ALL_ANSWERS,
        "a refused command changes nothing",
        "an old link's end does not touch a newer one",
        "connected means one live link",
    },
    "a closed link is never dropped": {OF_ALL_ANSWERS, "connected means one live link"},
    "another address is handed over": {"an address is one for nodes"},
    "a takeover does not end the older link": {"connected means one live link"},
    "an unregistered node keeps its link": {"connected means one live link"},
    "an expired node keeps its link": {"expiry cuts a link for good"},
    "the handshake is not recorded": {
        "an acknowledged change is in the log once",
        "an old link's end does not touch a newer one",
    },
    "an expired node is let in until the sweep": {"a refused command changes nothing"},
}


@contextmanager
def server(bug: str = "") -> Iterator[ServerProcess]:
    """A server process, forked at each start, as it is or with a bug."""
    broken = (sys.executable, str(BROKEN_SERVER), bug, "serve")
    target = ServerProcess(broken) if bug else ServerProcess()
    with pytest.MonkeyPatch.context() as patch, closing(target):
        patch.setattr(subprocess, "Popen", ForkedPopen)
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


def an_expired_node_tries(target: ServerProcess) -> Trial:
    """It opens a link before the sweep can have come by."""
    trial = Trial(target)
    trial.perform(IssueToken("token 1", 10))
    trial.perform(Redeem("token 1", "node 1"))
    trial.perform(SetExpiries((("node 1", 1),)))
    trial.perform(OpenLink("node 1", "link 1"))
    return trial


# What shows a bug by itself, without a search.
SHOWN_BY: dict[str, Callable[[ServerProcess], Trial]] = {
    "another address is handed over": a_link_s_life,
    "the handshake is not recorded": a_link_s_life,
    "a late drop hurts the newer link": a_link_s_life,
    "an expired node is let in until the sweep": an_expired_node_tries,
}


def test_every_law_about_links_is_exercised_on_real_ones() -> None:
    """A life with everything that can happen to a link breaks no law, and exercises each."""
    with server() as target:
        exercised = the_end_of_links(a_link_s_life(target)).exercised
    assert {law.name for law, count in exercised.items() if count} >= ABOUT_LINKS


@pytest.mark.parametrize("bug", SHOWN_BY)
def test_a_planted_bug_breaks_the_law_about_it(bug: str) -> None:
    """A link's life, or its beginning, is enough to see it."""
    with server(bug) as target, pytest.raises(LawBroken) as broken:
        SHOWN_BY[bug](target).finish()
    assert broken.value.breach.law.name in FOUND_BY[bug]


@pytest.mark.long
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_about_links_is_found(bug: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A search of some trials breaks a law, and it is one that speaks of it."""
    clock = SystemClock()
    begun_ns = clock.monotonic_ns()
    with server(bug) as target:
        report = search(Trials(target, rules=15), examples=MOST_TRIALS, seed=1, shrinks=0)
    assert not report.is_good, f"it survived {report.trials} trials"
    seconds = (clock.monotonic_ns() - begun_ns) / 1e9
    law = report.broken[0].breach.law.name
    with capsys.disabled():
        print(f"\n{bug:<45} trial {report.first_breach:>3} {seconds:5.1f} s  {law}")  # noqa: T201 - who asks for it wants to see it
    assert law in {OF_ALL_ANSWERS, *FOUND_BY[bug]}


def test_every_planted_bug_about_links_names_its_laws() -> None:
    """Those that there are, and one at least."""
    assert FOUND_BY.keys() == BUGS.keys()
    assert all(FOUND_BY.values())
    assert set().union(*FOUND_BY.values()) <= {law.name for law in LAWS}
