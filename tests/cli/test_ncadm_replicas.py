"""`ncadm replicas …` and `serve --invite`, as people and programs use them."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from nc.cli.config_file import load
from nc.cli.ncadm import render
from nc.cli.ncadm.groups.replicas import COLUMNS
from nc.cli.ncadm.status import _replica, _status_text
from nc.cli.newcomer import ReplicaInvitation
from nc.cli.options import Document, Format
from nc.cli.pasted import read_replica_line, read_token
from nc.cli.replica_invitation import replica_invitation
from nc.client.convert import convert
from nc.client.replicas import Replica, ReplicaState
from nc.client.reports import ServerStatus
from nc.errors import USAGE, ConfigError
from nc.pb.admin.v1 import status_pb2 as pb
from tests.support.nats_servers import NatsServer, address_of
from tests.support.programs import Run, run_program
from tests.support.server_process import PROGRAM, ServerProcess

CODE, PIN = "0123456789abcdef01234567", f"sha256:{'5a' * 32}"
LINE = (
    "network-controller serve --cluster nats://h/s "
    f"--invite {CODE}@192.0.2.1:6439 --ca-cert-hash {PIN}"
)
EXPECTED = ReplicaInvitation(CODE, "192.0.2.1", 6439, PIN)


@pytest.fixture(scope="module")
def address(nats: NatsServer) -> str:
    return address_of(nats, stream="replicas")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, address: str) -> Iterator[ServerProcess]:
    """The first server of a cluster."""
    folder = tmp_path_factory.mktemp("a") / "data"
    with ServerProcess(folder, "--cluster", address, "--cluster-replicas", "1") as running:
        yield running


def test_a_server_is_invited_listed_and_removed(
    ncadm: Run, server: ServerProcess, tmp_path: Path
) -> None:
    """By the line that is printed; nobody can read the code of a running server's command line."""
    printed = ncadm("replicas", "invite", "--lifetime", "10m")
    assert (printed.returncode, printed.stderr) == (0, "")
    lines = dict(line.split(": ", 1) for line in printed.stdout.splitlines())
    assert lines.keys() == {"invite", "expires", "id", "serve"}
    invited = read_replica_line(lines["serve"])
    place = lines["invite"]
    program, command, *more = shlex.split(lines["serve"])
    assert (program, command) == ("network-controller", "serve")
    assert f"{invited.code}@{invited.place.host}:{invited.place.port}" == place
    own = (server.data_dir / "replica").read_text().strip()
    with ServerProcess(tmp_path / "b", *more, command=(PROGRAM, "serve", "--debug")) as b:
        shown = Path(f"/proc/{b.pid}/cmdline").read_bytes()
        assert b"--invite" in shown
        assert invited.code.encode() not in shown
        for name in ("secret.key", "pki/grpc/ca-key.pem", "pki/network/ca-key.pem"):
            assert (tmp_path / "b" / name).read_bytes() == (server.data_dir / name).read_bytes()
        name = (tmp_path / "b" / "replica").read_text().strip()
        names = ncadm("replicas", "list", "--output", "name").stdout.split()
        assert names == sorted([own, name])
        (data,) = (
            e for e in json.loads(ncadm("replicas", "list", "-o", "json").stdout) if e["id"] == name
        )
        assert (data["state"], data["role"], data["self"]) == ("running", "follower", False)
        assert (data["lost"], data["ended"]) == (False, None)
        assert yaml.safe_load(ncadm("replicas", "list", "-o", "yaml").stdout)[0]["id"] == names[0]
        table = ncadm("replicas", "list").stdout
        assert f"{own} *" in table
        assert "leader" in table
        status = ncadm("status").stdout
        assert f"{own} (this one): running, leader" in status
        assert f"{name}: running, follower" in status
        unasked = ncadm("replicas", "remove", name)
        assert (unasked.returncode, "give --yes" in unasked.stderr) == (USAGE, True)
        done = ncadm("replicas", "remove", name, "--yes")
        assert (done.returncode, name in done.stdout) == (0, True)
        assert b.wait() == USAGE
        assert b"this server was removed" in bytes(b.stderr)
        assert invited.code.encode() not in bytes(b.stderr) + b.stdout
    used = json.loads(ncadm("replicas", "list", "--invitations", "--all", "-o", "json").stdout)
    assert used == []  # that of who was removed is gone, too


