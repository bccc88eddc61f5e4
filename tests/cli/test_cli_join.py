"""`network-controller join` as a person uses it, against the real server, without TUN."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from eventlog import LogReader
from nc import sd_notify
from nc.agent.state import StateFolder
from nc.cli.main import main
from nc.client.channel import Channel
from nc.client.tls import ClientTls
from nc.domain.codec.records import events_in
from nc.pb import network_controller_pb2 as pb
from nc.pb import sensor_pb2
from nc.pki import FolderPaths
from tests.support.agent_process import JOIN, AgentProcess
from tests.support.programs import run_program
from tests.support.server_process import PATIENCE_S, PROGRAM, ServerProcess

WRONG_HASH = "sha256:" + "0" * 64
CREATE = ("create-bootstrap-token",)
WITHOUT_NET_ADMIN = ("setpriv", "--bounding-set=-net_admin")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all."""
    with ServerProcess(tmp_path_factory.mktemp("join") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def known_by(server: ServerProcess) -> list[str]:
    """What the printed line says of the server's CA."""
    where = ("--data-dir", str(server.data_dir), "--port", str(server.control_port))
    made = json.loads(run_program("ncadm", *where, "--output", "json", *CREATE).stdout)
    program, verb, token, *rest = made["joinCommand"].split()
    assert [program, verb, token] == ["network-controller", "join", made["joinToken"]]
    assert rest == ["--ca-cert-hash", made["caCertHash"]]
    return list(rest)


def admin(server: ServerProcess, method: str, request: Message) -> Any:
    """Call the control port as the administrator."""

    async def call() -> Any:
        pki = FolderPaths.within(server.data_dir / "pki" / "grpc")
        files = (path.read_bytes() for path in (pki.ca, pki.client_key, pki.client))
        async with Channel("127.0.0.1", server.control_port, ClientTls(*files)) as client:
            return await client.call(method, request)

    answer = asyncio.run(call())
    assert answer.code == "200", answer
    return answer


def invite(server: ServerProcess) -> str:
    """A new TOKEN@IP:PORT."""
    answer = admin(server, "GetBootStrapToken", pb.GetBootStrapTokenRequest())
    return f"{answer.bootStrapToken}@{answer.cloudIp}:{answer.port}"


def agent(state: Path, *arguments: str, **environment: str) -> AgentProcess:
    """An agent without TUN."""
    everything = os.environ | environment
    return AgentProcess("--no-tun", "--state-dir", state, *arguments, environment=everything)


def token_in(state: Path) -> str:
    """The node token that is kept."""
    return str(json.loads((state / "node.json").read_bytes())["token"])


def node_id_in(state: Path) -> str | None:
    """The id of the node that is kept."""
    node = StateFolder(state).load()
    assert node is not None
    return node.node_id()


def state_of(server: ServerProcess, state: Path) -> int:
    """The node's connection state, as the API numbers it."""
    request = pb.CheckConnStateRequest(token=token_in(state))
    return int(admin(server, "CheckConnState", request).connState)


def set_expiry(server: ServerProcess, state: Path, at_s: int) -> None:
    """Let the node's token expire at a moment, 0 for never."""
    sensor = sensor_pb2.SensorExpire(deviceToken=token_in(state).encode(), expireTime=at_s)
    request = sensor_pb2.SensorExpireTimeRequest(sensorExpire=[sensor])
    admin(server, "UpdateSensorExpireTime", request)


def redeemed(server: ServerProcess) -> int:
    """How often a bootstrap token was redeemed, by the log: a line about it may still come."""
    kinds = [event.WhichOneof("kind") for event in events_in(LogReader(server.log_dir).read())]
    return kinds.count("node_registered")


def test_the_printed_line_joins_and_joins_no_second_time(
    server: ServerProcess, known_by: list[str], tmp_path: Path
) -> None:
    """It connects; stopped, the node is IDLE; the same line again resumes as the same node."""
    token, state = invite(server), tmp_path / "state"
    before = redeemed(server)
    tokens, said = set(), []
    for _ in range(2):
        with agent(state, token, *known_by, "--name", "Kiosk-7") as node:
            assert node.wait_for("agent.connected")["server"] == f"127.0.0.1:{server.link_port}"
            assert state_of(server, state) == 3
            assert node.stop() == 0
        assert state_of(server, state) == -1
        tokens.add(token_in(state))
        for secret in (token.partition("@")[0], *tokens):
            assert secret not in node.said
        said += re.findall("^joined .*$", node.said, re.MULTILINE)
    assert len(tokens) == 1
    assert said == [f"joined 127.0.0.1:{server.link_port} as kiosk-7 {node_id_in(state)}"]
    assert redeemed(server) == before + 1


def test_programs_are_told_which_node_they_are(
    server: ServerProcess, known_by: list[str], tmp_path: Path
) -> None:
    """In JSON; a name that is taken gets a number, and one that cannot be a name is refused."""
    for name in ("robot", "robot-2"):
        with agent(
            tmp_path / name, invite(server), *known_by, "--output", "json", "--name", "robot"
        ) as node:
            node.wait_for("agent.connected")
            found = [line for line in node.lines() if "node_id" in line and "event" not in line]
        (told,) = found
        assert (told["name"], told["node_id"]) == (name, node_id_in(tmp_path / name))
    with agent(tmp_path / "no", invite(server), *known_by, "--name", "no name") as node:
        assert node.wait() == 1
    assert "a node's name is at most 63 characters" in node.said


def test_a_node_that_was_unregistered_joins_with_a_new_token(
    server: ServerProcess, known_by: list[str], tmp_path: Path
) -> None:
    """It stops and says so; another token makes it another node, once at a time."""
    state = tmp_path / "state"
    with agent(state, invite(server), *known_by) as node:
        node.wait_for("agent.connected")
        first = token_in(state)
        admin(server, "UnRegister", pb.UnRegisterRequest(token=first))
        assert node.wait() == 5
    assert node.said.endswith(
        "the node was unregistered (code 1008); join again with a new bootstrap token\n"
    )
    with agent(state, invite(server), *known_by) as node:
        line = node.wait_for("agent.replaced")
        node.wait_for("agent.connected")
        assert token_in(state) != first
        before = json.loads((state / "node-before.json").read_bytes())
        assert before["token"] == first
        assert str(state / "node-before.json") in line["message"]
        assert re.search(r"this machine was [0-9a-f]{32}, which stays registered", line["message"])
        assert first not in node.said
        with agent(state) as second:
            assert second.wait() == 1
        assert "another agent runs with" in second.said
        assert len(node.logged("agent.disconnected")) == 0


def test_an_expired_node_is_revived(
    server: ServerProcess, known_by: list[str], tmp_path: Path
) -> None:
    """It keeps its state and goes on trying, since an operator can give it more time."""
    state = tmp_path / "state"
    with agent(state, invite(server), *known_by) as node:
        node.wait_for("agent.connected")
        set_expiry(server, state, 1)
        assert node.wait_for("agent.disconnected")["reason"] == "RetryLater"
        assert node.stop() == 0
    set_expiry(server, state, 0)
    with agent(state) as node:
        node.wait_for("agent.connected")


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
            "give --ca-cert-hash, as ncadm create-bootstrap-token prints it",
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


def test_plain_text_is_warned_of(tmp_path: Path) -> None:
    """A token that everybody on the way can read is not sent without a word."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
        with agent(tmp_path / "state", f"{'0' * 16}@127.0.0.1:{port}", "--plaintext") as node:
            assert "no TLS" in node.wait_for("agent.insecure")["message"]


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


def test_whoever_says_insecure_needs_no_hash_and_systemd_is_told(
    server: ServerProcess, tmp_path: Path
) -> None:
    """It works, with a warning. READY once connected, not before; STOPPING at the end."""
    address, state = tmp_path / "notify", tmp_path / "state"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(address))
        systemd.settimeout(PATIENCE_S)
        told = {"NOTIFY_SOCKET": str(address)}
        with agent(state, invite(server), "--insecure-bootstrap", **told) as node:
            ready = systemd.recv(4096).decode().splitlines()
            assert ready[0] == "READY=1"
            assert ready[1].startswith("STATUS=connected to 127.0.0.1:")
            assert state_of(server, state) == 3
            assert node.logged("agent.insecure")
            assert node.stop() == 0
        assert systemd.recv(4096) == b"STOPPING=1"


def test_systemd_is_told_under_an_abstract_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """`@` stands for the zero byte; and nobody listening is no matter."""
    name = f"nc-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    sd_notify.ready("nobody hears this")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{name}")
        systemd.settimeout(PATIENCE_S)
        sd_notify.status("well")
        assert systemd.recv(4096) == b"STATUS=well"


async def test_signs_of_life_come_from_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As often as systemd wants them, and more; none if it wants none from this process."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "3000")
        alive = asyncio.create_task(sd_notify.keep_alive())
        for _ in range(3):
            assert await asyncio.to_thread(systemd.recv, 4096) == b"WATCHDOG=1"
        alive.cancel()
        for variable, value in (("WATCHDOG_PID", "1"), ("WATCHDOG_USEC", "0")):
            monkeypatch.setenv(variable, value)
            assert sd_notify.watchdog_interval_s() is None
            await sd_notify.keep_alive()


def test_plain_text_is_joined_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The printed line says --plaintext where the server does; which tells systemd how it is."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with ServerProcess(tmp_path / "data", "--plaintext") as server:
            monkeypatch.delenv("NOTIFY_SOCKET")
            assert systemd.recv(4096) == b"READY=1\nSTATUS=serving at 127.0.0.1"
            where = ("--port", str(server.control_port), "--plaintext", "--output", "json")
            made = json.loads(run_program("ncadm", *where, *CREATE).stdout)
            assert made["joinCommand"].endswith(" --plaintext")
            with agent(tmp_path / "state", *made["joinCommand"].split()[2:]) as node:
                assert node.wait_for("agent.connected")["address"] == "10.1.1.3/24"
            assert server.stop() == 0
        assert systemd.recv(4096) == b"STOPPING=1"
