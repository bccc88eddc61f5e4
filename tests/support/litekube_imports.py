"""`network-controller import-litekube` as an operator runs it, and how it refuses."""

import subprocess
from pathlib import Path

from tests.support.programs import run_here
from tests.support.upstream_server import UpstreamServer

Done = subprocess.CompletedProcess[str]

NODES = [("a" * 16, "10.1.1.3"), ("b" * 16, "10.1.1.7"), ("c" * 16, None)]
TOKENS = [("d" * 16, "-1")]


def import_into(data: Path, upstream: UpstreamServer, *more: str) -> Done:
    where = ("--data-dir", str(data), "--db", str(upstream.database))
    return run_here(
        "network-controller", "import-litekube", *where, *upstream.certificate_options, *more
    )


def refused(done: Done, text: str) -> None:
    """One line on stderr, nothing on stdout, exit code 1, and no token."""
    assert (done.returncode, done.stdout) == (1, ""), done
    assert done.stderr.count("\n") == 1
    assert text in done.stderr
    assert not any(token in done.stderr for token, _ in (*NODES, *TOKENS))
