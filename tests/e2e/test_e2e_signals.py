"""Every signal, sent to real processes: handled, ignored, or an end with a documented code."""

import shutil
import signal
from pathlib import Path

import pytest

from nc.cli.signals import STOPPING
from tests.support.agent_process import AgentProcess
from tests.support.programs import run_here
from tests.support.server_process import PROGRAM, ServerProcess

# The kernel ends the process at once, whatever it does.
FATAL = {
    *(signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL),
    *(signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS),
}
PAUSING = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
HARMLESS = sorted(signal.valid_signals() - FATAL - STOPPING - PAUSING - {signal.SIGHUP})

TOKEN = "c" * 16


def test_no_signal_but_a_request_to_stop_ends_a_server(data_dir: Path) -> None:
    """All are survived, a pause as well; HUP reloads; then TERM ends it with 0."""
    with ServerProcess(data_dir) as server:
        for number in HARMLESS:
            server.send_signal(number)
        for number in sorted(PAUSING):
            server.send_signal(number)
            server.send_signal(signal.SIGCONT)
        server.send_signal(signal.SIGHUP)
        server.wait_for("server.reloaded")
        assert (
            run_here(
                "ncadm",
                "--data-dir",
                str(data_dir),
                "--port",
                str(server.control_port),
                "check-health",
            ).returncode
            == 0
        )
        assert server.stop() == 0
        assert b"Traceback" not in server.stderr


@pytest.mark.parametrize("number", sorted(STOPPING))
def test_a_request_to_stop_is_met_in_good_order(data_dir: Path, number: int) -> None:
    """The server ends with code 0, after its last log line."""
    with ServerProcess(data_dir) as server:
        server.send_signal(number)
        server.wait_for("server.stopped")
        assert server.wait() == 0


def test_an_agent_ends_for_no_other_signal(tmp_path: Path) -> None:
    """HUP included; TERM ends it with 0."""
    invitation = f"{TOKEN}@127.0.0.1:1"
    arguments = ("--state-dir", tmp_path / "node", "--insecure-bootstrap", "--no-tun")
    with AgentProcess(invitation, *arguments) as agent:
        agent.wait_for("agent.disconnected")
        for number in (*HARMLESS, signal.SIGHUP):
            agent.send_signal(number)
        for number in sorted(PAUSING):
            agent.send_signal(number)
            agent.send_signal(signal.SIGCONT)
        assert agent.stop() == 0, agent.said


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_command_that_follows_the_log_ignores_user_signals(data_dir: Path, number: int) -> None:
    """It goes on, and ends as Ctrl-C ends it."""
    with ServerProcess(data_dir) as server:
        follow = (PROGRAM, "log", "show", "--follow", "--output", "json")
        with AgentProcess("--data-dir", str(data_dir), command=follow) as command:
            command.wait_for_text("ReplicaStarted")
            command.send_signal(number)
            command.send_signal(signal.SIGINT)
            assert command.wait() == 0
        assert server.is_alive


def test_a_replaced_certificate_is_shown_after_a_hang_up(data_dir: Path) -> None:
    """The one that was put into the folder is used in later handshakes; another CA is refused."""
    with ServerProcess(data_dir) as server:
        folder = data_dir / "pki" / "grpc"
        (folder / "server.pem").unlink()  # so that a new one is signed
        server.send_signal(signal.SIGHUP)
        server.wait_for("certificate.made")
        server.wait_for("server.reloaded")
        kept = (folder / "ca.pem").read_bytes()
        shutil.copy(data_dir / "pki" / "network" / "ca.pem", folder / "ca.pem")
        server.send_signal(signal.SIGHUP)
        refused = server.wait_for("server.reloaded")
        assert "is another CA" in refused["message"]
        (folder / "ca.pem").write_bytes(kept)
        server.send_signal(signal.SIGHUP)
        assert "message" not in server.wait_for("server.reloaded")
