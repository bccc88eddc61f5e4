"""`network-controller serve` where the machine does not let it: the real reason, in one line."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from eventlog import LogReader
from nc.domain.codec.records import events_in
from tests.support.namespaces import require_namespaces
from tests.support.nats_servers import NatsServer, address_of, nats_server
from tests.support.programs import run_program
from tests.support.server_process import PROGRAM, ServerProcess

_SERVE = ("serve", "--advertise", "127.0.0.1", "--data-dir")
_READ_ONLY = 'mount --bind -o ro "$1" "$1"; shift; exec "$@"'
_NO_RIGHTS = 'shift; exec setpriv --bounding-set=-net_bind_service "$@"'


@pytest.mark.parametrize(
    ("around", "options", "says"),
    [
        (_READ_ONLY, ("--grpc-port", "0"), "is on a read-only file system; make that writable"),
        (_NO_RIGHTS, ("--grpc-port", "443"), "ports below 1024 need root or CAP_NET_BIND_SERVICE"),
    ],
)
def test_what_the_machine_refuses_is_named(
    tmp_path: Path, around: str, options: tuple[str, ...], says: str
) -> None:
    """Not the next best reason: what is said to do about it would help; and nothing is made."""
    require_namespaces()
    arguments = ("sh", "-ec", around, "sh", tmp_path, PROGRAM, *_SERVE, tmp_path, *options)
    done = subprocess.run(
        [str(shutil.which("unshare")), "--net", "--mount", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert says in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_lost_authority_is_named_and_a_new_cluster_has_to_be_wanted(tmp_path: Path) -> None:
    """Where there is a log no CA is made anew: exit code 3, and one line that says what to do."""
    data = tmp_path / "data"
    with ServerProcess(data) as server:
        assert server.stop() == 0
    shutil.rmtree(data / "pki")
    options = ("--advertise", "127.0.0.1", "--tun", "off")
    ports = (word for name in ("grpc", "bootstrap", "link") for word in (f"--{name}-port", "0"))
    done = run_program("network-controller", *_SERVE, str(data), *options, *ports)
    assert (done.returncode, done.stdout) == (3, "")
    last = done.stderr.splitlines()[-1]  # behind the log lines
    assert "ca-key.pem are missing" in last
    assert "--new-cluster" in last


@pytest.mark.parametrize(
    ("address", "code", "says"),
    [
        ("10.0.0.1", 2, "--cluster: address 10.0.0.1: no nats:// or tls:// at its beginning"),
        ("nats://127.0.0.1/log", 2, "add ?monitor=PORT"),
        ("nats://secret@127.0.0.1/log", 2, "name a creds file"),
        ("nats://127.0.0.1:1/log?monitor=2", 4, "check that they run, the address and the network"),
    ],
)
def test_a_cluster_that_cannot_be_is_named(
    tmp_path: Path, address: str, code: int, says: str
) -> None:
    """In one line, without a password that is in it; and no key or log is made."""
    ports = (word for name in ("grpc", "bootstrap", "link") for word in (f"--{name}-port", "0"))
    data = tmp_path / "data"
    options = ("--tun", "off", *ports, "--cluster", address)
    done = run_program("network-controller", *_SERVE, str(data), *options)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr.splitlines()[-1]
    assert "secret@" not in done.stderr
    assert not data.exists() or list(data.iterdir()) == []


def test_a_user_of_nats_who_may_not_publish_is_told_first(tmp_path: Path) -> None:
    """The cause and the remedy are all that is said, once; no key or certificate is made."""
    user = 'user: u, password: p, permissions: { publish: { deny: ["s.log"] } }'
    extra = f"authorization {{ users: [{{ {user} }}] }}\nno_auth_user: u"
    data = tmp_path / "data"
    with nats_server(tmp_path / "nats", extra=extra) as server:
        cluster = ("--cluster", address_of(server, stream="s"), "--cluster-replicas", "1")
        ports = (word for name in ("grpc", "bootstrap", "link") for word in (f"--{name}-port", "0"))
        done = run_program(
            "network-controller", *_SERVE, str(data), "--tun", "off", *ports, *cluster
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert 'may not do this: publish to "s.log"' in done.stderr.splitlines()[0]
    assert done.stderr.count("permissions") == 1
    assert not list(data.rglob("*.pem"))


def test_servers_of_a_stream_need_a_stream(tmp_path: Path) -> None:
    """By an option and by a file: without --cluster the log would be in the data folder."""
    file = tmp_path / "server.yaml"
    file.write_text("mode: server\nserver:\n  clusterReplicas: 3\n")
    for options in (("--cluster-replicas", "3"), ("--config", str(file))):
        done = run_program("network-controller", *_SERVE, str(tmp_path / "data"), *options)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "add --cluster or leave this out" in done.stderr
        assert not (tmp_path / "data").exists()


def test_a_server_that_is_killed_goes_on_where_its_stream_is(
    data_dir: Path, nats: NatsServer
) -> None:
    """From options and from a file; the program's log says where the event log is."""
    address = address_of(nats, stream="killed")
    with ServerProcess(data_dir, "--cluster", address, "--cluster-replicas", "1") as server:
        server.kill()
    file = data_dir.with_name("server.yaml")
    file.write_text(f"mode: server\nserver:\n  cluster: {address}\n")
    with ServerProcess(data_dir, "--config", str(file)) as server:
        assert server.stop() == 0
    lines = [json.loads(line) for line in server.stderr.splitlines()]
    (opened,) = [line for line in lines if line.get("event") == "log.opened"]
    assert opened["stream"] == f"nats://{nats.host}:{nats.port}/killed"
    kinds = [event.WhichOneof("kind") for event in events_in(LogReader(data_dir / "log").read())]
    assert kinds.count("replica_started") == 2
    assert kinds.count("replica_stopped") == 1
