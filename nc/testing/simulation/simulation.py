"""Lives of a simulated cluster, for a search; and the log of one, kept for the log's own tools."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from eventlog.format import NO_CHAIN, SegmentHeader
from eventlog.segments import segment_name
from eventlog.slices import encode_segment
from nc.testing.contract.history import History, Sighting, Step
from nc.testing.contract.judgement import Breach, Judgement, judge
from nc.testing.contract.knowledge import Observed
from nc.testing.contract.laws import CLUSTER_LAWS
from nc.testing.simulation.actions import Action, Plan
from nc.testing.simulation.chronicle import Chronicle
from nc.testing.simulation.data import FOLDER
from nc.testing.simulation.playing import play
from nc.testing.simulation.workload import DEFAULT_ACTIONS, draw

SHRINKS: Final = 150  # a trial takes a good part of a second

_NO_LOG_ID: Final = bytes(16)  # a log in memory has none


class Simulation:
    """Clusters, drawn from seeds: of several servers on one log, of one, or (None) of either."""

    laws = CLUSTER_LAWS
    most_shrinks = SHRINKS

    def __init__(self, *, actions: int = DEFAULT_ACTIONS, is_shared: bool | None = None) -> None:
        self._actions = actions
        self._is_shared = is_shared

    def draw(self, seed: int) -> Judgement:
        return judge(play(draw(seed, self._actions, is_shared=self._is_shared)), CLUSTER_LAWS)

    def parts(self, history: History) -> list[Action]:
        return list(_plan_of(history).actions)

    def replay(self, history: History, parts: Sequence[Action]) -> Judgement:
        return judge(play(_plan_of(history)._replace(actions=tuple(parts))), CLUSTER_LAWS)


def _plan_of(history: History) -> Plan:
    if not isinstance(history, Chronicle):
        raise TypeError(f"{history} is not of a simulation")
    return history.plan


def seq_of(chronicle: Chronicle, breach: Breach) -> int:
    """The event in the log at which, or soon after which, a law broke."""
    for holds, place in breach.law.check(Observed(chronicle)):
        if not holds:
            if isinstance(place, Sighting):
                return max(place.seq, 1)
            if isinstance(place, Step):
                return max(chronicle.seqs.get(place.number, 1), 1)
            break
    if (number := breach.place.removeprefix("event ").partition(",")[0]).isdecimal():
        return int(number)
    return max(sum(record.count for record in chronicle.records), 1)


def keep_log(chronicle: Chronicle, folder: Path) -> None:
    """Leave the log of a trial in a folder, as `network-controller log` reads it.

    Byte for byte where it was on a disk; a log in memory is written anew, with the same events.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if chronicle.log_bytes:
        for name, data in chronicle.log_bytes.items():
            (folder / Path(name).relative_to(FOLDER)).write_bytes(data)
        return
    first = chronicle.records[0]
    header = SegmentHeader(0, _NO_LOG_ID, 1, first.epoch, first.recorded_at_ns, NO_CHAIN)
    with (folder / segment_name(1)).open("wb") as segment:
        segment.writelines(encode_segment(header, chronicle.records))
