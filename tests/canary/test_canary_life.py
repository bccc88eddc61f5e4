"""No secret is ever written down: not in the log, not in the log lines, not on the screen."""

from pathlib import Path

import pytest

from tests.canary.canaries import Canaries, token_like_words
from tests.canary.life import Life
from tests.support.programs import run_program
from tests.support.server_process import ServerProcess


def _add_folder(canaries: Canaries, data_dir: Path) -> None:
    """What the data folder keeps secret: the key of the ids, and every private key."""
    canaries.add_bytes("secret.key", (data_dir / "secret.key").read_bytes())
    keys = sorted((data_dir / "pki").glob("*/*-key.pem"))
    assert len(keys) == 6
    for path in keys:
        canaries.add_private_key(f"{path.parent.name}/{path.name}", path.read_bytes())


def _tear(log_dir: Path) -> None:
    """Leave half a record at the end, as a crash would."""
    (segment,) = log_dir.glob("*.seg")
    data = segment.read_bytes().rstrip(b"\0")
    end = -(-len(data) // 8) * 8  # records begin at multiples of 8
    with segment.open("r+b") as file:
        file.seek(end)
        file.write(data[-2000:])


@pytest.mark.parametrize("plaintext", [False, True], ids=["tls", "plain"])
def test_no_secret_is_written_down(plaintext: bool, data_dir: Path, tmp_path: Path) -> None:
    """Over a whole life with every mistake, a crash and a torn tail, no secret leaks."""
    config = tmp_path / "server.yaml"
    config.write_text("mode: server\nserver:\n  debug: true\n", encoding="utf-8")
    arguments = ("--config", str(config), *(["--plaintext"] if plaintext else []))
    canaries = Canaries()
    heard = b""
    for life in range(2):
        with ServerProcess(data_dir, *arguments) as server:
            client = Life(server, canaries, plaintext=plaintext)
            client.live()
            if life == 0:
                server.kill()
            else:
                assert server.stop() == 0
        heard += bytes(server.stderr) + server.stdout
        if life == 0:
            _tear(server.log_dir)
    _add_folder(canaries, data_dir)
    assert b"log.tail_cut" in heard
    assert b"server.stopped" in heard
    assert list(server.log_dir.glob("*.torn-*"))
    assert canaries.found_in_folder(server.log_dir) == []
    assert canaries.found_in(heard) == []
    for output in ("text", "json"):
        shown = run_program(
            "network-controller", "log", "show", "--data-dir", str(data_dir), "--output", output
        )
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.count("\n") >= 40
        assert canaries.found_in((shown.stdout + shown.stderr).encode()) == []
        assert token_like_words(shown.stdout) == []


def test_what_is_answered_is_kept_nowhere_in_the_data_folder(data_dir: Path) -> None:
    """Tokens and the keys of nodes are forgotten once they are answered: no file has them."""
    canaries = Canaries()
    with ServerProcess(data_dir) as server:
        Life(server, canaries).live()
        assert server.stop() == 0
    assert canaries.needles
    assert canaries.found_in_folder(data_dir) == []


def test_the_demo_shows_no_token_and_no_key() -> None:
    """The demo ends by itself, and shows nothing that opens a door."""
    shown = run_program("network-controller", "demo")
    assert shown.returncode == 0, shown.stderr
    assert shown.stderr == ""
    assert "NodeRegistered" in shown.stdout
    assert token_like_words(shown.stdout) == []
    for telling in ("PRIVATE KEY", "BEGIN", "LS0tLS1CRUdJTi", "Traceback"):
        assert telling not in shown.stdout
