"""`network-controller links`, against the real program and a client that knows nothing of us."""

import asyncio
import base64
import json
import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from nc.cli.links import tables
from nc.client.channel import Channel
from nc.client.link_report import NoServer, read_link_report
from nc.client.tls import ClientTls
from nc.errors import UNREACHABLE
from nc.pb import network_controller_pb2 as pb
from tests.support.forked_popen import ForkedPopen
from tests.support.link_client import Identity, LinkClient, packet
from tests.support.programs import BIN, Run
from tests.support.server_process import LOOPBACK, ServerProcess


async def enrol(server: ServerProcess) -> tuple[str, Identity]:
    """A node's token, and its network identity."""
    pki = server.data_dir / "pki" / "grpc"
    tls = ClientTls(*((pki / f"{n}.pem").read_bytes() for n in ("ca", "client-key", "client")))
    async with Channel(LOOPBACK, server.control_port, tls) as client:
        issued = await client.call("GetBootStrapToken", pb.GetBootStrapTokenRequest())
        request = pb.GetTokenRequest(bootStrapToken=issued.bootStrapToken)
        answer = await client.call("GetToken", request)
    pems = (answer.NetworkCaCert, answer.NetworkClientKey, answer.NetworkClientCert)
    return answer.token, Identity(*(base64.b64decode(pem).decode() for pem in pems))


async def test_the_table_and_the_json_say_the_same(server: ServerProcess, run: Run) -> None:
    """Each link with its node, address and counters, and each reason to drop; and no token."""
    token, identity = await enrol(server)
    client = await LinkClient.connect(server.link_port, token, identity.context())
    own, network = (await client.hand_shake()).split("/")
    client.send(packet(own, own, b"to myself"))
    assert (await client.packet())[20:] == b"to myself"
    client.send(packet("10.1.1.77", own))
    client.send(packet(own, own))  # what was sent before it has been seen once it is back
    await client.packet()
    command = ("network-controller", "links", "--data-dir", str(server.data_dir))
    as_json = await asyncio.to_thread(run, *command, "--output", "json")
    table = await asyncio.to_thread(run, *command)
    assert (as_json.stderr, table.stderr) == ("", "")
    report = json.loads(as_json.stdout)
    (link,) = report["links"]
    assert network == "24"
    assert (link["address"], link["packets_in"], link["packets_out"]) == (own, 3, 2)
    assert (link["bytes_in"], link["bytes_out"]) == (69, 49)
    assert link["drops"] == report["drops"] == {"wrong_source": 1}
    for text in (own, link["peer"], link["node_id"][:12], "wrong source"):
        assert text in table.stdout
    assert token not in as_json.stdout + table.stdout
    await client.vanish()


def test_a_peer_is_named_however_it_comes() -> None:
    """An IPv6 address stands in brackets, and rich takes them for nothing else."""
    counters = dict.fromkeys(("packets_in", "bytes_in", "packets_out", "bytes_out"), 0)
    known = {"node_id": "", "address": "", "peer": "[fd00::9]:4711", "since_ns": 0, "drops": {}}
    console = Console(width=132)
    with console.capture() as shown:
        console.print(
            tables({"links": [known | counters], "drops": {}, "turned_away": 0, "refused": {}})
        )
    assert "[fd00::9]:4711" in shown.get()


def test_watch_tells_it_again_and_ends_quietly(server: ServerProcess) -> None:
    """With `--watch` a line a second, and Ctrl-C ends it without a complaint."""
    command = [BIN / "network-controller", "links", "--data-dir", server.data_dir]
    with ForkedPopen(
        [*map(str, command), "--watch", "--output", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watcher:
        assert watcher.stdout
        reports = [json.loads(watcher.stdout.readline()) for _ in range(2)]
        assert [set(report) for report in reports] == [
            {"links", "peers", "drops", "turned_away", "refused"}
        ] * 2
        watcher.send_signal(signal.SIGINT)
        _, stderr = watcher.communicate(timeout=60)
    assert (watcher.returncode, stderr) == (0, "")


def test_watch_fills_a_file_too(server: ServerProcess) -> None:
    """Where there is no terminal to draw on, each second's table stands below the one before."""
    command = [BIN / "network-controller", "links", "--watch", "--data-dir", server.data_dir]
    with ForkedPopen([*map(str, command)], stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout
        headers = 0
        while headers < 2:
            line = watcher.stdout.readline()
            assert line, "it has ended"
            headers += line.startswith("name ")
        watcher.send_signal(signal.SIGINT)
        watcher.communicate(timeout=60)
    assert watcher.returncode == 0


def test_the_socket_is_its_owners_alone(server: ServerProcess) -> None:
    """Mode 0600: nobody else may connect."""
    mode = os.stat(server.data_dir / "links.sock").st_mode  # noqa: PTH116 - one that follows nothing
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_without_a_server_one_line_says_so(run: Run, tmp_path: Path) -> None:
    """The exit code of no connection, and what to do; also where a crash left the socket."""
    with ServerProcess(tmp_path / "data") as server:
        assert (
            json.loads(json.dumps(read_link_report(server.data_dir / "links.sock")))["links"] == []
        )
        server.kill()
    assert (tmp_path / "data" / "links.sock").exists()
    for folder in (tmp_path, tmp_path / "data"):
        done = run("network-controller", "links", "--data-dir", str(folder))
        assert (done.returncode, done.stdout) == (UNREACHABLE, "")
        assert done.stderr.count("\n") == 1
        assert "no server answers" in done.stderr
    with ServerProcess(tmp_path / "data") as server:  # a socket that was left is no hindrance
        assert read_link_report(server.data_dir / "links.sock")["links"] == []
        assert server.stop() == 0
    with pytest.raises(NoServer):
        read_link_report(tmp_path / "data" / "links.sock")


def test_a_folder_that_is_not_there_has_no_server(run: Run, tmp_path: Path) -> None:
    """It is not made, either."""
    done = run("network-controller", "links", "--data-dir", str(tmp_path / "none"))
    assert done.returncode == UNREACHABLE
    assert "no server answers" in done.stderr
    assert not (tmp_path / "none").exists()
