"""A log with a story in it, and the commands that read it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from eventlog import LogReader
from nc.cli.options import NO_EVENTS
from nc.domain.codec.records import Recorded
from nc.history.events import history
from tests.support.programs import run_here
from tests.support.written_log import Log, write_story

DAMAGED_AT = 916  # in event 5, the first segment's fifth


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a story of 15 events, in several segments, and a snapshot."""
    path = tmp_path_factory.mktemp("story") / "data"
    write_story(path)
    return path


@pytest.fixture
def copy(data_dir: Path, tmp_path: Path) -> Path:
    """A copy of the log's folder alone."""
    return Path(shutil.copytree(data_dir / "log", tmp_path / "copy"))


@pytest.fixture
def log(data_dir: Path) -> Log:
    """Runs `log …` on the story; JSON lines become what they say."""

    def run_log(*arguments: str) -> Any:
        done = run_here("network-controller", "log", *arguments, "--data-dir", str(data_dir))
        said_of_none = "" if done.stdout else f"{NO_EVENTS}\n"
        assert (done.returncode, done.stderr) in ((0, ""), (0, said_of_none))
        if "json" in arguments:
            return [json.loads(line) for line in done.stdout.splitlines()]
        return done.stdout

    return run_log


@pytest.fixture(scope="module")
def events(data_dir: Path) -> list[dict[str, Any]]:
    """All events as `log show` prints them."""
    done = run_here(
        "network-controller", "log", "show", "--data-dir", str(data_dir), "--output=json"
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def recorded(data_dir: Path) -> list[Recorded]:
    """The story's events, of which each command took a minute."""
    return list(history(LogReader(data_dir / "log")))


@pytest.fixture
def served(data_dir: Path, tmp_path: Path) -> Path:
    """A copy, damaged before the snapshot's segment; its log's folder."""
    folder = Path(shutil.copytree(data_dir, tmp_path / "data")) / "log"
    segment = min(folder.glob("*.seg"))
    data = bytearray(segment.read_bytes())
    data[DAMAGED_AT] ^= 1
    segment.write_bytes(data)
    return folder


@pytest.fixture
def damaged(served: Path) -> Path:
    """As above, and without the snapshot."""
    for snapshot in served.glob("*.snapshot"):
        snapshot.unlink()
    return served
