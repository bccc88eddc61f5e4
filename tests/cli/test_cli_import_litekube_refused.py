"""`network-controller import-litekube` says what is wrong, and changes nothing then."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.litekube_imports import NODES, TOKENS, import_into, refused
from tests.support.programs import run_here
from tests.support.upstream_server import UpstreamServer


@pytest.fixture(autouse=True)
def _database(upstream: UpstreamServer) -> None:
    upstream.write_database(NODES, TOKENS)


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        ([*NODES, ("f" * 16, "10.1.1.4")], "network_mgr row 5: its address 10.1.1.4 is none that"),
        ([*NODES, ("f" * 16, "10.1.1.3")], "row 5: its address 10.1.1.3 is also that of row 2"),
        ([*NODES, ("a" * 16, "10.1.1.5")], "row 5: its token is also that of a row before"),
        ([*NODES, (None, "10.1.1.5")], "row 5: it has no token"),
        ([("a" * 16, "10.7.0.3")], "is --network-addr the upstream server's?"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_imported(
    tmp_path: Path, upstream: UpstreamServer, nodes: list[Any], says: str
) -> None:
    """Unless the operator lets it be left out; the others are imported then, and it is listed."""
    upstream.write_database(nodes, TOKENS)
    data = tmp_path / "data"
    refused(import_into(data, upstream), says)
    assert not data.exists()
    dry = import_into(data, upstream, "--dry-run")
    assert (dry.returncode, dry.stderr.count("\n")) == (1, 1)
    assert "left out:" in dry.stdout
    done = import_into(data, upstream, "--skip-bad-rows", "--output", "json")
    assert done.returncode == 0
    (left_out,) = json.loads(done.stdout)["left_out"]
    assert left_out["is_problem"]
    assert len(json.loads(done.stdout)["nodes"]) >= 1


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--timezone", "Mars/Olympus"), 2, "no such zone is known here"),
        (("--network-addr", "10.1.1.1/31"), 2, "has no room for a node"),
        (("--db", "/nonexistent.db"), 1, "/nonexistent.db cannot be read"),
    ],
)
def test_wrong_options_are_named(
    tmp_path: Path, upstream: UpstreamServer, arguments: tuple[str, ...], code: int, says: str
) -> None:
    """And no folder is made."""
    done = import_into(tmp_path / "data", upstream, *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1)
    assert says in done.stderr
    assert not (tmp_path / "data").exists()


def test_an_import_that_fails_midway_leaves_nothing(
    tmp_path: Path, upstream: UpstreamServer
) -> None:
    """The second CA cannot be copied: no log, no key, and the first CA is taken away again."""
    data = tmp_path / "data"
    in_the_way = data / "pki" / "network" / ".ca-key.pem.new"  # where the key is written first
    in_the_way.mkdir(parents=True)
    refused(import_into(data, upstream), "cannot be copied to")
    assert list(data.rglob("*")) == [data / "pki", data / "pki" / "network", in_the_way]
    in_the_way.rmdir()
    assert import_into(data, upstream).returncode == 0


def test_a_key_that_every_user_may_read_is_named_before_the_import(
    tmp_path: Path, upstream: UpstreamServer
) -> None:
    """A start would refuse it where it is; a copy is for the owner alone."""
    key = upstream.folder / "certs" / "network" / "ca-key.pem"
    key.chmod(0o644)
    config = ("--config", str(upstream.write_config()))
    where = ("--data-dir", str(tmp_path / "data"))
    for dry_run in ((), ("--dry-run",)):
        done = run_here("network-controller", "import-litekube", *config, *where, *dry_run)
        refused(done, f"run chmod 600 {key}")
    assert import_into(tmp_path / "data", upstream).returncode == 0
    assert (tmp_path / "data" / "pki" / "network" / "ca-key.pem").stat().st_mode & 0o777 == 0o600
    key.chmod(0o600)


def test_a_ca_of_another_log_is_named(tmp_path: Path, upstream: UpstreamServer) -> None:
    """Its mark says which log; without the mark it can be imported again."""
    config = ("--config", str(upstream.write_config()))
    first, second = (("--data-dir", str(tmp_path / name)) for name in ("first", "second"))
    command = ("network-controller", "import-litekube", *config)
    assert run_here(*command, *first).returncode == 0
    done = run_here(*command, *second)
    assert (done.returncode, "without the file log-id" in done.stderr) == (3, True)
    assert "--new-cluster" not in done.stderr
    for name in ("grpc", "network"):
        (upstream.folder / "certs" / name / "log-id").unlink()
    assert run_here(*command, *second).returncode == 0
    for name in ("grpc", "network"):
        (upstream.folder / "certs" / name / "log-id").unlink()


def test_without_its_authorities_nothing_is_imported(
    tmp_path: Path, upstream: UpstreamServer
) -> None:
    """With new ones no node could connect."""
    where = ("--data-dir", str(tmp_path / "data"), "--db", str(upstream.database))
    done = run_here("network-controller", "import-litekube", *where)
    refused(done, "does not hold both ca.pem and ca-key.pem")
    twice = (*where, "--config", str(upstream.write_config()), *upstream.certificate_options)
    done = run_here("network-controller", "import-litekube", *twice)
    assert (done.returncode, "leave the option out" in done.stderr) == (2, True)
