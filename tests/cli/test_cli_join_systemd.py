"""What an agent tells systemd, and joining without TLS."""

import asyncio
import json
import os
import socket
from pathlib import Path

import pytest

from nc import sd_notify
from tests.support.joined_machines import CREATE, agent, invite, state_of
from tests.support.programs import run_program
from tests.support.server_process import PATIENCE_S, ServerProcess


def test_plain_text_is_warned_of(tmp_path: Path) -> None:
    """A token that everybody on the way can read is not sent without a word."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
        with agent(tmp_path / "state", f"{'0' * 16}@127.0.0.1:{port}", "--plaintext") as node:
            assert "no TLS" in node.wait_for("agent.insecure")["message"]


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
