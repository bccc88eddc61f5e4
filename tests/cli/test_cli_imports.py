"""What a command line loads: each module that it does not need would cost every call of it."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from eventlog import LogReader
from nc.cli.lazy import LazyCommand
from nc.cli.ncadm.app import Commands as NcadmCommands
from nc.cli.network_controller import Commands
from tests.support.programs import Run, run_program
from tests.support.server_process import ServerProcess
from tests.support.upstream_server import UpstreamServer
from tests.support.written_log import ALPHA, write_story

# Runs a program's main as its console script does, once for each command, and prints what it has
# loaded on stderr.
PROBE = """
import json, sys
blocked = json.loads(sys.argv.pop(1))
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
module = sys.argv.pop(1)
try:
    for command in json.loads(sys.argv.pop(1)):
        sys.argv = ["program", *command]
        try:
            __import__(module, fromlist=["main"]).main()
        except SystemExit as ended:
            if ended.code:
                raise
finally:
    sys.stdout.flush()
    print("LOADED " + json.dumps(sorted(sys.modules)), file=sys.stderr)
"""

MAIN = {"network-controller": "nc.cli.main", "ncadm": "nc.cli.ncadm"}

STREAM = "nats://127.0.0.1:1/log?monitor=1"  # nobody is asked
EXTRAS = ("hypothesis", "nats", "starlette", "textual", "uvicorn")
# typer converts paths and bounded numbers with pydantic, so a command with such options loads it.
PROMETHEUS = "prometheus_client"
HEAVY = (
    *("grpc", "nc.hub", "nc.server.server", "pydantic", "cryptography", "rich", PROMETHEUS),
    *EXTRAS,
)
NOT_FOR_CLIENTS = (
    *("nc.hub", "nc.server.server", "nc.server.settings", "nc.replica", PROMETHEUS),
    *EXTRAS,
)


def probe(
    program: str, *arguments: str, blocked: tuple[str, ...] = ()
) -> tuple["subprocess.CompletedProcess[str]", set[str]]:
    """Run a program, some modules not installed: the result, and the modules that it loaded."""
    return probe_all(program, arguments, blocked=blocked)


def probe_all(
    program: str, *commands: Sequence[str], blocked: tuple[str, ...] = (), code: str = PROBE
) -> tuple["subprocess.CompletedProcess[str]", set[str]]:
    """Run commands in one process, up to one that fails: the modules that they loaded together."""
    words = (json.dumps(blocked), MAIN[program], json.dumps(commands))
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    said, _, loaded = done.stderr.rpartition("LOADED ")
    done.stderr = said
    return done, set(json.loads(loaded))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a log of 15 events."""
    path = tmp_path_factory.mktemp("written") / "data"
    write_story(path)
    return path


@pytest.mark.parametrize("program", MAIN)
def test_help_and_version_load_nothing_heavy(program: str) -> None:
    """Neither the server nor a library that a call needs is imported to print a text."""
    done, loaded = probe_all(program, ["--help"], ["--version"])
    assert (done.returncode, done.stderr) == (0, "")
    assert loaded.isdisjoint(HEAVY)


def test_a_client_loads_no_server(server: ServerProcess) -> None:
    """`ncadm` calls a server without the code of one, nor what only some of its commands need."""
    where = ("--port", str(server.control_port), "--data-dir", str(server.data_dir))
    node = ("check-conn-state", "--node-token", "reserverd")
    listing = (("nodes", "list"), ("tokens", "list"), ("status",), ("events",))
    done, loaded = probe_all("ncadm", *((*where, *words) for words in (node, *listing)))
    assert (done.returncode, done.stderr) == (0, "")
    assert "nc.client.blocking" in loaded
    assert loaded.isdisjoint((*NOT_FOR_CLIENTS, "cryptography", "rich", "yaml", "nc.domain.decide"))
    done, loaded = probe("ncadm", *where, "why", "0000")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "nc.client.blocking" in loaded
    assert loaded.isdisjoint((*NOT_FOR_CLIENTS, "cryptography", "rich", "yaml", "nc.domain.decide"))


