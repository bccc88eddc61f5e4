"""An export without names: it explains the same, and gives nobody away."""

import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from eventlog import LogReader
from nc.domain.codec.digest import digest
from nc.domain.events import DigestRecorded, Event
from nc.history.as_of import states_at
from nc.history.events import Point
from tests.support.log_exports import export, log
from tests.support.written_log import ALPHA, BETA, EVENTS, TOKEN, append_unchecked

MOMENT = "2027-01-15T08:04:30"

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
