import json
import re
import ssl
from pathlib import Path
from typing import Any

import pytest

from eventlog import LogReader
from tests.support.programs import Run, one_line
from tests.support.server_process import ServerProcess


def issue(ncadm: Run) -> str:
    """A bootstrap token as `create-bootstrap-token` prints it, `T@IP:PORT`."""
    match = re.search(r"^token: (\S+)$", ncadm("create-bootstrap-token").stdout, re.MULTILINE)
    assert match
    return match[1]


def join(ncadm: Run, folder: Path) -> str:
    """Redeem a new bootstrap token; returns the node token."""
    done = ncadm(
        *("get-token", "--bootstrap-token", issue(ncadm)),
        *("--network-certs-dir", str(folder / "net"), "--grpc-certs-dir", str(folder / "grpc")),
    )
    match = re.search(r"^node token: ([0-9a-f]{16})$", done.stdout, re.MULTILINE)
    assert match, done
    return match[1]


def test_a_bootstrap_token_is_printed_with_where_to_use_it_and_until_when(
    ncadm: Run, server: ServerProcess
) -> None:
    """`create-bootstrap-token` prints `token: T@IP:PORT` with its port, and the expiry."""
    done = ncadm("create-bootstrap-token", "--life", "10")
    assert done.returncode == 0
    token = rf"[0-9a-f]{{16}}@127\.0\.0\.1:{server.bootstrap_port}"
    join = rf"network-controller join {token} --ca-cert-hash sha256:[0-9a-f]{{64}}"
    pattern = rf"token: {token}\nexpires: 20\S+Z\njoin: {join}\n"
    assert re.fullmatch(pattern, done.stdout)


def test_a_token_for_ever_says_so(ncadm: Run) -> None:
    """A negative life never expires."""
    assert "expires: never\n" in ncadm("create-bootstrap-token", "--life", "-1").stdout


def test_get_token_writes_two_sets_that_only_their_owner_reads(ncadm: Run, tmp_path: Path) -> None:
    """Each folder gets ca.pem, client.pem and client-key.pem, 0600, and they fit together."""
    join(ncadm, tmp_path)
    for folder in (tmp_path / "net", tmp_path / "grpc"):
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
        assert modes == {"ca.pem": 0o600, "client.pem": 0o600, "client-key.pem": 0o600}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(folder / "ca.pem")
        context.load_cert_chain(folder / "client.pem", folder / "client-key.pem")


def test_no_private_key_reaches_the_screen(ncadm: Run, tmp_path: Path) -> None:
    """Neither as text nor as JSON does `get-token` print a key."""
    done = ncadm(
        *("--output", "json", "get-token", "--bootstrap-token", issue(ncadm)),
        *("--network-certs-dir", str(tmp_path / "n"), "--grpc-certs-dir", str(tmp_path / "g")),
    )
    answer = json.loads(done.stdout)
    assert answer["grpcClientKey"] == answer["NetworkClientKey"] == ""
    assert "PRIVATE KEY" not in done.stdout + done.stderr


def test_the_json_says_where_the_certificates_are(ncadm: Run, tmp_path: Path) -> None:
    """As the text does."""
    folders = {"networkCertsDir": str(tmp_path / "n"), "grpcCertsDir": str(tmp_path / "g")}
    done = ncadm(
        *("--output", "json", "get-token", "--bootstrap-token", issue(ncadm)),
        *("--network-certs-dir", folders["networkCertsDir"]),
        *("--grpc-certs-dir", folders["grpcCertsDir"]),
    )
    assert json.loads(done.stdout).items() >= folders.items()


@pytest.mark.parametrize(("token", "code"), [("0" * 16, 1), ("no token", 2)])
def test_a_token_that_is_refused_leaves_no_folder(
    ncadm: Run, tmp_path: Path, token: str, code: int
) -> None:
    """What was made for the certificates is taken away again; what was there before stays."""
    (tmp_path / "mine").mkdir()
    done = ncadm(
        *("get-token", "--bootstrap-token", token),
        *("--network-certs-dir", str(tmp_path / "a" / "b" / "net")),
        *("--grpc-certs-dir", str(tmp_path / "mine")),
    )
    assert done.returncode == code
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_folder_that_cannot_be_made_costs_no_node(
    ncadm: Run, server: ServerProcess, tmp_path: Path
) -> None:
    """`get-token` sees to its folders before it registers anybody."""
    (tmp_path / "file").write_text("")
    token = issue(ncadm)
    before = LogReader(server.log_dir).last_seq
    folder = str(tmp_path / "file" / "certs")
    done = ncadm(
        *("get-token", "--bootstrap-token", token),
        *("--network-certs-dir", folder, "--grpc-certs-dir", str(tmp_path / "grpc")),
    )
    assert (done.returncode, LogReader(server.log_dir).last_seq) == (1, before)
    assert one_line(done.stderr)
    assert folder in done.stderr
    assert not (tmp_path / "grpc").exists()


