"""Folders of a gRPC CA and its leaves, opened at a time of the test's."""

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from nc.files import OsFiles
from nc.pki.certificates import AuthorityKind
from nc.pki.folder import PkiFolder, open_folder
from nc.pki.pem import load_certificates

NOW = datetime(2026, 5, 17, 12, tzinfo=UTC)
NAMES = ("localhost", "192.0.2.7")
DAY = timedelta(days=1)
SERIALS = itertools.count(1)


def opened(
    path: Path,
    names: tuple[str, ...] = NAMES,
    now: datetime = NOW,
    files: OsFiles | None = None,
) -> PkiFolder:
    """Open a gRPC folder; serial numbers are never given twice."""
    return open_folder(
        path, AuthorityKind.GRPC, names, now, SERIALS.__next__, files=files or OsFiles()
    )


def contents(path: Path) -> dict[str, bytes]:
    """Give every file's bytes."""
    return {file.name: file.read_bytes() for file in path.iterdir()}


def leaf(path: Path) -> x509.Certificate:
    """Read the first certificate of a file."""
    return load_certificates(path.read_bytes())[0]