def test_the_package_of_the_sdk_loads_nothing() -> None:
    """An agent takes TLS from it, and no gRPC."""
    probed = "import sys, nc.client, nc.client.tls; print('grpc' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", probed], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "False\n"


def test_grpc_is_loaded_for_a_call_only(tmp_path: Path) -> None:
    """A mistake that is found before the call costs no import of gRPC."""
    missing = ("--data-dir", str(tmp_path), "--output", "json")
    done, loaded = probe("ncadm", *missing, "set-expiry", "--node-token", "t", "--at", "then")
    assert done.returncode == 2
    assert "grpc" not in loaded


def test_a_machine_that_joins_loads_no_server(tmp_path: Path) -> None:
    """`join` loads neither the server nor what reads configuration files."""
    done, loaded = probe("network-controller", "join", "--no-tun", "--state-dir", str(tmp_path))
    assert done.returncode == 2
    assert loaded.isdisjoint((*NOT_FOR_CLIENTS, "yaml", "pyroute2"))


def test_an_import_loads_no_server(tmp_path: Path) -> None:
    """It appends to the log without a hub or gRPC."""
    upstream = UpstreamServer.made(tmp_path / "upstream")
    upstream.write_database([("a" * 16, "10.1.1.3")])
    where = ("--data-dir", str(tmp_path / "data"), "--config", str(upstream.write_config()))
    done, loaded = probe("network-controller", "import-litekube", *where)
    assert done.returncode == 0, done
    assert loaded.isdisjoint(("nc.hub", "nc.server.server", "grpc", "rich", *EXTRAS))


def test_reading_a_log_loads_no_server(data_dir: Path) -> None:
    """`log` reads without a hub, a server, gRPC or an extra."""
    commands = ("show --to 5", "info", "at 3", f"why {ALPHA}", "verify")
    words = (("log", *each.split(), "--data-dir", str(data_dir)) for each in commands)
    done, loaded = probe_all("network-controller", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert loaded.isdisjoint(("nc.hub", "nc.server.server", "grpc", PROMETHEUS, *EXTRAS))


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("player", ("log", "replay")),
        ("cluster", ("log", "info", "--log", STREAM)),
        ("cluster", ("log", "move", "--to", STREAM)),
        ("cluster", ("serve", "--cluster", STREAM)),
        ("console", ("demo", "--console")),
    ],
)
def test_a_missing_extra_is_one_line(extra: str, words: tuple[str, ...], data_dir: Path) -> None:
    """It has the command that installs it; exit code 1."""
    where = () if "--log" in words or "demo" in words else ("--data-dir", str(data_dir))
    done, _ = probe("network-controller", *words, *where, blocked=EXTRAS)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"pip install 'litekube-network-controller[{extra}]'" in done.stderr


def test_a_search_needs_no_extra() -> None:
    """`check` draws its trials itself."""
    words = (("check", "--target", each, "--examples", "1") for each in ("in-process", "sim"))
    done, loaded = probe_all("network-controller", *words, blocked=EXTRAS)
    assert (done.returncode, done.stderr) == (0, "")
    assert loaded.isdisjoint((PROMETHEUS, *EXTRAS))


def test_the_server_needs_no_extra() -> None:
    """`demo` starts a whole server, with nodes, where neither extra is installed; no metrics."""
    done, loaded = probe("network-controller", "demo", blocked=EXTRAS)
    assert (done.returncode, done.stderr) == (0, "")
    assert loaded.isdisjoint((PROMETHEUS, *EXTRAS))


@pytest.mark.parametrize("group", [Commands, NcadmCommands])
def test_the_list_of_commands_says_what_their_help_says(
    group: type[Commands] | type[NcadmCommands],
) -> None:
    """The sentence in the table begins the command's own help."""
    for name, (summary, place) in group.table.items():
        text = LazyCommand(name, summary, place).load().help
        assert " ".join(text.split()).startswith(summary.rstrip(".")), name


