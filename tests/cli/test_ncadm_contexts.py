"""`ncadm contexts`, and which server a command is for."""

import json
import socket
from pathlib import Path

import pytest

from nc.certificate_files import FolderPaths
from nc.cli.ncadm.completion import complete_contexts, complete_kinds
from tests.support.programs import Run, run_here, run_program
from tests.support.server_process import ServerProcess


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without contexts."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("NC_CONTEXT", "NC_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "config" / "network-controller"


def add(server: ServerProcess, name: str, *more: str) -> None:
    where = ("--data-dir", str(server.data_dir), "--port", str(server.control_port))
    done = run_here("ncadm", *where, "contexts", "add", name, *more)
    assert (done.returncode, done.stderr) == (0, "")


def test_nobody_types_five_options(server: ServerProcess) -> None:
    """With a context, every command works without an option: the old ones, too."""
    add(server, "prod")
    for words in (("check-health",), ("create-bootstrap-token",), ("nodes", "list"), ("status",)):
        assert run_here("ncadm", *words).returncode == 0, words


def test_options_win_over_the_context(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option over its part, a data folder over the current one, --context over both."""
    add(server, "good")
    where = ("--port", "1")
    assert run_here("ncadm", *where, "check-health").returncode == 4
    missing = run_here("ncadm", "--data-dir", "/nonexistent", "check-health")
    assert (missing.returncode, "/nonexistent/pki" in missing.stderr) == (1, True)
    monkeypatch.setenv("NC_DATA_DIR", "/nonexistent")
    assert run_here("ncadm", "check-health").returncode == 1
    assert run_here("ncadm", "--context", "good", "check-health").returncode == 0
    monkeypatch.setenv("NC_CONTEXT", "good")
    assert run_here("ncadm", "check-health").returncode == 0
    both = run_here("ncadm", "--context", "good", "--data-dir", "/x", "check-health")
    assert both.returncode == 2


def test_a_copy_needs_its_source_no_more(
    server: ServerProcess, config: Path, tmp_path: Path
) -> None:
    """`--copy` keeps the three files for their owner alone; the contexts' file holds no key."""
    paths = FolderPaths.within(server.data_dir / "pki" / "grpc")
    folder = tmp_path / "taken"
    folder.mkdir()
    for path in (paths.ca, paths.client, paths.client_key):
        (folder / path.name).write_bytes(path.read_bytes())
        (folder / path.name).chmod(0o600)
    place = ("--ip", "127.0.0.1", "--port", str(server.control_port), "--certs", str(folder))
    run_here("ncadm", "contexts", "add", "prod", *place, "--copy")
    for path in folder.iterdir():
        path.unlink()
    assert run_here("ncadm", "check-health").returncode == 0
    copies = {path.name: path.stat().st_mode & 0o777 for path in (config / "prod").iterdir()}
    assert copies == {"ca.pem": 0o600, "client.pem": 0o600, "client-key.pem": 0o600}
    text = (config / "contexts.yml").read_text(encoding="utf-8")
    assert "PRIVATE" not in text
    assert (config / "contexts.yml").stat().st_mode & 0o777 == 0o600


def test_contexts_are_listed_chosen_and_removed(server: ServerProcess) -> None:
    """The first is the current one; a name that is there is replaced only if that is asked for."""
    add(server, "a")
    add(server, "b")
    assert run_here("ncadm", "contexts", "list", "-o", "name").stdout == "a\nb\n"
    listed = json.loads(run_here("ncadm", "contexts", "list", "-o", "json").stdout)
    assert [(each["name"], each["current"]) for each in listed] == [("a", True), ("b", False)]
    run_here("ncadm", "contexts", "use", "b")
    again = run_here("ncadm", "--plaintext", "contexts", "add", "a")
    assert (again.returncode, "--replace" in again.stderr) == (1, True)
    run_here("ncadm", "contexts", "remove", "b")
    assert run_here("ncadm", "contexts", "use", "b").returncode == 2
    assert run_here("ncadm", "contexts", "list").stdout.count("*") == 0


def test_a_folder_may_be_called_anything(server: ServerProcess, tmp_path: Path) -> None:
    """What was added is read again; nothing of a name steers the terminal that lists it."""
    pki = server.data_dir / "pki" / "grpc"
    folder = tmp_path / "\u3000of eve\n\x1b[31m\udcff"
    folder.symlink_to(pki)
    add(server, "good")
    where = ("--ip", "127.0.0.1", "--port", str(server.control_port))
    done = run_here("ncadm", "contexts", "add", "odd", *where, "--certs", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    for words in (("--context", "odd", "check-health"), ("check-health",)):
        assert run_here("ncadm", *words).returncode == 0
    listed = run_here("ncadm", "contexts", "list").stdout
    assert all(line.isprintable() for line in listed.splitlines())
    assert len(listed.splitlines()) == 3


def test_a_new_context_has_nothing_of_the_current_one(server: ServerProcess) -> None:
    """Neither its port nor its certificates."""
    add(server, "a")
    done = run_here("ncadm", "--plaintext", "contexts", "add", "b", "--ip", "192.0.2.7")
    assert done.returncode == 0
    _, b = json.loads(run_here("ncadm", "contexts", "list", "-o", "json").stdout)
    assert (b["server"], b["port"], b["bootstrap_port"]) == ("192.0.2.7", 6440, 6439)


def test_a_context_that_cannot_be_used_is_told_when_it_is_added(config: Path) -> None:
    """Nothing is kept then."""
    server = ("contexts", "add", "x", "--ip", "192.0.2.7")
    for before, after, remedy in (
        ((), ("--certs", "/nonexistent"), "issue wrote with --certs DIR"),
        (("--data-dir", "/nonexistent"), (), "issue wrote with --certs DIR"),
        (("--cacert", "/nonexistent"), (), "right file with --cacert"),
    ):
        done = run_here("ncadm", *before, *server, *after)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert remedy in done.stderr
    assert not config.exists()


def test_a_broken_file_of_contexts_stops_only_who_needs_it(
    server: ServerProcess, config: Path
) -> None:
    """Its line names the file; with --data-dir it is not read."""
    config.mkdir(parents=True)
    (config / "contexts.yml").write_text("contexts: [", encoding="utf-8")
    done = run_here("ncadm", "check-health")
    assert (done.returncode, str(config / "contexts.yml") in done.stderr) == (2, True)
    where = ("--data-dir", str(server.data_dir), "--port", str(server.control_port))
    assert run_here("ncadm", *where, "check-health").returncode == 0


def completed(server: ServerProcess, words: str, port: int | None = None) -> set[str]:
    """What a shell completes after these words."""
    where = f"--data-dir {server.data_dir} --port {port or server.control_port}"
    line = f"ncadm {where} {words}"
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
        "_NCADM_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split()) - (0 if words.endswith(" ") else 1)),
    }
    done = run_program("ncadm", environment=environment)
    assert done.stderr == ""
    return set(done.stdout.split())


def test_a_shell_completes_what_the_server_knows(ncadm: Run, server: ServerProcess) -> None:
    """And nothing, in silence, where a server answers nothing."""
    ncadm("tokens", "issue")  # which begins with other digits
    token_id = json.loads(ncadm("tokens", "issue", "-o", "json").stdout)["issued"]["id"]
    assert completed(server, f"nodes list --token-id {token_id[:4]}") == {token_id}
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and says nothing
        assert completed(server, "nodes show ", port=silent.getsockname()[1]) == set()


def test_a_shell_completes_kinds_of_events_and_contexts(server: ServerProcess) -> None:
    """Without a server."""
    add(server, "prod")
    add(server, "test")
    assert complete_contexts("p") == ["prod"]
    assert complete_kinds("NodeR") == ["NodeRegistered"]
