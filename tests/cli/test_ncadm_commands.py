"""`ncadm THING VERB` against a real server, over TLS."""

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from eventlog import LogReader
from nc.cli.lazy import LazyCommand, LazyGroup
from nc.cli.ncadm.groups.admins import AdminsCommands
from nc.cli.ncadm.groups.contexts import ContextsCommands
from nc.cli.ncadm.groups.nodes import NodesCommands
from nc.cli.ncadm.groups.tokens import TokensCommands
from tests.support.programs import Run, run_here
from tests.support.server_process import ServerProcess

Json = Callable[..., Any]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without contexts."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("NC_CONTEXT", "NC_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def told(ncadm: Run) -> Json:
    """Runs a command that succeeds, and gives its JSON."""

    def run(*arguments: str) -> Any:
        done = ncadm(*arguments, "--output", "json")
        assert (done.returncode, done.stderr) == (0, ""), done
        return json.loads(done.stdout)

    return run


class Machine:
    """A node, made by a machine that redeems a bootstrap token."""

    def __init__(self, ncadm: Run, told: Json, folder: Path, token: str = "") -> None:
        token = token or told("tokens", "issue")["join_token"]
        done = ncadm(
            *("get-token", "--bootstrap-token", token),
            *("--network-certs-dir", str(folder / "net"), "--grpc-certs-dir", str(folder / "grpc")),
        )
        match = re.search(r"^node token: ([0-9a-f]{16})$", done.stdout, re.MULTILINE)
        assert match, done
        self.token = match[1]
        self.id: str = told("nodes", "show", self.token)["id"]


@pytest.fixture
def machine(ncadm: Run, told: Json, tmp_path: Path) -> Iterator[Machine]:
    """A node that is unregistered at the end."""
    made = Machine(ncadm, told, tmp_path / "machine")
    yield made
    ncadm("nodes", "unregister", made.id, "--yes")


