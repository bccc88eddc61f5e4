"""The verdict on a drill: the laws, the logs, and what the programs said."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.drill.judging import IN_SERVICE, Judge, judged
from benchmarks.drill.nodes import Link, identity, links_of
from benchmarks.drill.past import read_folder
from benchmarks.drill.programs import Program
from benchmarks.drill.record import FILE, read_record
from benchmarks.drill.site import MACHINES
from nc.testing.contract.history import History, Sighting
from nc.testing.contract.laws.cluster import ALL_BACK, GOES_ON, KEEPS_ADDRESS


def verdict(home: Path) -> bool:
    """Judge what is in a drill's folder, and print what was found; whether all laws held."""
    record = read_record(home / FILE)
    pasts = [read_folder(home / name / "log") for name in MACHINES]
    past = max(pasts, key=lambda each: each.last_seq)
    agents = [file.stem for file in home.glob("n[0-9]*.lines")]
    judge = Judge(record, past, {name: identity(home, name)[1] for name in agents})
    judge.run()
    links = {name: links_of(Program(name, [], home / f"{name}.lines")) for name in agents}
    outcome = record.outcome
    judgement = judged(judge, lambda history: _add_sightings(history, links, outcome))
    questions = record.questions
    settled = sum(question.is_settled for question in questions)
    print(f"{len(questions)} questions, {settled} settled, {past.last_seq} events in the log")
    for law, count in judgement.exercised.items():
        print(f"  {law.name:<56}{count:>8}")
    if not outcome:
        print("note: the drill did not come to its end: judged are its answers, links and copies")
    for text in outcome.get("wrong", ()):
        print(f"wrong: {text}")
    for breach in judgement.breaches:
        print(f"broken: {breach.law.name}, at {breach.place}")
    for end in outcome.get("server_ends", ()):
        print(f"note: {end}")
    if judge.contradictions:
        first = min(judge.contradictions, key=lambda each: each.question.ended_ns)
        print(f"{len(judge.contradictions)} contradictions, of which the first is:")
        print("\n".join(judge.story(first)))
    return not outcome.get("wrong") and not judgement.breaches


def _add_sightings(
    history: History, links: Mapping[str, list[Link]], outcome: Mapping[str, Any]
) -> None:
    """What was seen of agents and servers."""
    for name, (first, *later) in links.items():
        for link in later:
            what = f"{name} had {first.address}, and was given {link.address}"
            _saw(history, KEEPS_ADDRESS.name, what, holds=link.address == first.address)
    if not outcome:
        return
    for name, ends in outcome["agent_ends"].items():
        _saw(history, GOES_ON.name, "; ".join(ends), holds=not ends)
        _saw(history, ALL_BACK.name, name, holds=name not in outcome["missing"])
    for what in outcome["unsettled"]:
        _saw(history, ALL_BACK.name, what, holds=False)
    bad = [end for end in outcome["server_ends"] if " in service" in end]
    _saw(history, IN_SERVICE.name, "; ".join(bad), holds=not bad)


def _saw(history: History, law: str, what: str, *, holds: bool) -> None:
    history.saw(law, Sighting(what, 0.0, 0), holds=holds)
