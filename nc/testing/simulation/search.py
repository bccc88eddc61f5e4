"""A search for plans that break a law: so many trials, or for so long, from one seed."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from eventlog.format import NO_CHAIN, SegmentHeader
from eventlog.segments import segment_name
from eventlog.slices import encode_segment
from nc.clock import Clock, SystemClock
from nc.testing.certainties import Observed
from nc.testing.history import Step
from nc.testing.judgement import Breach, Judgement, LawBroken, judge
from nc.testing.laws import Law
from nc.testing.search import Report
from nc.testing.shrinking import smallest
from nc.testing.simulation.acts import Act, Plan
from nc.testing.simulation.chronicle import Chronicle, Sighting
from nc.testing.simulation.laws import SIMULATION_LAWS
from nc.testing.simulation.playing import play
from nc.testing.simulation.site import FOLDER
from nc.testing.simulation.workload import DEFAULT_ACTS, draw

SHRINKS = 150  # a trial takes a good part of a second

_NO_LOG_ID = bytes(16)  # a log in memory has none

Progress = Callable[[int], None]


def judged(chronicle: Chronicle) -> Judgement:
    """A chronicle by the laws of a simulation."""
    return judge(chronicle, SIMULATION_LAWS)


def simulate(
    *,
    examples: int = 20,
    minutes: float = 0,
    seed: int = 0,
    acts: int = DEFAULT_ACTS,
    shrinks: int = SHRINKS,
    find_all: bool = False,
    is_shared: bool | None = None,
    progress: Progress = lambda _: None,
    clock: Clock | None = None,
) -> Report:
    """Look for lives of a cluster that break a law.

    Args:
        examples: how many, for a search without `minutes`.
        minutes: for how long to search instead.
        seed: the first trial has this seed, the next one the number after it.
        acts: how much happens in a trial.
        shrinks: how often to play a plan again to make it smaller.
        find_all: whether to go on once a law is broken, to see which others are.
        is_shared: whether two replicas share the log; drawn without.
        progress: told how many trials there were.
        clock: measures the minutes.
    """
    clock = clock or SystemClock()
    until_ns = clock.monotonic_ns() + int(minutes * 60e9)
    exercised: Counter[Law] = Counter(dict.fromkeys(SIMULATION_LAWS, 0))
    broken: list[LawBroken] = []
    trials = happened = first = 0
    while clock.monotonic_ns() < until_ns if minutes else trials < examples:
        chronicle = play(draw(seed + trials, acts, is_shared=is_shared))
        trials += 1
        happened += len(chronicle.plan.acts)
        judgement = judged(chronicle)
        exercised.update(judgement.exercised)
        known = {each.breach.law for each in broken}
        new = [breach for breach in judgement.breaches if breach.law not in known]
        if new and not (known & {breach.law for breach in judgement.breaches}):
            first = first or trials
            broken.append(shrink(LawBroken(new[0], chronicle), chronicle.plan, shrinks))
            if not find_all:
                break
        progress(trials)
    return Report(seed, trials, happened, dict(exercised), broken, first)


def shrink(broken: LawBroken, plan: Plan, most_plays: int) -> LawBroken:
    """The smallest plan found that breaks the same law."""

    def play_again(acts: list[Act]) -> LawBroken | None:
        chronicle = play(plan._replace(acts=tuple(acts)))
        for breach in judged(chronicle).breaches:
            if breach.law == broken.breach.law:
                return LawBroken(breach, chronicle)
        return None

    return smallest(list(plan.acts), play_again, most_plays) or broken


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