def test_a_node_is_named_by_whatever_is_known_of_it(
    ncadm: Run, told: Json, machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its id, the beginning of it, its name, its address, its token; also as they are pasted."""
    ncadm("nodes", "rename", machine.id, "pi-3")
    ncadm("nodes", "assign", machine.id, "10.1.1.77")
    names = (machine.id, machine.id[:8], "pi-3", " PI-3 ", "10.1.1.77", machine.token)
    assert {told("nodes", "show", name)["id"] for name in names} == {machine.id}
    file = tmp_path / "token"
    file.write_text(f"node token: {machine.token}\n", encoding="ascii")
    assert told("nodes", "show", "--token-file", str(file))["id"] == machine.id
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(machine.token.encode())))
    assert told("nodes", "show", "-")["id"] == machine.id


def test_what_is_changed_is_shown(ncadm: Run, told: Json, machine: Machine) -> None:
    """Name, labels, note, address, expiry: each command changes its own, and says so."""
    assert "pi-4" in ncadm("nodes", "rename", machine.id, "pi-4").stdout
    assert ncadm("nodes", "label", "pi-4", "site=berlin", "spare").stdout == (
        "pi-4 has site=berlin,spare\n"
    )
    ncadm("nodes", "label", "pi-4", "spare-", "rack=7")
    ncadm("nodes", "note", "pi-4", "behind the second door")
    ncadm("nodes", "assign", "pi-4", "10.1.1.99")
    ncadm("nodes", "set-expiry", "pi-4", "2099-01-01T00:00")
    node = told("nodes", "show", "pi-4")
    assert node["labels"] == {"rack": "7", "site": "berlin"}
    assert node["note"] == "behind the second door"
    assert (node["address"], node["address_assigned"]) == ("10.1.1.99", True)
    assert node["expires_at"] == "2099-01-01T00:00:00.000Z"
    text = ncadm("nodes", "show", "pi-4").stdout
    assert all(part in text for part in ("behind the second door", "rack=7", "2099-01-01"))
    ncadm("nodes", "set-expiry", "pi-4", "never")
    ncadm("nodes", "note", "pi-4", "")
    after = told("nodes", "show", "pi-4")
    assert (after["expires_at"], after["note"]) == (None, "")


def test_nodes_are_listed_as_they_are_asked_for(ncadm: Run, told: Json, machine: Machine) -> None:
    """By labels, text, state and token; as a table, JSON, YAML or names."""
    ncadm("nodes", "rename", machine.id, "kiosk-1")
    ncadm("nodes", "label", "kiosk-1", "site=rome")
    fits = (("-l", "site=rome"), ("--search", "KIOSK"), ("--state", "idle"), ())
    for options in fits:
        assert "kiosk-1" in ncadm("nodes", "list", *options, "--output", "name").stdout.split()
    for options in (("-l", "site!=rome"), ("--search", "nothing"), ("--state", "connected")):
        assert "kiosk-1" not in ncadm("nodes", "list", *options, "--output", "name").stdout.split()
    (listed,) = told("nodes", "list", "-l", "site=rome")
    assert listed == told("nodes", "show", "kiosk-1")
    as_yaml = ncadm("-o", "yaml", "nodes", "list", "-l", "site=rome").stdout
    assert yaml.safe_load(as_yaml) == [listed]
    titles, line = ncadm("nodes", "list", "-l", "site=rome").stdout.splitlines()
    assert max(len(titles), len(line)) <= 80
    assert line.startswith("kiosk-1")
    none = ncadm("nodes", "list", "-l", "site=nowhere")
    assert (none.returncode, none.stdout) == (0, "there are no such nodes\n")


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


def test_a_name_that_is_taken_is_refused(ncadm: Run, told: Json, tmp_path: Path) -> None:
    """The other node keeps it."""
    one, other = (Machine(ncadm, told, tmp_path / name) for name in ("a", "b"))
    ncadm("nodes", "rename", one.id, "taken")
    done = ncadm("--output", "json", "nodes", "rename", other.id, "taken")
    assert json.loads(done.stderr)["kind"] == "already exists"
    assert told("nodes", "show", "taken")["id"] == one.id
    gone = told("nodes", "unregister", "taken", other.id, "--yes")
    assert set(gone["node_ids"]) == {one.id, other.id}


def test_all_nodes_of_a_leaked_token_go_with_one_command(
    ncadm: Run, told: Json, tmp_path: Path
) -> None:
    """And the token registers nobody any more."""
    issued = told("tokens", "issue", "--label", "leaked", "--node-label", "site=oslo")
    token_id = issued["issued"]["id"]
    all_of_it = ("nodes", "unregister", "--token-id", token_id[:8], "--revoke-token")
    made = [Machine(ncadm, told, tmp_path / str(n), issued["join_token"]) for n in range(3)]
    kept = Machine(ncadm, told, tmp_path / "kept")
    nodes = told("nodes", "list", "--token-id", token_id[:8])
    assert {node["id"] for node in nodes} == {each.id for each in made}
    assert {node["labels"]["site"] for node in nodes} == {"oslo"}
    asked = ncadm(*all_of_it).stderr
    assert f"Unregister all 3 nodes of the bootstrap token {token_id[:8]}, and revoke it" in asked
    gone = told(*all_of_it, "--yes")
    assert set(gone["node_ids"]) == {each.id for each in made}
    assert told("nodes", "list", "--token-id", token_id) == []
    assert told("nodes", "show", kept.id)["id"] == kept.id
    (token,) = (each for each in told("tokens", "list", "--all") if each["id"] == token_id)
    assert (token["revoked"], token["nodes"], token["uses"]) == (True, 0, 3)
    refused = ncadm(
        *("get-token", "--bootstrap-token", issued["join_token"]),
        *("--network-certs-dir", str(tmp_path / "n"), "--grpc-certs-dir", str(tmp_path / "g")),
    )
    assert refused.returncode == 1


def test_a_token_is_listed_by_its_id_until_it_is_revoked(ncadm: Run, told: Json) -> None:
    """The token itself is shown once, and never again."""
    issued = told("tokens", "issue", "--uses", "2", "--label", "shop", "--lifetime", "never")
    assert issued["join_token"].startswith(f"{issued['token']}@")
    listed = ncadm("tokens", "list")
    assert issued["token"] not in listed.stdout
    assert re.search(
        rf"^{issued['issued']['id']} +shop +never +0 of 2", listed.stdout, re.MULTILINE
    )
    done = ncadm("tokens", "revoke", issued["token"], "--yes")
    assert done.stdout.startswith(f"revoked: {issued['issued']['id']}")
    assert issued["issued"]["id"] not in ncadm("tokens", "list", "-o", "name").stdout


def test_a_viewer_reads_everything_and_changes_nothing(
    ncadm: Run, told: Json, server: ServerProcess, machine: Machine, tmp_path: Path
) -> None:
    """With the folder that `admins issue` wrote, as a context; and only until it is revoked."""
    folder = tmp_path / "eve"
    ncadm("admins", "issue", "--role", "viewer", "--name", "eve", "--out", str(folder))
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


def test_the_events_are_those_of_the_log(ncadm: Run, server: ServerProcess) -> None:
    """The newest ones, or all from one on; each as `network-controller log show` prints it."""
    for _ in range(3):
        ncadm("tokens", "issue")
    shown = run_here(
        "network-controller", "log", "show", "--data-dir", str(server.data_dir), "--output", "json"
    ).stdout.splitlines()
    expected = [json.loads(line) for line in shown]
    got = [
        json.loads(line)
        for line in ncadm("-o", "json", "events", "--from", "1").stdout.splitlines()
    ]
    assert [{key: event[key] for key in expected[n]} for n, event in enumerate(got)] == expected
    last = ncadm("-o", "json", "events", "--last", "2").stdout.splitlines()
    assert [json.loads(line)["seq"] for line in last] == [expected[-2]["seq"], expected[-1]["seq"]]
    newest = ncadm("-o", "json", "events", "--from", "2", "--last", "1").stdout.splitlines()
    assert [json.loads(line)["seq"] for line in newest] == [expected[-1]["seq"]]
    of_kind = ncadm("events", "--type", "tokenissued", "--from", "1").stdout.splitlines()
    assert of_kind
    assert all("TokenIssued" in line for line in of_kind)


def test_the_past_is_explained(ncadm: Run, told: Json, machine: Machine) -> None:
    """`at`, `diff` and `why` tell of one rename the same."""
    before = last_seq(told)
    ncadm("nodes", "rename", machine.id, "renamed")
    names = {node["id"]: node["name"] for node in told("at", str(before))["nodes"]}
    assert names[machine.id] != "renamed"
    changes = told("diff", str(before), "now")["differences"]
    assert [c["after"] for c in changes if (c["id"], c["field"]) == (machine.id, "name")] == [
        "renamed"
    ]
    assert told("why", "renamed", "--at", str(last_seq(told)))["name"] == "renamed"
    said = ncadm("nodes", "unregister", "renamed", "--yes").stdout
    assert said == f"unregistered: renamed {machine.id}\n"
    assert "the node is not registered" in ncadm("why", "renamed").stdout.splitlines()[-1]
    gone = told("why", "renamed")  # it is meant by the name that it had
    assert gone["name"] == "renamed"
    last = ncadm("events", "--node", "renamed").stdout.splitlines()[-1]
    assert f" node_id={machine.id} " in last
    assert [event["type"] for event in gone["events"]][-2:] == ["NodeUpdated", "Unregistered"]
    assert told("why", machine.id, "--at", str(before))["seq"] == before


def test_every_time_has_its_zone(
    ncadm: Run, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """UTC follows a moment on a line of its own, and is in the title of a column of them."""
    ncadm("nodes", "set-expiry", machine.id, "2099-01-01T00:00")
    for command in (
        ("tokens", "issue", "--lifetime", "1h"),
        ("nodes", "show", machine.id),
        ("status",),
        ("at",),
        ("admins", "issue", "--name", "zoe", "--out", str(tmp_path / "zoe")),
    ):
        first = ncadm(*command).stdout.partition("\nnodes:")[0]
        times = re.findall(r"\d\d:\d\d:\d\d(?:Z| UTC)?", first)
        assert times, command
        assert all(time.endswith(("Z", " UTC")) for time in times), first
    monkeypatch.setattr("nc.cli.ncadm.render.terminal_width", lambda: None)  # every column
    for listing in ("nodes", "tokens", "admins"):
        titles, *lines = ncadm(listing, "list").stdout.splitlines()
        columns = {at.start() for line in lines for at in re.finditer(r"\d{4}-\d\d-\d\d ", line)}
        assert columns <= {at.start() for at in re.finditer(r"\S+( \S+)* \(UTC\)", titles)}
    ncadm("admins", "revoke", "zoe", "--yes")


def last_seq(told: Json) -> int:
    """The newest event of the server's log."""
    return int(told("status")["log"]["last_seq"])


def test_the_status_says_what_is_degraded(ncadm: Run, told: Json) -> None:
    """A healthy server has its log, its certificates, and nothing degraded."""
    status = told("status")
    assert status["log"]["writable"]
    assert {each["authority"] for each in status["certificates"]} == {"grpc", "network"}
    assert "degraded" in ncadm("status").stdout
    assert told("links")["links"] == []


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
