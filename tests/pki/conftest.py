"""Certificate folders that are complete."""

from pathlib import Path

import pytest

from tests.support.pki_folders import opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    opened(tmp_path / "grpc")
    return tmp_path / "grpc"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A complete folder of another CA with the same name."""
    opened(tmp_path / "other")
    return tmp_path / "other"
