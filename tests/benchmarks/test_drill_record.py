"""What a drill asked and was answered is in its folder, and can be judged from there."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import eventlog
from benchmarks.drill.record import FILE, Record, read_record
from benchmarks.drill.site import MACHINES
from benchmarks.drill.verdict import verdict
from nc.domain.events import Event, pb
from nc.testing.contract.administration import Describe, RevokeToken, UpdateNode
from nc.testing.contract.history import Answer, Secret, step_id
from nc.testing.contract.operations import (
    OK,
    CheckState,
    Facts,
    GetAddress,
    IssueToken,
    Port,
    Redeem,
    Unregister,
)

names = st.text(max_size=3)
operations = st.one_of(
    st.builds(IssueToken, names, st.integers()),
    st.builds(Redeem, names, names, st.sampled_from(Port)),
    st.builds(UpdateNode, names, label=names),
    *(st.builds(kind, names) for kind in (CheckState, GetAddress, Unregister, Describe)),
    st.builds(RevokeToken, names),
)
maybe = st.none() | names
facts = st.builds(
    Facts, names, st.none() | st.integers(), maybe, st.none() | st.booleans(), st.tuples(names)
)
answers = st.builds(
    Answer, facts, names, names.map(Secret), st.just(()), node=st.tuples(names, names)
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.lists(st.tuples(operations, st.none() | answers), max_size=3), cut=st.integers(1, 20)
)
def test_a_record_is_read_back_as_it_was(
    asked: list[tuple[IssueToken, Answer | None]], cut: int, tmp_path: Path
) -> None:
    """Questions, answers and notes; also of a drill that was killed while it wrote a line."""
    file = tmp_path / FILE
    file.unlink(missing_ok=True)
    record = Record(file=file)
    questions = [record.begin("a", operation) for operation, _ in asked]
    for question, (_, answer) in zip(reversed(questions), reversed(asked), strict=True):
        if answer is not None:
            record.answered(question, answer)
    record.note("leader killed")
    found = read_record(file)
    assert (found.start_ns, found.questions) == (record.start_ns, record.questions)
    assert (found.notes, found.outcome) == (record.notes, {})
    assert file.stat().st_mode & 0o077 == 0
    record.end({"missing": ["n1"]})
    assert read_record(file).outcome == {"missing": ["n1"]}
    file.write_bytes(file.read_bytes()[:-cut])
    assert read_record(file).notes == record.notes


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_drill_is_judged_from_its_folder(
    is_lost: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By all copies of the log; an acknowledged change that is in none is a contradiction."""
    record = Record(file=tmp_path / FILE)
    for number in (1, 2):
        question = record.begin("a", IssueToken(f"token {number}", 9))
        record.answered(question, Answer(Facts(OK), token=Secret(f"{number:016x}")))
    for name in MACHINES:
        (tmp_path / name).mkdir()
        log = eventlog.open(tmp_path / name / "log")
        for number in (1,) if is_lost else (1, 2):
            entry = pb.Entry(recorded_at_ns=record.start_ns, request_id=step_id(number))
            entry.events.append(Event(token_issued=pb.TokenIssued(token_id=f"t{number}")))
            log.append(pb.Batch(entries=[entry]).SerializeToString(), 1, log.last_seq)
        log.close()
    assert verdict(tmp_path) is not is_lost
    said = capsys.readouterr().out
    assert "the drill did not come to its end" in said
    assert ("nothing acknowledged is lost, at" in said) is is_lost
