"""The packages' order: which may import which, no cycles, and sizes that a reader can hold."""

import ast
from statistics import median, quantiles

import pytest

from tests.support.layers import LAYERS, breaches, cycle, module_name, package_of
from tests.support.source_laws import ROOT, Source, sources

MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 60


def test_every_package_has_its_row() -> None:
    """No package is left out of the table, and none of its rows is about nothing."""
    modules = {module_name(source.path) for source in sources()}
    assert {package_of(module, modules) for module in modules} == set(LAYERS) - {"pb"}


def test_packages_import_only_what_the_table_allows() -> None:
    """Imports go down the table only."""
    assert breaches(sources()) == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    """There is no import cycle."""
    assert cycle(sources()) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("nc/domain/x.py", "from nc.replica.replica import Replica"),
        ("nc/agent/x.py", "def f():\n    import nc.server.server"),
        ("nc/clock.py", "from nc.domain import state"),
        ("eventlog/x.py", "import nc.clock"),
        ("nc/hub/x.py", "from nc.cli import main"),
    ],
)
def test_a_forbidden_import_is_found(path: str, text: str) -> None:
    """The table's check sees each way to import."""
    assert breaches([*sources(), Source(path, text)])


def test_a_cycle_is_found() -> None:
    """The cycle check sees one, and does not count imports inside functions."""
    one = Source("nc/one.py", "from nc import two")
    assert cycle([one, Source("nc/two.py", "import nc.one")])
    assert not cycle([one, Source("nc/two.py", "def f():\n    import nc.one")])


def test_modules_are_short() -> None:
    """No module is longer than a reader can hold, be it the program's, a test or a benchmark."""
    lengths = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").count("\n")
        for folder in ("nc", "eventlog", "tests", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        if not path.is_relative_to(ROOT / "nc/pb")
    }
    assert len(lengths) > len(sources())
    assert {path: n for path, n in lengths.items() if n > MAX_MODULE_LINES} == {}


def test_functions_are_short() -> None:
    """Half of all functions have 7 lines at the most, nine of ten 20, and none more than 60."""
    lengths = {
        f"{source.path}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.body[0].lineno + 1
        for source in sources()
        for node in source.statements()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: n for name, n in lengths.items() if n > MAX_FUNCTION_LINES} == {}
    assert median(lengths.values()) <= 7
    assert quantiles(lengths.values(), n=10)[-1] <= 20
