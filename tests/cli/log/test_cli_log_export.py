"""A log in one file: read like the log that it was made of, or given away."""

import gc
import json
import os
import re
import shutil
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from eventlog import LogReader
from nc.domain.codec.digest import digest
from nc.domain.events import DigestRecorded, Event
from nc.history.as_of import states_at
from nc.history.events import Point
from tests.support.programs import ALONE, run_here, run_program
from tests.support.server_process import ServerProcess
from tests.support.written_log import (
    ALPHA,
    ALPHA_TOKEN,
    BETA,
    BETA_TOKEN,
    EVENTS,
    KEY,
    TOKEN,
    append_unchecked,
    write_story,
)

MOMENT = "2027-01-15T08:04:30"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a story of 15 events, in several segments, and a snapshot."""
    path = tmp_path_factory.mktemp("story") / "data"
    write_story(path)
    return path


def log(*arguments: object) -> str:
    """Run `log …`, which succeeds, and says nothing on stderr unless it was asked to widen."""
    done = run_here("network-controller", "log", *map(str, arguments))
    assert done.returncode == 0, done.stderr
    assert not done.stderr or "a record is whole" in done.stderr
    return done.stdout


def refused(*arguments: object) -> tuple[int, str]:
    """Run `log …`, which does not succeed: its exit code, and the one line that says why."""
    done = run_here("network-controller", "log", *map(str, arguments))
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    return done.returncode, done.stderr


def export(data_dir: Path, out: Path, kind: str, *arguments: object) -> Path:
    log("export", "--format", kind, "--out", out, "--data-dir", data_dir, *arguments)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [each.name for each in out.parent.glob(f".{out.name}*")] == []
    return out


@pytest.fixture(scope="module")
def places(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same log, wherever a log can be."""
    home = tmp_path_factory.mktemp("places")
    (home / "unzipped").mkdir()
    zipped = export(data_dir, home / "log.zip", "binary")
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(home / "unzipped")
    return {
        "a copied folder": shutil.copytree(data_dir / "log", home / "copy"),
        "a data folder": data_dir,
        "a binary export": zipped,
        "an unzipped export": home / "unzipped",
        "an export of an export": export(zipped, home / "again.zip", "binary", "--log", zipped),
    }


QUESTIONS: list[list[object]] = [
    ["show", "--output", "json"],
    ["show", "--node", ALPHA, "--from", "6"],
    ["at", "8", "--output", "json"],
    ["at", MOMENT],
    ["diff", "0", EVENTS, "--output", "json"],
    ["diff", MOMENT, EVENTS],
    ["why", ALPHA],
    ["why", "10.1.1.3", "--output", "json"],
]
PLACES = [
    "a copied folder",
    "a data folder",
    "a binary export",
    "an unzipped export",
    "an export of an export",
]


@pytest.mark.parametrize("place", PLACES)
def test_the_answers_are_the_same_wherever_the_log_is(
    data_dir: Path, places: dict[str, Path], place: str
) -> None:
    """Every command, on every form of the log, answers as on the log itself."""
    for question in QUESTIONS:
        answer = log(*question, "--log", places[place])
        assert answer == log(*question, "--data-dir", data_dir)
    here, there = _about("--data-dir", data_dir), _about("--log", places[place])
    assert there == here


def _about(*place: object) -> Any:
    found = json.loads(log("info", "--output", "json", *place))
    for of_the_files in ("size_bytes", "segments", "snapshots"):
        del found[of_the_files]
    return found


