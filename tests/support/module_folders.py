"""The folders that a module's fixture made go with it, as a passed test's own folder does.

pytest would keep them until the end of the run, and a log's takes 4 MiB. If a test failed
meanwhile they stay, to be looked at.
"""

import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

_Made = dict[Any, tuple[set[Path], int]]
_MADE = pytest.StashKey[_Made]()  # of each fixture: its folders, and how many tests had failed


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: Any, request: pytest.FixtureRequest
) -> Generator[None, Any, Any]:
    if fixturedef.scope != "module":
        return (yield)
    above = _base(request)
    before = set(above.iterdir())
    try:
        return (yield)
    finally:
        made = request.session.stash.setdefault(_MADE, {})
        made[fixturedef] = set(above.iterdir()) - before, request.session.testsfailed


def pytest_fixture_post_finalizer(fixturedef: Any, request: pytest.FixtureRequest) -> None:
    folders, failed = request.session.stash.get(_MADE, {}).pop(fixturedef, (set(), 0))
    if request.session.testsfailed == failed:
        for folder in folders:
            if folder.is_symlink():  # pytest's, to the newest
                folder.unlink()
            else:
                shutil.rmtree(folder, ignore_errors=True)


def _base(request: pytest.FixtureRequest) -> Path:
    # the fixture `tmp_path_factory` is the same, but no hook can ask for it
    factory: pytest.TempPathFactory = request.config._tmp_path_factory  # type: ignore[attr-defined]
    return factory.getbasetemp()