@pytest.mark.parametrize("lost", [False, True])
def test_who_was_lost_did_not_stop(lost: bool) -> None:
    """In text it is said which of the two, and since when; of one that runs, since its start."""
    start, end = (datetime(2026, 11, 28, hour, tzinfo=UTC) for hour in (8, 9))
    state = ReplicaState.RUNNING
    running = Replica("a", state, (), "1", start, False, None, None, None, None, 0, None, False)
    ended = replace(running, id="b", state=ReplicaState.STOPPED, ended=end, lost=lost)
    table = render.listed([running, ended], COLUMNS, Format.TABLE, lambda each: each.id, "")
    rows = [line.split()[:4] for line in table.splitlines()[1:]]
    word = "lost" if lost else "stopped"
    assert rows == [
        ["a", "running", "2026-11-28", "08:00:00"],
        ["b", word, "2026-11-28", "09:00:00"],
    ]
    assert _replica(ended) == f"b: {word} since 2026-11-28 09:00:00 UTC"


def test_a_server_out_of_touch_has_a_status_without_the_others() -> None:
    """It would refuse to list them, as what it knows of them may be out of date."""
    since_ms = 1_780_000_000_000
    log = pb.Log(stream="nats://h/s")
    answer = pb.StatusResponse(log=log, out_of_touch_since_ms=since_ms)
    status = convert(ServerStatus, answer)
    assert status.out_of_touch_since == datetime.fromtimestamp(since_ms / 1000, UTC)
    client: Any = SimpleNamespace(server=SimpleNamespace(status=lambda: status))
    assert "in nats://h/s" in _status_text(client, Document.TABLE)


def test_an_invitation_is_withdrawn_by_the_beginning_of_its_id(ncadm: Run) -> None:
    """In JSON it has the code and the line; the server refuses what is no id."""
    made = json.loads(ncadm("replicas", "invite", "--output", "json").stdout)
    invitation_id = made["issued"]["id"]
    assert read_replica_line(made["serve_command"]).code == made["code"]
    assert invitation_id in ncadm("replicas", "list", "--invitations").stdout
    done = ncadm("replicas", "remove", invitation_id[:6], "--yes")
    assert (done.returncode, done.stdout) == (0, f"withdrawn: the invitation {invitation_id}\n")
    again = ncadm("replicas", "remove", invitation_id, "--yes")
    assert (again.returncode, "no server and no invitation" in again.stderr) == (1, True)


def test_who_is_not_invited_ends_with_a_sentence(ncadm: Run, address: str, tmp_path: Path) -> None:
    """The exit code says that another start changes nothing; the code is in no line."""
    made = json.loads(ncadm("replicas", "invite", "--output", "json").stdout)
    serve = (
        *("serve", "--data-dir", str(tmp_path / "x"), "--advertise", "127.0.0.1"),
        *("--cluster", address, "--tun", "off", "--metrics-listen", "none"),
        *("--grpc-port", "0", "--bootstrap-port", "0", "--link-port", "0"),
    )
    invite = ("--invite", f"{CODE}@{made['host']}:{made['port']}")
    done = run_program(
        "network-controller", *serve, *invite, "--ca-cert-hash", made["ca_cert_hash"]
    )
    assert (done.returncode, "the invitation is unknown" in done.stderr) == (USAGE, True), done
    assert CODE not in done.stderr + done.stdout


def test_an_invitation_comes_from_where_others_cannot_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file or the environment, each with the whole line; what is missing is named."""
    file = tmp_path / "invite"
    file.write_text(f"{LINE}\n")
    assert replica_invitation(None, file, None, cluster="nats://h/s") == EXPECTED
    config = tmp_path / "server.json"
    server = {"invite": f"{CODE}@192.0.2.1:6439", "caCertHash": PIN}
    config.write_text(json.dumps({"mode": "server", "server": server}))
    section = load(config).server
    assert CODE not in repr(section)
    assert replica_invitation(None, None, None, section, "nats://h/s") == EXPECTED
    monkeypatch.setenv("NC_INVITE", f"{CODE}@192.0.2.1:6439")
    assert replica_invitation(None, None, PIN, cluster="nats://h/s") == EXPECTED
    for text, pin, cluster, sentence in (
        (f"{CODE}@192.0.2.1:6439", None, "nats://h/s", "--ca-cert-hash"),
        (f"{CODE}@192.0.2.1:6439", PIN, None, "--cluster"),
        (f"{CODE}@192.0.2.1:6439", "sha256:1", "nats://h/s", "64 hex digits"),
        (CODE, PIN, "nats://h/s", "the address behind the code is missing"),
        ("0123456789abcdef@192.0.2.1:6439", PIN, "nats://h/s", "bootstrap token"),
        (f"{CODE[1:]}@192.0.2.1:6439", PIN, "nats://h/s", "copied whole"),
    ):
        with pytest.raises(ConfigError, match=sentence) as error:
            replica_invitation(text, None, pin, cluster=cluster)
        assert CODE not in str(error.value)
    monkeypatch.delenv("NC_INVITE")
    assert replica_invitation(None, None, None, cluster=None) is None
    with pytest.raises(ValueError, match="the code of an invitation for a server"):
        read_token(CODE)
