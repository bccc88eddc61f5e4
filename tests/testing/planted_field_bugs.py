"""Realistic bugs about wrong clocks, wrong servers and lost folders, which a day has many of."""

from collections.abc import Callable
from typing import Final

import pytest

from nc.agent import connecting
from nc.agent.link_errors import (
    LinkEnded,
    NodeUnregistered,
    UntrustedServer,
    connecting_failed,
)
from nc.server import first_start, tasks
from nc.server.first_start import Start
from nc.testing.contract.laws import Law
from nc.testing.contract.laws.cluster import GOES_ON, KEEPS_TOKENS, ONE_CLUSTER
from tests.testing.planting import Patch


def _end_for(patch: pytest.MonkeyPatch, is_the_end: Callable[[LinkEnded], bool]) -> None:
    """Let agents take a failure for an administrator's wish."""

    def final(error: Exception, host: str, *, is_tls: bool) -> LinkEnded:
        ended = connecting_failed(error, host, is_tls=is_tls)
        return NodeUnregistered(str(ended)) if is_the_end(ended) else ended

    patch.setattr(connecting, "connecting_failed", final)


def an_agent_ends_for_unknown(patch: pytest.MonkeyPatch) -> None:
    _end_for(patch, lambda ended: "does not know this node" in str(ended))


def an_agent_gives_up_when_its_clock_is_ahead(patch: pytest.MonkeyPatch) -> None:
    _end_for(patch, lambda ended: isinstance(ended, UntrustedServer) and ended.is_for_dates)


def an_agent_ends_for_another_ca(patch: pytest.MonkeyPatch) -> None:
    _end_for(patch, lambda ended: isinstance(ended, UntrustedServer) and not ended.is_for_dates)


def an_agent_crashes_without_its_folder(patch: pytest.MonkeyPatch) -> None:
    """What reading the certificates raises is not caught."""

    class NeverRaised(Exception):
        pass

    patch.setattr("nc.agent.agent.PkiError", NeverRaised)


def the_sweep_forgets_after_one_look(patch: pytest.MonkeyPatch) -> None:
    """A clock that was just set is believed."""
    patch.setattr(tasks, "FORGET_AFTER_S", 0.0)


def a_start_makes_a_ca_anew(patch: pytest.MonkeyPatch) -> None:
    """And a key, where the log is there and they are not."""
    patch.setattr(first_start, "check", lambda *_, **__: None)


def a_start_without_a_log_begins_a_new_one(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(first_start, "decide", lambda _there: Start.FIRST)
    patch.setattr(first_start, "check", lambda *_, **__: None)


FIELD_BUGS: Final[dict[str, tuple[Patch, Law]]] = {
    plant.__name__.replace("_", " "): (plant, law)
    for plant, law in (
        (an_agent_ends_for_unknown, GOES_ON),
        (an_agent_gives_up_when_its_clock_is_ahead, GOES_ON),
        (an_agent_ends_for_another_ca, GOES_ON),
        (an_agent_crashes_without_its_folder, GOES_ON),
        (the_sweep_forgets_after_one_look, KEEPS_TOKENS),
        (a_start_makes_a_ca_anew, ONE_CLUSTER),
        (a_start_without_a_log_begins_a_new_one, ONE_CLUSTER),
    )
}