def test_the_token_says_where_to_redeem_it(
    ncadm: Run, server: ServerProcess, run: Run, tmp_path: Path
) -> None:
    """`T@IP:PORT` is enough: nothing else has to say where the server is."""
    done = run(
        *("ncadm", "--data-dir", str(server.data_dir)),
        *("get-token", "--bootstrap-token", issue(ncadm)),
        *("--network-certs-dir", str(tmp_path / "n"), "--grpc-certs-dir", str(tmp_path / "g")),
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("network", "grpc", "words"),
    [
        ("certs", "certs", "a folder of its own"),
        ("certs", "server", "is a server's"),
        ("certs", "node", "node has certificates already"),
        ("node", "certs", "choose another folder, or move them away"),
    ],
)
def test_certificates_are_never_overwritten_by_others(
    ncadm: Run, server: ServerProcess, tmp_path: Path, network: str, grpc: str, words: str
) -> None:
    """Neither one set by the other, nor a server's own, nor another node's; it costs no node."""
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "client-key.pem").write_text("a key")
    (tmp_path / "server").symlink_to(server.data_dir / "pki" / "grpc")
    token = issue(ncadm)
    before = LogReader(server.log_dir).last_seq
    admin = (server.data_dir / "pki" / "grpc" / "client.pem").read_bytes()
    done = ncadm(
        *("get-token", "--bootstrap-token", token),
        *("--network-certs-dir", str(tmp_path / network)),
        *("--grpc-certs-dir", str(tmp_path / grpc)),
    )
    assert done.returncode in {1, 2}
    assert words in done.stderr
    assert LogReader(server.log_dir).last_seq == before
    assert (server.data_dir / "pki" / "grpc" / "client.pem").read_bytes() == admin


def test_the_rest_of_a_nodes_life(ncadm: Run, tmp_path: Path) -> None:
    """State, address, expiry and farewell, each said in words, failures with exit code 1."""
    token = join(ncadm, tmp_path)
    node = ("--node-token", token)
    assert ncadm("check-conn-state", *node).stdout == "state: IDLE\naddress: none yet\n"
    assert ncadm("get-registed-ip", *node).stdout == "address: none yet\n"
    assert ncadm("set-expiry", *node, "--at", "1").stdout == "expires: 1970-01-01T00:00:01Z\n"
    expired = ncadm("check-conn-state", *node)
    assert (expired.returncode, expired.stdout) == (1, "")
    assert "expired at 1970-01-01T00:00:01Z" in expired.stderr
    assert ncadm("set-expiry", *node, "--at", "never").stdout == "expires: never\n"
    assert ncadm("unregister", *node).stdout == "unregistered\n"
    assert ncadm("take-back").stdout == "no node waits\n"
    gone = ncadm("take-back", *node)
    assert gone.returncode == 1
    assert "was unregistered" in gone.stderr
    again = ncadm("unregister", *node)
    assert again.returncode == 1
    assert one_line(again.stderr)


def test_json_has_the_apis_own_names(ncadm: Run, tmp_path: Path) -> None:
    """`--output json` prints the response under its JSON names, empty fields included."""
    token = join(ncadm, tmp_path)
    done = ncadm("--output", "json", "check-conn-state", "--node-token", token)
    answer: Any = json.loads(done.stdout)
    assert answer == {"code": "200", "message": "ok", "connState": -1, "bindIp": ""}


def test_the_server_itself_can_be_asked_about(ncadm: Run) -> None:
    """The reserved token is the server: connected, at its overlay address."""
    done = ncadm("check-conn-state", "--node-token", "reserverd")
    assert done.stdout == "state: CONNECTED\naddress: 10.1.1.1\n"


def test_health(ncadm: Run) -> None:
    """A server that can write its log is healthy."""
    assert ncadm("check-health").stdout == "healthy\n"


def test_several_nodes_expire_together_or_not_at_all(ncadm: Run, tmp_path: Path) -> None:
    """One unknown token in the list changes nothing for the others, and its position is named."""
    token = join(ncadm, tmp_path)
    done = ncadm(
        *("set-expiry", "--node-token", token, "--node-token", "0" * 16),
        *("--at", "2020-01-01T00:00"),
    )
    assert done.returncode == 1
    assert "position 2" in done.stderr
    assert ncadm("check-conn-state", "--node-token", token).returncode == 0


def test_both_programs_say_their_version(run: Run) -> None:
    """In one line, and the same."""
    said = [run(program, "--version").stdout for program in ("ncadm", "network-controller")]
    assert [line.split()[0] for line in said] == ["ncadm", "network-controller"]
    assert len({line.split()[1] for line in said}) == 1
