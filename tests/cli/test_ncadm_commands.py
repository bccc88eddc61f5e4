"""`ncadm THING VERB` against a real server, over TLS."""

import json
import shlex
from pathlib import Path

import pytest

from eventlog import LogReader
from nc.cli.lazy import LazyCommand, LazyGroup
from nc.cli.ncadm.groups.admins import AdminsCommands
from nc.cli.ncadm.groups.contexts import ContextsCommands
from nc.cli.ncadm.groups.nodes import NodesCommands
from nc.cli.ncadm.groups.tokens import TokensCommands
from tests.support.ncadm_machine import Json, Machine
from tests.support.programs import Run, run_here
from tests.support.server_process import ServerProcess

pytestmark = pytest.mark.usefixtures("without_contexts")


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        (("nodes", "show", "nobody"), "not found", 1),
        (("nodes", "rename", "{node}", "Not A Label!"), "usage", 2),
        (("nodes", "label", "{node}", "a=1", "a-"), "usage", 2),
        (("nodes", "label", "{node}", "a=1", "a=2"), "usage", 2),
        (("nodes", "assign", "{node}", "192.0.2.1"), "usage", 2),
        (("nodes", "list", "--state", "asleep"), "usage", 2),
        (("nodes", "list", "--selector", "=,="), "usage", 2),
        (("nodes", "unregister"), "usage", 2),
        (("nodes", "unregister", "{node}"), "usage", 2),
        (("nodes", "unregister", "{node}", "--token-id", "abcd", "--yes"), "usage", 2),
        (("tokens", "revoke", "0000"), "usage", 2),
        (("tokens", "revoke", "00000000", "--yes"), "not found", 1),
        (("tokens", "issue", "--lifetime", "soon"), "usage", 2),
        (("tokens", "issue", "--node-label", "a=1", "--node-label", "a=2"), "usage", 2),
        (("admins", "revoke", "nobody", "--yes"), "not found", 1),
        (("at", "999999"), "refused", 1),
        (("why", "nobody"), "not found", 1),
        (("why", "{node}", "--at", "1"), "not found", 1),
        (("events", "--type", "Nothing"), "usage", 2),
        (("--port", "1", "status"), "unreachable", 4),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(
    ncadm: Run,
    machine: Machine,
    server: ServerProcess,
    arguments: tuple[str, ...],
    kind: str,
    code: int,
) -> None:
    """Nothing is changed, and as JSON it has its kind."""
    before = LogReader(server.log_dir).last_seq
    words = [word.format(node=machine.id) for word in arguments]
    done = ncadm("--output", "json", *words)
    assert (done.returncode, done.stdout) == (code, ""), done
    error = json.loads(done.stderr)
    assert (error["kind"], error["exitCode"]) == (kind, code)
    assert ncadm(*words).stderr.count("\n") == 1
    assert LogReader(server.log_dir).last_seq == before


def test_a_viewer_reads_everything_and_changes_nothing(
    ncadm: Run, told: Json, server: ServerProcess, machine: Machine, tmp_path: Path
) -> None:
    """With the folder that `admins issue` wrote, as a context; and only until it is revoked."""
    folder = tmp_path / "eve's own"
    issue = ("admins", "issue", "--role", "viewer", "--name", "eve", "--out", str(folder))
    assert shlex.split(ncadm(*issue).stdout.splitlines()[-1])[-2:] == ["--certs", str(folder)]
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes == {"ca.pem": 0o600, "client.pem": 0o600, "client-key.pem": 0o600}
    port = str(server.control_port)
    place = ("contexts", "add", "eve", "--ip", "127.0.0.1", "--port", port)
    assert run_here("ncadm", *place, "--certs", str(folder), "--copy").returncode == 0
    assert json.loads(run_here("ncadm", "nodes", "list", "-o", "json").stdout)
    for reading in (("status",), ("links",), ("events",), ("at",), ("why", machine.id)):
        assert run_here("ncadm", *reading).returncode == 0, reading
    before = LogReader(server.log_dir).last_seq
    for change in (
        ("nodes", "rename", machine.id, "hers"),
        ("nodes", "unregister", machine.id, "--yes"),
        ("tokens", "issue"),
        ("admins", "issue", "--name", "mallory", "--role", "admin", "--out", str(tmp_path / "m")),
        ("create-bootstrap-token",),
    ):
        assert run_here("ncadm", *change).returncode == 1, change
    assert LogReader(server.log_dir).last_seq == before
    assert not (tmp_path / "m").exists()
    assert "eve, viewer" in ncadm("admins", "revoke", "eve", "--yes").stdout
    assert run_here("ncadm", "nodes", "list").returncode == 1
    assert all(admin["name"] != "eve" for admin in told("admins", "list"))
    assert any(admin["name"] == "eve" for admin in told("admins", "list", "--all"))


def test_no_operator_is_locked_out(ncadm: Run, told: Json) -> None:
    """The last certificate that may change anything cannot be revoked."""
    (own,) = (admin for admin in told("admins", "list") if admin["self"])
    assert (own["role"], own["installed"]) == ("admin", True)
    assert ncadm("admins", "revoke", own["serial"], "--yes").returncode == 1
    assert ncadm("status").returncode == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("ncadm", "nodes", "list", "--port", "6440"), "ncadm --port … nodes list …"),
        (("ncadm", "events", "--context", "prod"), "ncadm --context … events …"),
        (("ncadm", "nodes", "list", "--prt", "6440"), "No such option: --prt"),
        (("network-controller", "log", "show", "--config", "x"), "No such option: --config"),
    ],
)
def test_an_option_is_told_its_place(words: tuple[str, ...], says: str) -> None:
    """One of `ncadm` itself that stands behind a command goes before it."""
    done = run_here(*words)
    assert (done.returncode, says in done.stderr, done.stderr.count("\n")) == (2, True, 1), done


@pytest.mark.parametrize("group", [NodesCommands, TokensCommands, AdminsCommands, ContextsCommands])
def test_the_lists_of_commands_say_what_their_help_says(group: type[LazyGroup]) -> None:
    """The sentence in the table begins the command's own help."""
    for name, (summary, place) in group.table.items():
        text = LazyCommand(name, summary, place).load().help
        assert " ".join(text.split()).startswith(summary.rstrip(".")), name