def test_nothing_is_left_behind(places: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is unpacked is gone when the command has ended, well or badly."""
    temporary = places["a binary export"].parent / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    log("info", "--log", places["a binary export"])
    assert list(temporary.iterdir()) == []
    refused("at", 99, "--log", places["a binary export"])
    gc.collect()  # where no process ends, its errors live on
    assert list(temporary.iterdir()) == []
    environment = ALONE | {"TMPDIR": str(temporary)}
    command = ("log", "at", "99", "--log", str(places["a binary export"]))
    failed = run_program("network-controller", *command, environment=environment)
    assert (failed.returncode, list(temporary.iterdir())) == (1, [])


def test_a_token_is_recognised_beside_the_file_or_in_a_data_folder_named_too(
    data_dir: Path, places: dict[str, Path]
) -> None:
    """The key lies beside what is read, or in --data-dir; without it the message says where."""
    path = places["a binary export"]
    code, said = refused("why", ALPHA_TOKEN, "--log", path)
    assert (code, str(path.parent / "secret.key") in said) == (1, True)
    told = log("why", ALPHA_TOKEN, "--log", path, "--data-dir", data_dir)
    (path.parent / "secret.key").write_bytes(KEY)
    assert log("why", ALPHA_TOKEN, "--log", path) == told
    (path.parent / "secret.key").unlink()


def test_a_binary_export_proves_what_the_log_proves(
    data_dir: Path, places: dict[str, Path]
) -> None:
    """Its head is the log's, and each head that the log ever had is proved by it."""
    path = places["a binary export"]
    head = LogReader(data_dir / "log").head.hex()
    assert f"head: {head}\n" in log("verify", "--log", path)
    for record in LogReader(data_dir / "log").read():
        kept = ["--head", record.chain.hex(), "--seq", record.last_seq]
        assert "unchanged" in log("verify", "--log", path, *kept)
    assert refused_code("verify", "--log", path, "--head", "0" * 64, "--seq", 9) == 3


def refused_code(*arguments: object) -> int:
    """The exit code of what fails after it has said something."""
    return run_here("network-controller", "log", *map(str, arguments)).returncode


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


def test_jsonl_is_what_show_prints_and_where_it_came_in(data_dir: Path) -> None:
    """The lines of `log show --output json`, filtered alike, with the record and the entry."""
    for filters in (
        [],
        ["--node", ALPHA],
        ["--type", "StateChanged"],
        ["--from", "6", "--to", "9"],
    ):
        lines = log("export", "--format", "jsonl", "--data-dir", data_dir, *filters).splitlines()
        found = [json.loads(line) for line in lines]
        for event in found:
            assert (event.pop("record_seq"), event["seq"]) >= (event.pop("entry_seq"), 1)
        shown = log("show", "--data-dir", data_dir, "--output", "json", *filters).splitlines()
        assert found == [json.loads(line) for line in shown]


SECRETS = (ALPHA, BETA, TOKEN, "admin", "75b7", "10.1.1", "request-0")


def test_a_redacted_log_explains_the_same_with_other_names(data_dir: Path, tmp_path: Path) -> None:
    """Every command works on it, and nothing in its bytes names a node, an actor or a place."""
    out = export(data_dir, tmp_path / "redacted", "binary", "--redact")
    node = f"{1:032x}"
    found = log("why", node, "--log", out).splitlines()
    original = log("why", ALPHA, "--data-dir", data_dir).splitlines()
    found = [line.replace(node, ALPHA).partition("; by")[0] for line in found]
    found = [re.sub(r"text-[0-9]+", f"node-{ALPHA[:8]}", line) for line in found]
    token = f"b{1:031x}"
    assert [line.replace(token, TOKEN).replace("10.0.0.3", "10.1.1.3") for line in found] == [
        line.partition("; by")[0] for line in original
    ]
    with zipfile.ZipFile(out) as archive:
        data = b"".join(archive.read(name) for name in archive.namelist())
    log("verify", "--log", out)
    assert LogReader(data_dir / "log").log_id not in data
    assert [secret for secret in SECRETS if secret.encode() in data] == []
    assert b"request-1" in data


@pytest.mark.parametrize("options", [[], ["--from", 6]])
def test_redacted_lines_name_nothing(data_dir: Path, tmp_path: Path, options: list[object]) -> None:
    """A redacted JSONL export has the same events, and no name of a node, an actor or a place."""
    text = export(data_dir, tmp_path / "out", "jsonl", "--redact", *options).read_text()
    assert [secret for secret in SECRETS if secret in text] == []
    kept = [(e["seq"], e["type"]) for e in map(json.loads, text.splitlines())]
    shown = log("show", "--output", "json", "--data-dir", data_dir, *options).splitlines()
    assert kept == [(e["seq"], e["type"]) for e in map(json.loads, shown)]


@pytest.mark.parametrize("options", [[], ["--redact"], ["--from", 7], ["--redact", "--from", 7]])
def test_recorded_digests_agree_with_what_is_exported(
    data_dir: Path, tmp_path: Path, options: list[object]
) -> None:
    """`log replay --check` holds on a redacted log, and on a slice, as on the log itself."""
    folder = Path(shutil.copytree(data_dir / "log", tmp_path / "log"))
    state = states_at(LogReader(folder), [Point(seq=EVENTS)])[0].state
    recorded = DigestRecorded(seq=EVENTS, digest=digest(state).hex())
    append_unchecked(folder, [Event(digest_recorded=recorded)])
    out = export(data_dir, tmp_path / "out.zip", "binary", "--log", folder, *options)
    assert f"range: {7 if '--from' in options else 1} to 16" in log("verify", "--log", out)
    found = json.loads(log("replay", "--check", "--output", "json", "--log", out))
    assert found == json.loads(log("replay", "--check", "--output", "json", "--log", folder))
    assert 1 in found.values()  # digest that agrees


@pytest.mark.parametrize("options", [[], ["--from", 7], ["--redact"], ["--redact", "--from", 7]])
def test_a_page_is_of_what_was_chosen(
    data_dir: Path, tmp_path: Path, options: list[object]
) -> None:
    """The page holds the slice's nodes, and of a redacted one nobody's name."""
    text = export(data_dir, tmp_path / "page.html", "html", *options).read_text()
    assert text.lstrip().lower().startswith("<!doctype html>")
    is_redacted = "--redact" in options
    for original, image in ((ALPHA, f"{1:032x}"), (BETA, f"{2:032x}")):
        assert (original in text, image in text) == (not is_redacted, is_redacted)
    for secret in ("admin:75b7", "10.1.1.3", "request-0"):
        assert not (is_redacted and secret in text)


def test_a_file_that_is_there_is_not_replaced_unless_asked(data_dir: Path, tmp_path: Path) -> None:
    """Refused without --force; a failure leaves the old file and nothing beside it."""
    out = tmp_path / "out"
    out.write_bytes(b"precious")
    options = ["export", "--format", "jsonl", "--data-dir", data_dir, "--out", out]
    code, said = refused(*options)
    assert (code, "--force" in said, out.read_bytes()) == (1, True, b"precious")
    damaged = shutil.copytree(data_dir / "log", tmp_path / "damaged")
    segment = min(damaged.glob("*.seg"))
    data = bytearray(segment.read_bytes())
    data[190] ^= 1
    segment.write_bytes(data)
    code, said = refused(*options, "--log", damaged, "--force")
    assert (code, out.read_bytes()) == (3, b"precious")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged", "out"]
    log(*options, "--force")
    assert out.read_bytes().count(b"\n") == EVENTS


def identity(path: Path) -> tuple[int, ...]:
    """What changes if a file is replaced or written; reading it may change its access time."""
    status = path.lstat()
    return status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_only_a_regular_file_is_ever_replaced(
    data_dir: Path, tmp_path: Path, force: list[str]
) -> None:
    """A pipe, a folder, a link to a device or to a file stays what it is, also with --force."""
    places = {name: tmp_path / name for name in ("pipe", "folder", "device", "link", "nowhere")}
    os.mkfifo(places["pipe"])
    places["folder"].mkdir()
    (tmp_path / "file").write_bytes(b"precious")
    for name, target in (("device", "/dev/null"), ("link", "file"), ("nowhere", "gone")):
        places[name].symlink_to(target)
    before = {path: identity(path) for path in tmp_path.iterdir()}
    for out in places.values():
        options = ["--format", "jsonl", "--data-dir", data_dir, "--out", out, *force]
        code, said = refused("export", *options)
        assert (code, "no regular file" in said, "--out -" in said) == (1, True, True)
    assert {path: identity(path) for path in tmp_path.iterdir()} == before
    assert (tmp_path / "file").read_bytes() == b"precious"


def test_a_file_that_is_not_an_export_is_one_line(
    data_dir: Path, places: dict[str, Path], tmp_path: Path
) -> None:
    """Other files, cut files, wrong options: exit code 1, 3 or 2, and what to do."""
    path, whole = tmp_path / "file", places["a binary export"].read_bytes()
    text = export(data_dir, tmp_path / "log.jsonl", "jsonl").read_bytes()
    for data, code, words in (
        (b"", 1, "not an export of a log"),
        (b"root:x:0:0", 1, "not an export of a log"),
        (b'{"seq": 1}\n', 1, "not an export of a log"),
        (whole[:-30], 3, "no longer a complete zip file"),
        (whole[:200] + b"?" + whole[201:], 3, "no longer a complete zip file"),
        (text, 1, "make one with `log export --format binary`"),
    ):
        path.write_bytes(data)
        assert (refused("show", "--log", path)[0], words in refused("info", "--log", path)[1]) == (
            code,
            True,
        )
    out = tmp_path / "out"
    for options, code, words in (
        (["--format", "binary", "--data-dir", data_dir], 2, "--out"),
        (["--format", "binary", "--node", ALPHA, "--out", out], 2, "no other filter"),
        (["--format", "csv", "--out", out], 2, "jsonl"),
        (["--format", "jsonl", "--out", tmp_path / "no" / "out"], 1, "cannot be written"),
    ):
        found, said = refused("export", "--data-dir", data_dir, *options)
        assert (found, words in said) == (code, True)


def test_an_export_is_not_followed(places: dict[str, Path]) -> None:
    """It does not grow: `--follow` would never end."""
    code, said = refused("show", "--follow", "--log", places["a binary export"])
    assert (code, "does not grow" in said) == (2, True)


def test_the_server_refuses_a_slice_and_goes_on_from_an_export(
    data_dir: Path, tmp_path: Path
) -> None:
    """An unzipped export from event 1 on is a log to start from; a slice can only be read."""
    home = tmp_path / "home"
    for name, options in (("whole", []), ("slice", ["--from", "7"])):
        (home / name).mkdir(parents=True)
        (home / name / "secret.key").write_bytes(KEY)
        (home / name / "secret.key").chmod(0o600)
        path = export(data_dir, tmp_path / f"{name}.zip", "binary", *options)
        with zipfile.ZipFile(path) as archive:
            archive.extractall(home / name / "log")
    with ServerProcess(tmp_path / "fresh") as fresh:
        assert fresh.stop() == 0
    shutil.copytree(tmp_path / "fresh" / "pki", home / "whole" / "pki")
    for mark in (home / "whole" / "pki").glob("*/log-id"):
        mark.unlink()  # any CA will do for a log that does not name its own
    with ServerProcess(home / "whole") as server:
        while_it_runs = export(home / "whole", tmp_path / "live.zip", "binary")
        assert LogReader(server.log_dir).last_seq > EVENTS
        assert f"{EVENTS + 1} " in log("show", "--log", while_it_runs)
    ports = ("--grpc-port", "0", "--bootstrap-port", "0", "--advertise", "127.0.0.1")
    done = run_program(
        "network-controller", "serve", "--data-dir", str(home / "slice"), *ports, "--plaintext"
    )
    assert done.returncode == 3
    assert "can only be read" in done.stderr.splitlines()[-1]
