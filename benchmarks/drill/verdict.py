"""The verdict on a drill: the laws, the logs, and what the programs said."""

from benchmarks.drill.drill import Drill
from benchmarks.drill.judging import IN_SERVICE, Judge, judged
from benchmarks.drill.past import read_folder
from benchmarks.drill.site import MACHINES
from nc.testing.contract.history import History, Sighting
from nc.testing.contract.laws.cluster import ALL_BACK, GOES_ON, KEEPS_ADDRESS


def verdict(drill: Drill) -> bool:
    """Judge, and print what was found; whether all laws held."""
    wrong = drill.verify()
    pasts = [read_folder(drill.site.home / name / "log") for name in MACHINES]
    past = max(pasts, key=lambda each: each.last_seq)
    ids = {name: drill.nodes.identity(name)[1] for name in drill.nodes.programs}
    judge = Judge(drill.record, past, ids)
    judge.run()
    judgement = judged(judge, lambda history: _add_sightings(history, drill))
    questions = drill.record.questions
    settled = sum(question.is_settled for question in questions)
    print(f"{len(questions)} questions, {settled} settled, {past.last_seq} events in the log")
    for law, count in judgement.exercised.items():
        print(f"  {law.name:<56}{count:>8}")
    for text in wrong:
        print(f"wrong: {text}")
    for breach in judgement.breaches:
        print(f"broken: {breach.law.name}, at {breach.place}")
    for program in drill.site.programs:
        for end in program.ends:
            print(f"note: {end}")
    if judge.contradictions:
        first = min(judge.contradictions, key=lambda each: each.question.ended_ns)
        print(f"{len(judge.contradictions)} contradictions, of which the first is:")
        print("\n".join(judge.story(first)))
    return not wrong and not judgement.breaches


def _add_sightings(history: History, drill: Drill) -> None:
    """What was seen of agents and servers."""
    for name, agent in drill.nodes.programs.items():
        links = drill.nodes.links(name)
        first = links[0].address
        for link in links[1:]:
            what = f"{name} had {first}, and was given {link.address}"
            _saw(history, KEEPS_ADDRESS.name, what, holds=link.address == first)
        _saw(history, GOES_ON.name, "; ".join(agent.ends), holds=not agent.ends)
        _saw(history, ALL_BACK.name, name, holds=name not in drill.missing)
    for what in drill.unsettled:
        _saw(history, ALL_BACK.name, what, holds=False)
    for program in drill.site.programs:
        bad = [end for end in program.ends if " in service" in end]
        _saw(history, IN_SERVICE.name, "; ".join(bad), holds=not bad)


def _saw(history: History, law: str, what: str, *, holds: bool) -> None:
    history.saw(law, Sighting(what, 0.0, 0), holds=holds)
