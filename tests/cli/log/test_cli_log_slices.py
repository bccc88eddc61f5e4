"""A part of a log in one file: whole records, and the state that they begin with."""

import json
import zipfile
from pathlib import Path

import pytest

import eventlog
from eventlog import LogReader
from tests.support.log_exports import export, log, refused
from tests.support.written_log import ALPHA, BETA, BETA_TOKEN, TOKEN

MOMENT = "2027-01-15T08:04:30"


@pytest.mark.parametrize(("first", "last"), [(1, 15), (1, 6), (5, 9), (6, 8), (7, 7), (13, 15)])
@pytest.mark.parametrize("redacted", [False, True])
def test_a_slice_begins_and_ends_with_whole_records(
    data_dir: Path, tmp_path: Path, first: int, last: int, redacted: bool
) -> None:
    """It is widened to them, and verifies, and answers for its own time, and says for no other."""
    out = tmp_path / "slice.zip"
    options = ["--redact"] if redacted else []
    export(data_dir, out, "binary", "--from", first, "--to", last, *options)
    records = [
        (r.first_seq, r.last_seq)
        for r in LogReader(data_dir / "log").read()
        if r.last_seq >= first and r.first_seq <= last
    ]
    begin, end = records[0][0], records[-1][1]
    assert f"range: {begin} to {end}\n" in log("verify", "--log", out)
    shown = [json.loads(line) for line in log("show", "--log", out, "--output=json").splitlines()]
    assert [event["seq"] for event in shown] == list(range(begin, end + 1))
    for seq in range(begin - 1, end + 1):
        image, original = (
            json.loads(log("at", seq, "--output", "json", *place))
            for place in (["--log", out], ["--data-dir", data_dir])
        )
        if not redacted:
            if seq < begin:  # when that was is not in the slice
                del image["time"], original["time"]
            assert image == original
        assert len(image["nodes"]) == len(original["nodes"])
    if begin > 1:
        for outside in ([begin - 2], [MOMENT.replace("2027", "2026")]):
            code, said = refused("at", *outside, "--log", out)
            assert (code, "before this slice" in said) == (1, True)
        assert refused("verify", "--log", out, "--head", "0" * 64, "--seq", 0)[0] == 1


def test_what_was_written_is_said_in_json_too(data_dir: Path, tmp_path: Path) -> None:
    """A program that exports learns which events are in the file."""
    out = tmp_path / "log.zip"
    options = ("--from", 7, "--to", 9, "--out", out, "--data-dir", data_dir, "--output", "json")
    wrote = json.loads(log("export", "--format", "binary", *options))
    assert wrote == {
        "file": str(out),
        "format": "binary",
        "size_bytes": out.stat().st_size,
        "events": 3,
        "first_seq": 7,
        "last_seq": 9,
    }
    found = json.loads(log("verify", "--output", "json", "--log", out))
    assert (found["first_seq"], found["last_seq"], found["base_seq"]) == (7, 9, 6)


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ([], "events 1 to 15"),
        (["--from", "8"], "events 8 to 15"),  # inside a record
        (["--type", "NodeRegistered"], "2 of events 3 to 7"),
        (["--type", "TokenIssued"], "event 2"),
        (["--type", "LogRepaired"], "no events"),
    ],
)
def test_what_is_said_of_an_export_is_what_is_in_it(
    data_dir: Path, tmp_path: Path, filters: list[str], words: str
) -> None:
    """The count and the ends are those of the events in the file, for people and for programs."""
    out = tmp_path / "log.jsonl"
    options = ["--format", "jsonl", "--out", out, "--data-dir", data_dir, "--force", *filters]
    assert log("export", *options).endswith(f"bytes, {words}\n")
    wrote = json.loads(log("export", *options, "--output", "json"))
    lines = map(json.loads, out.read_text().splitlines())
    seqs = [line["seq"] for line in lines]
    expected = (len(seqs), min(seqs, default=None), max(seqs, default=None))
    assert expected == (wrote["events"], wrote["first_seq"], wrote["last_seq"])


def test_a_slice_knows_whom_it_begins_with(data_dir: Path, tmp_path: Path) -> None:
    """Who was there before its first event is found by name, and what is not told is said."""
    out = export(data_dir, tmp_path / "slice.zip", "binary", "--from", 11, "--to", 12)
    began = "what was before event 11 is not in this slice"
    for name, now in ((BETA, " is IDLE"), (TOKEN, "2 nodes"), ("10.1.1.3", "held")):
        told = log("why", name, "--log", out)
        assert began in told
        assert now in told.splitlines()[-1]
    beta = log("why", BETA_TOKEN, "--log", out, "--data-dir", data_dir, "--output", "json")
    assert (json.loads(beta)["id"], json.loads(beta)["first_seq"]) == (BETA, 11)
    assert "..." not in log("why", BETA, "--data-dir", data_dir)
    shown = log("show", "--node", BETA_TOKEN, "--log", out, "--data-dir", data_dir)
    assert shown.startswith("     12 ")
    assert log("replay", "--check", "--log", out).startswith("replayed 2 events:")
    assert "10.1.1.5" in refused("why", "10.1.1.5", "--log", out)[1]


def test_a_slice_without_its_snapshot_can_be_shown(data_dir: Path, tmp_path: Path) -> None:
    """`show` and `info` work; what needs a state names the file, and `verify` exits with 3."""
    folder = tmp_path / "slice"
    with zipfile.ZipFile(export(data_dir, tmp_path / "a.zip", "binary", "--from", 7)) as archive:
        archive.extractall(folder)
    (snapshot,) = folder.glob("*.snapshot")
    snapshot.unlink()
    assert log("show", "--log", folder).count("\n") == 9
    assert "7 to 15" in log("info", "--log", folder)
    for question in (["at", 9], ["diff", 8, 9], ["why", ALPHA]):
        code, said = refused(*question, "--log", folder)
        assert (code, snapshot.name in said) == (1, True)
    code, said = refused("verify", "--log", folder)
    assert (code, snapshot.name in said) == (3, True)


def test_moments_bound_an_export(data_dir: Path, tmp_path: Path) -> None:
    """`--from` and `--to` take times as `log show` does; what holds nothing is refused."""
    minutes = ["--from", "2027-01-15T08:03", "--to", "2027-01-15T08:05"]
    out = export(data_dir, tmp_path / "a.zip", "binary", *minutes)
    assert "range: 4 to 7\n" in log("verify", "--log", out)
    for options in (["--from", 16], ["--from", 16, "--to", 20], ["--to", "2026-01-01"]):
        code, said = refused(
            *("export", "--format", "binary", "--data-dir", data_dir),
            *("--out", tmp_path / "b.zip", *options),
        )
        assert (code, "1 to 15" in said) == (1, True)


def test_a_log_without_events_has_none_in_any_range(tmp_path: Path) -> None:
    """It has no first and no last one either."""
    eventlog.open(tmp_path).close()
    code, said = refused("export", "--format", "jsonl", "--log", tmp_path, "--from", 1)
    assert (code, "which has no events," in said) == (1, True)