@pytest.mark.parametrize("program", MAIN)
@pytest.mark.parametrize(
    "module", ["nc.cli.entrypoint", "typer", "nc.cli.lazy", "nc.cli.options", "grpc", "asyncio"]
)
def test_ctrl_c_during_an_import_is_no_traceback(program: str, module: str) -> None:
    """An interrupt at any moment of the start ends a program with 130, and prints nothing."""
    interrupt = PROBE.replace(
        'raise ModuleNotFoundError(f"No module named {name!r}", name=name)',
        "raise KeyboardInterrupt",
    )
    command = {
        "network-controller": ("demo",),
        "ncadm": ("--plaintext", "--port", "1", "check-health"),
    }
    done, _ = probe_all(program, command[program], blocked=(module,), code=interrupt)
    assert (done.returncode, done.stderr) == (130, "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", {"create-bootstrap-token", "check-health", "unregister", "nodes", "contexts"}),
        ("nodes ", {"list", "show", "rename"}),
        ("check-conn-state --node", {"--node-token"}),
    ],
)
def test_a_shell_completes_commands_and_their_options(words: str, expected: set[str]) -> None:
    """Completion knows the commands that are not imported yet, and the options of each."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "_NCADM_COMPLETE": "complete_bash",
        "COMP_WORDS": f"ncadm {words}",
        "COMP_CWORD": str(max(1, len(words.split()) + words.endswith(" "))),
    }
    done = run_program("ncadm", environment=environment)
    assert expected <= set(done.stdout.split()), done


def test_output_may_stand_on_either_side_of_the_command(run: Run, server: ServerProcess) -> None:
    """The one after the command wins."""
    where = ("--port", str(server.control_port), "--data-dir", str(server.data_dir))
    json_, text = ("--output", "json"), ("--output", "text")
    for before, after, is_json in (
        (json_, (), True),
        ((), json_, True),
        (text, json_, True),
        (json_, text, False),
    ):
        done = run("ncadm", *where, *before, "check-health", *after)
        assert done.stdout.startswith("{") == is_json
    done = run("network-controller", *json_, "links", "--data-dir", str(server.data_dir))
    assert json.loads(done.stdout)["links"] == []


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        (("check-conn-state", "--node-token", "0" * 16), "refused", 1),
        (("get-registed-ip",), "usage", 2),
        (("--port", "1", "check-health"), "unreachable", 4),
    ],
)
def test_an_error_is_json_where_the_output_is(
    run: Run, server: ServerProcess, arguments: tuple[str, ...], kind: str, code: int
) -> None:
    """One object on stderr, which tells a refusal from no connection; nothing on stdout."""
    where = ("--port", str(server.control_port), "--data-dir", str(server.data_dir))
    done = run("ncadm", *where, "--output", "json", *arguments)
    error = json.loads(done.stderr)
    assert (done.returncode, done.stdout) == (code, "")
    assert (error["kind"], error["exitCode"]) == (kind, code)
    assert error["error"]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors_lose_no_token(server: ServerProcess, closed: str) -> None:
    """Without stdout no token is made, and the exit code says so; the others are not needed."""
    ncadm = Path(sys.executable).parent / "ncadm"
    where = f"--port {server.control_port} --data-dir {server.data_dir}"
    before = LogReader(server.log_dir).last_seq
    done = subprocess.run(
        ["/bin/sh", "-c", f"{ncadm} {where} create-bootstrap-token {closed}"],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    is_printed = " >&-" not in f" {closed}"
    assert done.returncode == (0 if is_printed else 1)
    assert ("token: " in done.stdout) == is_printed
    assert (LogReader(server.log_dir).last_seq > before) == is_printed
    if closed == ">&-":
        assert done.stderr == "ncadm: the output cannot be written: Bad file descriptor\n"
