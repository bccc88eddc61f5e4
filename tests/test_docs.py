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
LINKING = [*DOCUMENTS, ROOT / "CHANGELOG.md", ROOT / "eventlog" / "jetstream" / "README.md"]
SOURCES = ("nc", "eventlog", "tests", "benchmarks", "packaging", "proto", ".ci")
TOP = "proto|eventlog|nc|tests|benchmarks|docs|packaging|\\.ci"
PATH = re.compile(rf"(?<![\w./-])(?:{TOP})/[\w./*-]*|\b[A-Z]+\.md\b|\b[\w-]+\.lock\b")
PAGE = re.compile(r"(?<![\w./-])docs/[\w/-]+\.md\b")
LINK = re.compile(r"\]\(([^)\s]+)\)|\b(?:src|srcset|href)=\"([^\"]+)\"")
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


def links_in(text: str) -> Iterator[tuple[str, str]]:
    """Path and anchor of each link or picture of this repository; those to the web are left out."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    for target in (
        first or second for first, second in LINK.findall(re.sub("`[^`\n]*`", "", prose))
    ):
        if not re.match(r"https?://", target):
            path, _, anchor = target.partition("#")
            yield path, anchor


def anchors_of(document: Path) -> set[str]:
    """The anchors that hosts of repositories give a document's headings."""
    text = re.sub(r"^```.*?^```$", "", document.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", LINKING, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_link_is_dead(document: Path) -> None:
    """A relative link leads to a file or folder, and its anchor to a heading there."""
    dead = set()
    for path, anchor in links_in(document.read_text(encoding="utf-8")):
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            dead.add(f"{path}#{anchor}")
    assert dead == set()


def test_a_link_is_recognised() -> None:
    """The check finds links, anchors and pictures, and ignores code and the web."""
    text = '[a](b.md#c) [`d`](e/) ![f](g.png) <img src="h.png"> `[i](j)` [k](https://l) [m](#n)'
    found = [("b.md", "c"), ("e/", ""), ("g.png", ""), ("", "n"), ("h.png", "")]
    assert sorted(links_in(text)) == sorted(found)


def test_the_index_has_every_page() -> None:
    """docs/README.md leads to every page below docs/."""
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / path).resolve() for path, _ in links_in(index.read_text("utf-8"))}
    assert {page.resolve() for page in index.parent.rglob("*.md")} <= linked | {index.resolve()}


def test_every_page_that_a_source_names_exists() -> None:
    """A message or a docstring that sends the reader to a page of docs/ names one that there is."""
    missing = {
        f"{path.relative_to(ROOT)}: {page}"
        for top in SOURCES
        for path in (ROOT / top).rglob("*")
        if path.suffix in {".py", ".proto", ".js", ".html", ".md", ".service", ".yml"}
        for page in PAGE.findall(path.read_text(encoding="utf-8"))
        if not (ROOT / page).exists()
    }
    assert missing == set()


def test_a_path_is_recognised() -> None:
    """The check finds paths in code spans, tables and prose, and ignores module names."""
    text = "| `nc/hub/hub.py` | see docs/how-to/sdk.md. `nc.hub.hub`, nc/*.py, CHANGELOG.md, x/nc/y"
    found = ["nc/hub/hub.py", "docs/how-to/sdk.md", "nc/*.py", "CHANGELOG.md"]
    assert list(paths_in(text)) == found


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
