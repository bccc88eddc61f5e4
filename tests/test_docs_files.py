"""Each file that a document prints is accepted by the program that reads it.

A block that is a part of a file begins with a comment that says so: `# Part of …`.
"""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from nc.cli import config_file
from nc.errors import UNREACHABLE
from tests.support.nats_servers import free_port
from tests.support.programs import run_program
from tests.support.scraped import PACKAGING, promtool

ROOT: Final = Path(__file__).parent.parent
DOCUMENTS: Final = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

# How files are written that programs read; other blocks are commands, programs and what they print.
FORMATS: Final = "yaml|yml|json|toml|ini|conf|nats|systemd|xml"
BLOCK: Final = re.compile(rf"^ *```(?:{FORMATS})\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
HERE: Final = "127.0.0.1"


class Sample(NamedTuple):
    document: str
    text: str


SAMPLES: Final = [
    Sample(path.relative_to(ROOT).as_posix(), text)
    for path in DOCUMENTS
    for text in BLOCK.findall(path.read_text(encoding="utf-8"))
    if not text.startswith("# Part of ")
]


def a_server_starts_with(text: str, folder: Path) -> None:
    """It gets as far as to ask the server that invites it, which is not there."""
    for number in ("6439", "6440", "6441", "6442", "9464"):
        text = re.sub(rf"(?<=[ :]){number}\b", str(free_port(HERE)), text)
    path = folder / "server.yml"
    path.write_text(moved(text, folder), encoding="utf-8")
    done = run_program("network-controller", "--config", str(path))
    assert done.stderr.startswith("network-controller: not invited yet: ")
    assert done.returncode == UNREACHABLE


def a_node_reads(text: str, folder: Path) -> None:
    path = folder / "client.yml"
    path.write_text(moved(text, folder), encoding="utf-8")
    assert config_file.load(path).client


def prometheus_takes(text: str, folder: Path) -> None:
    """`promtool check config` says so."""
    path = folder / "prometheus.yml"
    rules = "/etc/prometheus/network-controller"
    path.write_text(text.replace(rules, str(PACKAGING / "prometheus")), encoding="utf-8")
    done = subprocess.run(
        [promtool(), "check", "config", path], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def moved(text: str, folder: Path) -> str:
    """The same file for this machine: its addresses, and folders that this user may write."""
    text = re.sub(r"\b(?:192\.0\.2|10\.0\.0)\.[0-9]+\b", HERE, text)
    return re.sub(r"(?<= )/(?:etc|var)/", f"{folder}/", text)


READERS: Final[dict[str, Callable[[str, Path], None]]] = {
    "mode: server": a_server_starts_with,
    "mode: client": a_node_reads,
    "scrape_configs:": prometheus_takes,
}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.document)
def test_a_file_in_a_document_is_accepted(sample: Sample, tmp_path: Path) -> None:
    """As it is printed, by the program that it is for; none is without a reader."""
    read = READERS[sample.text.partition("\n")[0]]
    read(sample.text, tmp_path)


def test_the_files_are_found() -> None:
    """None of our own is passed over."""
    assert set(READERS) <= {sample.text.partition("\n")[0] for sample in SAMPLES}
