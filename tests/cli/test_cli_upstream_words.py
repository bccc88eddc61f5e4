"""Command lines of upstream's programs, and where a server says that it is reached."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from nc.cli import network_controller
from nc.cli.entrypoint import wants_json, with_double_dashes
from nc.cli.lazy import LazyCommand
from nc.cli.ncadm import app as ncadm
from nc.cli.options import AnyOutput
from nc.cli.own_address import default_advertise
from tests.support.programs import run_program
from tests.support.rights import MAY_MAKE_NETWORKS
from tests.support.server_process import ServerProcess

needs_networks = pytest.mark.skipif(
    not MAY_MAKE_NETWORKS, reason="it takes CAP_SYS_ADMIN and CAP_NET_ADMIN"
)


@pytest.mark.parametrize(
    ("given", "means"),
    [
        ("-config F", "--config F"),
        ("-ip 192.0.2.7 -node-token=ab", "--ip 192.0.2.7 --node-token=ab"),
        ("create-bootstrap-token -life -1", "create-bootstrap-token --life -1"),
        ("--ip=-x1 -h -v", "--ip=-x1 -h -v"),
        ("join -- -config", "join -- -config"),
        ("-", "-"),
        ("at -ojson -wo json -aojson", "at -ojson -wo json -aojson"),
        ("-lsite=berlin -lsite -l!site", "-lsite=berlin -lsite -l!site"),
    ],
)
def test_single_dashes_are_understood(given: str, means: str) -> None:
    """Go's programs take `-config` for `--config`; short options and numbers stay."""
    assert with_double_dashes(given.split()) == means.split()


def option_names(command: Any) -> Iterator[list[str]]:
    """The names of each option, of the command and of those below it."""
    found = command.load() if isinstance(command, LazyCommand) else command
    yield from (param.opts for param in found.params if param.opts[0].startswith("-"))
    for each in getattr(found, "commands", {}).values():
        yield from option_names(each)


@pytest.mark.parametrize("app", [network_controller.app, ncadm.app])
def test_each_long_option_takes_a_single_dash(app: typer.Typer) -> None:
    """And short ones may be joined, the last with its value: neither takes the other's words."""
    every = set(chain(*option_names(typer.main.get_group(app))))
    for word in (each for each in every if each.startswith("--")):
        assert with_double_dashes([word[1:], f"{word[1:]}=x"]) == [word, f"{word}=x"]
    short = [word for word in every if not word.startswith("--")]
    joined = [f"{a}{b[1]}" for a in short for b in short if a[1] not in "olv"]
    joined += [f"-{a}{value}" for a in ("o", "wo") for value in AnyOutput]
    assert [word for word in joined if with_double_dashes([word]) != [word]] == []


@pytest.mark.parametrize("app", [network_controller.app, ncadm.app])
def test_each_output_option_has_its_short_name(app: typer.Typer) -> None:
    """Of every command, whichever formats it has."""
    found = [names for names in option_names(typer.main.get_group(app)) if "--output" in names]
    assert all("-o" in names for names in found)
    assert found


@pytest.mark.parametrize("words", ["-ojson", "-wojson", "-o json", "--output=json", "-ao json"])
def test_errors_of_who_asks_for_json_are_json(words: str) -> None:
    """However the option is written."""
    assert wants_json(words.split())
    assert not wants_json([*words.split(), "-oyaml"])


@given(st.lists(st.text()))
def test_reading_twice_changes_nothing_more(words: list[str]) -> None:
    """What is understood once is understood."""
    assert with_double_dashes(with_double_dashes(words)) == with_double_dashes(words)


@pytest.mark.parametrize("program", ["ncadm", "network-controller"])
@pytest.mark.parametrize("word", ["-v", "-version", "--version"])
def test_versions(program: str, word: str) -> None:
    """Each way to ask for the version answers it."""
    assert run_program(program, word).stdout.startswith(f"{program} ")


def test_debug_goes_with_a_configuration(tmp_path: Path) -> None:
    """`network-controller -config F -debug` starts what the file describes."""
    file = tmp_path / "nc.yaml"
    file.write_text("mode: client\nclient: {}\n")
    done = run_program("network-controller", "-config", str(file), "-debug")
    assert "client.networkCertDir: is missing" in done.stderr
    done = run_program("network-controller", "--debug", "fsm")
    assert done.returncode == 2


