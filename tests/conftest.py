"""What all tests share: no clock in their verdicts, and folders that leave nothing behind."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("no-deadline", deadline=None)  # a busy machine is not a failure
settings.load_profile("no-deadline")


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data folder that is gone after the test: a log preallocates 64 MiB."""
    path = tmp_path / "data"
    yield path
    shutil.rmtree(path, ignore_errors=True)
