"""Folders for canary tests: a log preallocates 64 MiB, so none is left behind."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A folder that is gone after the test."""
    path = tmp_path / "data"
    yield path
    shutil.rmtree(path, ignore_errors=True)