def test_an_upstream_database_is_noticed(tmp_path: Path) -> None:
    """A server that takes an upstream work folder over says how to import the nodes in it."""
    database = tmp_path / "data" / "db" / "litekube-nc.db"
    database.parent.mkdir(parents=True)
    database.touch()
    with ServerProcess(tmp_path / "data") as server:
        [line] = server.logged("server.upstream_database")
        assert str(database) in line["message"]
        assert f"import-litekube --data-dir {tmp_path / 'data'} --db" in line["message"]


def test_no_warning_of_a_library_reaches_the_terminal(tmp_path: Path) -> None:
    """Upstream CAs have the serial number 0, which `cryptography` warns of."""
    script = tmp_path / "warns.py"
    script.write_text(
        "import sys, types, warnings\n"
        "from cryptography.utils import CryptographyDeprecationWarning\n"
        "from nc.cli.entrypoint import run\n"
        "module = types.ModuleType('warning_app')\n"
        "def app(**_):\n"
        "    warnings.warn('serial number', CryptographyDeprecationWarning)\n"
        "    warnings.warn('too', UserWarning)\n"
        "    return 0\n"
        "module.app = app\n"
        "sys.modules['warning_app'] = module\n"
        "run('x', 'warning_app')\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.parametrize("listen", ["192.0.2.9", "[2001:db8::9]", "127.0.0.1"])
def test_an_address_to_listen_on_is_advertised(listen: str) -> None:
    """Who binds to one address is reached there."""
    assert default_advertise(listen) == listen.strip("[]")


ADVERTISED = "from nc.cli.own_address import default_advertise as d; print(d('0.0.0.0'))"


def in_namespace(*setup: str, code: str = ADVERTISED) -> "subprocess.CompletedProcess[str]":
    """What this machine would advertise, in a network namespace of its own."""
    commands = "; ".join([*setup, f'exec "{sys.executable}" -c "{code}"'])
    return subprocess.run(
        ["/usr/bin/unshare", "--net", "sh", "-ec", commands],
        capture_output=True,
        text=True,
        check=False,
    )


@needs_networks
def test_without_a_default_route_nothing_is_advertised() -> None:
    """127.0.0.1 would reach no other machine: the operator must say."""
    for setup in ((), ("ip link set lo up",)):
        done = in_namespace(*setup)
        assert done.returncode != 0
        assert "--advertise" in done.stderr


@needs_networks
def test_a_machine_with_ipv6_alone_advertises_that() -> None:
    """Its address on the default route of IPv6."""
    done = in_namespace(
        "ip link add d0 type veth peer name d1",
        "ip link set d1 up",
        "ip link set d0 up",
        "ip -6 addr add 2001:db8:5::7/64 dev d0 nodad",
        "ip -6 route add default via 2001:db8:5::1 dev d0",
    )
    assert done.stdout.strip() == "2001:db8:5::7", done.stderr


@needs_networks
def test_ipv4_comes_first_where_there_are_both() -> None:
    """As before: existing clients read `cloudIp` as IPv4."""
    done = in_namespace(
        "ip link add d0 type veth peer name d1",
        "ip link set d1 up",
        "ip link set d0 up",
        "ip -6 addr add 2001:db8:5::7/64 dev d0 nodad",
        "ip -6 route add default via 2001:db8:5::1 dev d0",
        "ip addr add 198.51.100.7/24 dev d0",
        "ip route add default via 198.51.100.1",
    )
    assert done.stdout.strip() == "198.51.100.7", done.stderr


@needs_networks
def test_a_machine_of_two_networks_says_which_address_it_announces() -> None:
    """Where another server is reached from another address than that of the default route."""
    hosts = ("10.0.0.1", "198.51.100.9", "192.0.2.1", "127.0.0.1")
    asked = [(["198.51.100.7"], host) for host in hosts]
    asked += [(["10.0.0.7"], "10.0.0.1"), (["b.example"], "10.0.0.1")]
    code = f"from nc.cli.own_address import seen_elsewhere as s; [print(s(*a)) for a in {asked}]"
    done = in_namespace(
        "ip link set lo up",
        "ip link add d0 type veth peer name e0",
        "ip link set e0 up",
        "ip link set d0 up",
        "ip addr add 198.51.100.7/24 dev d0",
        "ip route add default via 198.51.100.1",
        "ip link add d1 type veth peer name e1",
        "ip link set e1 up",
        "ip link set d1 up",
        "ip addr add 10.0.0.7/24 dev d1",
        code=code,
    )
    first, *others = done.stdout.splitlines()
    assert "announces 198.51.100.7" in first, done.stderr
    assert first.endswith("--advertise 10.0.0.7")
    assert others == [""] * (len(asked) - 1)
