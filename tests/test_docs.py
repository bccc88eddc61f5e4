"""The documents name what exists."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / name for name in ("tests/golden/README.md", "eventlog/README.md")),
]
TOP = "proto|eventlog|nc|tests|benchmarks|docs|packaging|\\.ci"
PATH = re.compile(rf"(?<![\w./-])(?:{TOP})/[\w./*-]*|\b[A-Z]+\.md\b|\b[\w-]+\.lock\b")
RECIPE = re.compile(r"`(?:\.venv/bin/)?just ([\w-]+)")


def paths_in(text: str) -> Iterator[str]:
    """The paths of this project that a text names; services such as `nc.admin` are no paths."""
    for path in PATH.findall(text):
        yield path.rstrip(".")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    """A path in CONTRIBUTING.md, SECURITY.md, README.md or docs/ is that of a file or a folder."""
    named = set(paths_in(document.read_text(encoding="utf-8")))
    missing = {
        path for path in named if not (any(ROOT.glob(path)) or any(document.parent.glob(path)))
    }
    assert missing == set()


def test_a_path_is_recognised() -> None:
    """The check finds paths in code spans, tables and prose, and ignores module names."""
    text = "| `nc/hub/hub.py` | see docs/how-to/sdk.md. `nc.hub.hub`, nc/*.py, CHANGELOG.md, x/nc/y"
    assert list(paths_in(text)) == ["nc/hub/hub.py", "docs/how-to/sdk.md", "nc/*.py", "CHANGELOG.md"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_recipe_that_a_document_names_exists(document: Path) -> None:
    """`just NAME` in a document is a recipe of the justfile."""
    recipes = re.findall(
        r"^([\w-]+)(?: [^:\n]*)?:", (ROOT / "justfile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert set(RECIPE.findall(document.read_text(encoding="utf-8"))) <= set(recipes)


def test_contributing_sets_up_as_the_readme_does() -> None:
    """CONTRIBUTING.md's first command is README's test command."""
    command = re.compile(r"^python3 -m venv .*pytest.*$", re.MULTILINE)
    readme, contributing = (
        command.findall((ROOT / name).read_text(encoding="utf-8"))
        for name in ("README.md", "CONTRIBUTING.md")
    )
    assert readme == contributing


def test_the_changelog_begins_with_this_version() -> None:
    """The newest numbered section of the changelog is the version in pyproject.toml."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (version,) = re.findall(r'^version = "(.*)"$', project, re.MULTILINE)
    assert re.findall(r"^## (\d\S*)", changelog, re.MULTILINE)[0] == version
