"""`network-controller import-litekube`: into which folders, from where, and once."""

import json
from pathlib import Path
from typing import Any

import pytest

from eventlog import LogReader
from nc.cli.network_controller import Commands
from tests.support.litekube_imports import NODES, TOKENS, import_into, refused
from tests.support.programs import run_here, run_program
from tests.support.server_process import ServerProcess
from tests.support.upstream_server import UpstreamServer


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> UpstreamServer:
    """Another cluster's server."""
    return UpstreamServer.made(tmp_path_factory.mktemp("another"))


@pytest.fixture(autouse=True)
def _database(upstream: UpstreamServer, another: UpstreamServer) -> None:
    upstream.write_database(NODES, TOKENS)
    another.write_database([("e" * 16, "10.1.1.9")])


def files(folder: Path) -> dict[str, bytes]:
    """What is in a folder; not the lock, nor how far a segment's room is laid out."""
    if not folder.exists():
        return {}
    return {
        str(path.relative_to(folder)): path.read_bytes().rstrip(b"\0")
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock"
    }


def events(data: Path) -> list[dict[str, Any]]:
    shown = run_here(
        *("network-controller", "log", "show", "--data-dir", str(data), "--output", "json")
    )
    return [json.loads(line) for line in shown.stdout.splitlines()]


def test_a_dry_run_shows_what_the_import_does_and_changes_nothing(
    tmp_path: Path, upstream: UpstreamServer
) -> None:
    """In a folder that is not there yet ids are not known; everything else is the same."""
    data = tmp_path / "data"
    text = import_into(data, upstream, "--dry-run")
    assert (text.returncode, text.stderr) == (0, "")
    assert "10.1.1.7" in text.stdout
    assert text.stdout.endswith("nothing was changed\n")
    dry = json.loads(import_into(data, upstream, "--dry-run", "--output", "json").stdout)
    assert not data.exists()
    real = json.loads(import_into(data, upstream, "--output", "json").stdout)
    assert [node["address"] for node in real["nodes"]] == ["10.1.1.3", "10.1.1.7", ""]
    registered = [each for each in events(data) if each["type"] == "NodeRegistered"]
    assert {node["node_id"]: node["name"] for node in real["nodes"]} == {
        each["node_id"]: each["name"] for each in registered
    }
    for made in (*real["nodes"], *real["tokens"]):
        made.update({key: None for key in ("node_id", "token_id", "name") if key in made})
    assert (dry.pop("dry_run"), real.pop("dry_run")) == (True, False)
    assert dry == real


def test_an_import_is_one_record_with_its_actor(tmp_path: Path, upstream: UpstreamServer) -> None:
    """So a crash leaves all of it or nothing."""
    data = tmp_path / "data"
    assert import_into(data, upstream).returncode == 0
    found = events(data)
    assert {each["actor"] for each in found} == {"import:litekube"}
    [record] = LogReader(data / "log").read()
    assert record.count == len(found)
    verified = run_here("network-controller", "log", "verify", "--data-dir", str(data))
    assert verified.returncode == 0, verified.stderr


def test_a_database_is_imported_once(tmp_path: Path, upstream: UpstreamServer) -> None:
    """And one that has changed since is refused by what is known of it."""
    data = tmp_path / "data"
    assert import_into(data, upstream).returncode == 0
    before = events(data)
    refused(import_into(data, upstream), "was imported before")
    upstream.write_database([*NODES, ("f" * 16, "10.1.1.11")], TOKENS)
    refused(import_into(data, upstream), "knows")
    assert events(data) == before


