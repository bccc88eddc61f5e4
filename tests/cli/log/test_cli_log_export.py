"""A log in one file: read like the log that it was made of, or given away."""

import gc
import io
import json
import shutil
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from eventlog import LogReader
from nc.cli.main import main
from tests.support.log_exports import export, log, refused, refused_code
from tests.support.programs import ALONE, run_program
from tests.support.server_process import ServerProcess
from tests.support.terminal import ATerminal
from tests.support.written_log import ALPHA, ALPHA_TOKEN, BETA, EVENTS, KEY

MOMENT = "2027-01-15T08:04:30"


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
    ports = ("--grpc-port", "0", "--bootstrap-port", "0", "--link-port", "0")
    words = (*ports, "--metrics-listen", "none", "--advertise", "127.0.0.1", "--plaintext")
    done = run_program("network-controller", "serve", "--data-dir", str(home / "slice"), *words)
    assert done.returncode == 3
    assert "can only be read" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("kind", [io.StringIO, ATerminal])
def test_a_bar_on_the_terminal_leaves_the_output_as_it_is(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, kind: type[io.StringIO]
) -> None:
    """A file gets all of it. Its lines on a terminal are not wrapped, which has no bar then."""
    words = ("log", "export", "--format", "jsonl", "--data-dir", str(data_dir))
    monkeypatch.setattr("sys.argv", ["network-controller", *words])
    monkeypatch.setenv("TERM", "xterm")
    with (
        redirect_stdout(kind()) as stdout,
        redirect_stderr(ATerminal()) as stderr,
        pytest.raises(SystemExit, match="0"),
    ):
        main()
    exported = [json.loads(line)["seq"] for line in stdout.getvalue().splitlines()]
    assert exported == list(range(1, EVENTS + 1))
    said = stderr.getvalue()
    assert said == "" if kind is ATerminal else "exporting" in said
