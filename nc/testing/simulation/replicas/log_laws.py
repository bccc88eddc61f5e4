"""Laws about the log of a trial, each given as what breaks it, a sentence at a time."""

from collections.abc import Iterable, Iterator

from nc.domain.events import Entry
from nc.domain.levels import level_of
from nc.testing.simulation.replicas.shared_log import SharedLog
from nc.testing.simulation.replicas.sites import Site

__all__ = ["misread", "unknown_kinds"]


def misread(shared: SharedLog, sites: Iterable[Site]) -> Iterator[str]:
    """A server that is up has read nothing but what the log has."""
    for site in sites:
        process = site.process
        if process is None or not process.is_up or process.life.is_over:
            continue
        if site.known != shared.messages[: len(site.known)]:
            yield f"{site.name} goes on with another log than there is"


def unknown_kinds(entries: Iterable[Entry]) -> Iterator[str]:
    """An event is of a kind that every session which goes on has said it knows."""
    levels: dict[str, tuple[str, int]] = {}  # by replica: its session, and the session's level
    for entry in entries:
        for event in entry.events:
            kind = event.WhichOneof("kind")
            if kind == "replica_started":
                started = event.replica_started
                levels[started.replica_id] = (started.session, started.level)
            elif kind in ("replica_stopped", "replica_lost"):
                ended = getattr(event, kind).session
                levels = {name: each for name, each in levels.items() if each[0] != ended}
            for name, (_, level) in levels.items():
                if level < level_of(event):
                    yield f"{kind} is written, which {name} does not know"