def test_a_folder_that_is_used_takes_what_does_not_clash(
    tmp_path: Path, upstream: UpstreamServer, another: UpstreamServer
) -> None:
    """A later database of the same upstream server, with other nodes; not one of another's CA."""
    data = tmp_path / "data"
    assert import_into(data, upstream).returncode == 0
    before = files(data)
    refused(import_into(data, another), "holds another CA")
    config = str(another.write_config())
    where = ("--data-dir", str(data), "--config", config)
    done = run_here("network-controller", "import-litekube", *where)
    refused(done, "is not the one that signed the certificates of this log's nodes")
    network = ("--network-addr", "10.2.0.1/16")
    upstream.write_database([("f" * 16, "10.2.0.3")])
    refused(import_into(data, upstream, *network), "the nodes in this log are in the network")
    upstream.write_database([("f" * 16, "10.1.1.3")])
    refused(import_into(data, upstream), "10.1.1.3 belongs to another node already")
    log = {name: content for name, content in files(data).items() if name.endswith(".seg")}
    assert log == {name: content for name, content in before.items() if name.endswith(".seg")}
    upstream.write_database([("f" * 16, "10.1.1.5")])
    assert import_into(data, upstream).returncode == 0
    assert [each["type"] for each in events(data)].count("LitekubeImported") == 2


def test_a_folder_of_a_running_server_is_refused(tmp_path: Path, upstream: UpstreamServer) -> None:
    """The log has one writer; a dry run says so."""
    data = tmp_path / "data"
    assert import_into(data, upstream).returncode == 0
    upstream.write_database([("f" * 16, "10.1.1.5")])
    with ServerProcess(data) as server:
        before = LogReader(server.log_dir).last_seq
        done = import_into(data, upstream)
        refused(done, "holds it, and a log has one writer")
        dry = import_into(data, upstream, "--dry-run")
        assert dry.returncode == 0
        assert f"a server runs on {data}" in dry.stderr
        assert LogReader(server.log_dir).last_seq == before
        assert server.stop() == 0
    assert import_into(data, upstream).returncode == 0


def test_an_import_after_a_start_is_not_too_late(tmp_path: Path) -> None:
    """A server that was started with the upstream CAs says how its nodes are imported."""
    upstream = UpstreamServer.made(tmp_path / "upstream")
    upstream.write_database(NODES)
    where = ("--data-dir", str(tmp_path / "data"), "--config", str(upstream.write_config()))
    with ServerProcess(tmp_path / "data", *where[2:]) as server:
        (line,) = server.logged("server.new_cluster")
        assert "import-litekube" in line["message"]
        assert server.stop() == 0
    done = run_here("network-controller", "import-litekube", *where)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_zone_is_asked_for(tmp_path: Path, upstream: UpstreamServer) -> None:
    """Where a time depends on it; a wrong usage, since an option is missing."""
    upstream.write_database(NODES, [("d" * 16, "2030-01-01 00:00:00")])
    done = import_into(tmp_path / "data", upstream)
    assert (done.returncode, "--timezone" in done.stderr) == (2, True)
    done = import_into(tmp_path / "data", upstream, "--timezone", "+08:00", "--output", "json")
    (token,) = json.loads(done.stdout)["tokens"]
    assert token["expires_at_ms"] == 1893427200000  # 2029-12-31T16:00:00Z


def test_the_database_is_found_by_the_configuration(
    tmp_path: Path, upstream: UpstreamServer
) -> None:
    """In its work folder, which is the data folder too if none is named, or at its dbPath."""
    moved = tmp_path / "elsewhere.db"
    upstream.database.rename(moved)
    config = ("--config", str(upstream.write_config(dbPath=str(moved))))
    data = ("--data-dir", str(tmp_path / "data"))
    done = run_here("network-controller", "import-litekube", *config, *data)
    assert "imported 3 nodes" in done.stdout
    other = UpstreamServer.made(tmp_path / "work")
    other.write_database(NODES)
    config = ("--config", str(other.write_config()))
    assert run_program("network-controller", "import-litekube", *config).returncode == 0
    assert (other.folder / "log").is_dir()
    with ServerProcess(other.folder, *config) as server:
        assert server.logged("server.upstream_database") == []


def test_it_is_in_the_list_of_commands() -> None:
    """With an example in its help."""
    assert "import-litekube" in Commands.table
    done = run_here("network-controller", "import-litekube", "--help")
    assert "Example: network-controller import-litekube" in " ".join(done.stdout.split())
