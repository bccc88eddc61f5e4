"""`network-controller join` that cannot join: what it says, and that no token is spent."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from nc.cli.main import main
from tests.support.agent_process import JOIN, AgentProcess
from tests.support.joined_machines import agent, invite, redeemed
from tests.support.server_process import PATIENCE_S, PROGRAM, ServerProcess

WRONG_HASH = "sha256:" + "0" * 64
WITHOUT_NET_ADMIN = ("setpriv", "--bounding-set=-net_admin")


def test_a_wrong_hash_keeps_the_token_at_home(
    server: ServerProcess, known_by: list[str], tmp_path: Path
) -> None:
    """Exit code 1 before anything was sent, with what was found there instead."""
    before = redeemed(server)
    with agent(tmp_path / "state", invite(server), "--ca-cert-hash", WRONG_HASH) as node:
        assert node.wait() == 1
    assert f"no certificate from the CA {WRONG_HASH}" in node.said
    assert known_by[1] in node.said
    assert redeemed(server) == before
    assert not (tmp_path / "state" / "node.json").exists()


def test_a_refused_token_is_said_to_be(
    server: ServerProcess, known_by: list[str], tmp_path: Path
) -> None:
    """Exit code 1, with the server's reason, and nothing is kept."""
    unknown = f"0123456789abcdef@127.0.0.1:{server.bootstrap_port}"
    with agent(tmp_path / "state", unknown, *known_by) as node:
        assert node.wait() == 1
    assert "network-controller: the bootstrap token is unknown" in node.said
    assert "0123456789abcdef" not in node.said
    assert not (tmp_path / "state" / "node.json").exists()


def test_without_room_for_a_node_no_token_is_redeemed(
    server: ServerProcess, known_by: list[str], tmp_path: Path
) -> None:
    """Exit code 1 with the reason, and the server has no node that nobody is."""
    before = redeemed(server)
    with AgentProcess(
        "--no-tun",
        "--state-dir",
        tmp_path / "state",
        invite(server),
        *known_by,
        command=("prlimit", "--fsize=20000", *JOIN),
    ) as node:
        assert node.wait() == 1
    assert "cannot be written: file too large" in node.said
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["lock"]
    assert redeemed(server) == before


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("127.0.0.2", "is not for 127.0.0.2; join at the address that ncadm"),
        ("no..name", "'no..name' is neither a host name nor an address"),
    ],
)
def test_a_server_that_is_called_otherwise(
    server: ServerProcess, known_by: list[str], tmp_path: Path, host: str, says: str
) -> None:
    """Exit code 1 with what is wrong, where waiting would not mend it; the token stays at home."""
    before = redeemed(server)
    place = f"0123456789abcdef@{host}:{server.bootstrap_port}"
    with agent(tmp_path / "state", place, *known_by) as node:
        assert node.wait() == 1
    assert says in node.said
    assert redeemed(server) == before


def test_a_server_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    """It tries again and again, says so, and ends in good order when told to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    place = f"0123456789abcdef@127.0.0.1:{port}"
    with agent(tmp_path / "state", place, "--ca-cert-hash", WRONG_HASH) as node:
        said = node.wait_for("agent.disconnected", 2)["message"]
        assert said.startswith(f"no TLS handshake with 127.0.0.1:{port}: Connection refused")
        assert node.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "remembers no node: give TOKEN@IP:PORT"),
        (("0123456789abcdef",), "expected TOKEN@IP:PORT"),
        (("0123456789abcdef@127.0.0.1:0", "--insecure-bootstrap"), "expected TOKEN@IP:PORT"),
        (
            ("0123456789abcdef@127.0.0.1:1", "--ca-cert-hash", "sha256:0"),
            "expected sha256: and 64 hex digits",
        ),
        (
            ("0123456789abcdef@127.0.0.1:1",),
            "give --ca-cert-hash, as ncadm tokens issue prints it",
        ),
        (("0123456789abcdef@127.0.0.1:1",), "or say --insecure-bootstrap"),
        (
            ("0123456789abcdef@127.0.0.1:1", "--plaintext", "--ca-cert-hash", WRONG_HASH),
            "--ca-cert-hash cannot be checked without TLS (--plaintext): drop one of the two",
        ),
        (("0123456789abcdef@127.0.0.1:1", "--ca-cert-hash="), "--ca-cert-hash: is empty"),
        (("--mtu", "10"), "--mtu"),
    ],
)
def test_wrong_usage_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    says: str,
) -> None:
    """Exit code 2 and one line, and nothing is made."""
    state = ("--no-tun", "--state-dir", str(tmp_path / "state"))
    monkeypatch.setattr(sys, "argv", ["network-controller", "join", *state, *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (2, 1)
    assert says in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [("join", "0123456789abcdef@127.0.0.1:1", "--insecure-bootstrap"), ("serve", "--tun", "on")],
)
def test_without_the_right_to_a_device_it_says_so(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Exit code 1 before anything else is done, naming what it takes."""
    limited = WITHOUT_NET_ADMIN if os.geteuid() == 0 else ()
    done = subprocess.run(
        [*limited, PROGRAM, *command], cwd=tmp_path, env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no TUN device can be made" in done.stderr
    assert "CAP_NET_ADMIN" in done.stderr
    assert list(tmp_path.iterdir()) == []
