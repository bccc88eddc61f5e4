"""The systemd units: systemd reads them without complaint, and our programs take their options."""

import configparser
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from nc.cli.network_controller import app
from nc.errors import UNREGISTERED, USAGE
from tests.support.namespaces import REQUIRED
from tests.support.programs import BIN

DROP_IN = (
    Path(__file__).parent.parent / "packaging/systemd/network-controller.service.d/cluster.conf"
)
UNITS = sorted((Path(__file__).parent.parent / "packaging" / "systemd").glob("*.service"))
INSTALLED = "/usr/local/bin/network-controller"


def parsed(unit: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as configparser has it
    parser.read(unit)
    return parser


def test_there_is_one_for_the_server_and_one_for_nodes() -> None:
    """None is passed over by what follows."""
    assert [unit.stem for unit in UNITS] == ["network-controller-node", "network-controller"]


@pytest.mark.parametrize(
    ("unit", "drop_in"),
    [*((unit, None) for unit in UNITS), (UNITS[-1], DROP_IN)],
    ids=lambda path: "" if path is None else path.stem,
)
def test_systemd_finds_nothing_wrong(unit: Path, drop_in: Path | None, tmp_path: Path) -> None:
    """`systemd-analyze verify` says nothing, of the server's unit with the drop-in neither."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        if REQUIRED in os.environ:
            pytest.fail(f"there is no systemd-analyze here, and {REQUIRED} is set")
        pytest.skip("there is no systemd-analyze here")
    here = tmp_path / unit.name
    _install(unit, here)
    if drop_in is not None:
        here.with_name(f"{here.name}.d").mkdir()
        _install(drop_in, here.with_name(f"{here.name}.d") / drop_in.name)
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(here)], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def _install(source: Path, target: Path) -> None:
    """Copy a unit; it runs our own program, not the installed one."""
    text = source.read_text(encoding="utf-8")
    assert INSTALLED in text
    target.write_text(text.replace(INSTALLED, str(BIN / "network-controller")), encoding="utf-8")


@pytest.mark.parametrize("unit", [*UNITS, DROP_IN], ids=lambda unit: unit.stem)
def test_the_command_line_is_one_of_ours(unit: Path) -> None:
    """Every option that a unit gives is one of the command's, and it waits to be told READY."""
    service = parsed(unit)["Service"]
    assert unit == DROP_IN or service["Type"] == "notify"
    program, command, *words = shlex.split(service["ExecStart"])
    assert program == INSTALLED
    group = typer.main.get_group(app)
    _, loaded, _ = group.resolve_command(typer.Context(group), [command])
    assert loaded
    known = {option for parameter in loaded.params for option in parameter.opts}
    options = {word for word in words if word.startswith("--")}
    assert options
    assert options <= known


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_it_is_never_given_up(unit: Path) -> None:
    """No number of starts is too many, it waits for the time, and a hanging one is ended."""
    sections = parsed(unit)
    assert sections["Unit"]["StartLimitIntervalSec"] == "0"
    assert "StartLimitBurst" not in sections["Unit"]
    for key in ("After", "Wants"):
        assert "time-sync.target" in sections["Unit"][key].split()
    assert sections["Service"]["Restart"] == "on-failure"
    assert sections["Service"]["WatchdogSec"] == "60s"


def test_a_node_that_was_unregistered_is_not_started_again() -> None:
    """Its exit code is the one that the unit excepts, beside wrong usage."""
    (node,) = (unit for unit in UNITS if unit.stem.endswith("-node"))
    excepted = parsed(node)["Service"]["RestartPreventExitStatus"].split()
    assert excepted == [str(USAGE), str(UNREGISTERED)]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_tun_device_can_be_had(unit: Path) -> None:
    """What hardening takes away is not what a device, its address and its routes need."""
    service = parsed(unit)["Service"]
    assert service["AmbientCapabilities"] == service["CapabilityBoundingSet"] == "CAP_NET_ADMIN"
    assert service["DeviceAllow"] == "/dev/net/tun rw"
    assert "AF_NETLINK" in service["RestrictAddressFamilies"]
    assert "PrivateNetwork" not in service
    assert "PrivateDevices" not in service
