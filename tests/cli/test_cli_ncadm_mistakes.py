"""What `ncadm` says of wrong usage, and of a server or certificates that are not there."""

from pathlib import Path

import pytest

from nc.errors import UNREACHABLE
from tests.support.programs import Run, one_line
from tests.support.server_process import ServerProcess


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Missing command"),
        (("frobnicate",), "No such command"),
        (("check-conn-state",), "--node-token"),
        (("set-expiry", "--node-token", "t", "--at", "tomorrow"), "use never, +90m"),
        (("set-expiry", "--node-token", "t", "--at", "3000-01-01"), "between 1970 and 2106"),
        (("create-bootstrap-token", "--life", "soon"), "--life"),
        (("--ip", "", "check-health"), "--ip: is empty"),
        (("check-conn-state", "--node-token="), "--node-token: is empty"),
        (("create-bootstrap-token", "--life", "99999999999"), "--life"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    ncadm: Run, arguments: tuple[str, ...], words: str
) -> None:
    """Wrong usage says what is wrong and where the help is, in one line, and exits with 2."""
    done = ncadm(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert one_line(done.stderr)
    assert words in done.stderr
    assert "--help" in done.stderr


def test_a_server_that_is_not_there_is_one_line_and_exit_code_4(ncadm: Run) -> None:
    """A refused connection says where it was tried and what to look at; its code is its own."""
    done = ncadm("--port", "1", "check-health")
    assert done.returncode == UNREACHABLE
    assert one_line(done.stderr)
    assert "127.0.0.1:1" in done.stderr
    assert "is the server running" in done.stderr


@pytest.mark.parametrize("place", ["x@y", "x@127.0.0.1:0", "x@127.0.0.1:99999", "x@:1"])
def test_a_place_that_is_none_is_wrong_usage(ncadm: Run, tmp_path: Path, place: str) -> None:
    """What follows the @ is an address and a port; a port too large is no other port."""
    done = ncadm(
        *("get-token", "--bootstrap-token", place),
        *("--network-certs-dir", str(tmp_path / "n"), "--grpc-certs-dir", str(tmp_path / "g")),
    )
    assert done.returncode == 2
    assert one_line(done.stderr)
    assert "T@IP:PORT" in done.stderr


@pytest.mark.parametrize("ip", ["::1", "[::1]"])
def test_an_ipv6_address_may_have_its_brackets(ncadm: Run, ip: str) -> None:
    """As in the printed `T@IP:PORT`."""
    assert ncadm("--ip", ip, "check-health").stdout == "healthy\n"


@pytest.mark.parametrize("option", ["--cert", "--key"])
def test_a_pair_that_is_none_is_named(ncadm: Run, tmp_path: Path, option: str) -> None:
    """With the options that name another: nothing is made in a wrong file's place."""
    (tmp_path / "x.pem").write_text("neither")
    done = ncadm(option, str(tmp_path / "x.pem"), "check-health")
    assert done.returncode == 1
    assert one_line(done.stderr)
    assert "x.pem: does not hold a readable PEM" in done.stderr
    assert done.stderr.endswith("; name a pair with --key and --cert\n")


def test_a_ca_that_is_none_is_named(ncadm: Run, tmp_path: Path) -> None:
    """A file without a certificate is named, before anything is called."""
    (tmp_path / "ca.pem").write_text("no certificate")
    done = ncadm("--cacert", str(tmp_path / "ca.pem"), "check-health")
    assert done.returncode == 1
    assert one_line(done.stderr)
    assert str(tmp_path / "ca.pem") in done.stderr
    assert "--cacert" in done.stderr


def test_missing_certificates_name_the_option(run: Run, tmp_path: Path) -> None:
    """Without the admin's files the error names the file and how to name another."""
    done = run("ncadm", "--data-dir", str(tmp_path), "check-health")
    assert done.returncode == 1
    assert one_line(done.stderr)
    assert "--cacert" in done.stderr


def test_plain_text_needs_no_certificates(run: Run, tmp_path: Path) -> None:
    """Against a plain-text server `--plaintext` is all that is needed."""
    with ServerProcess(tmp_path / "data", "--plaintext") as server:
        port = ("--port", str(server.control_port))
        done = run("ncadm", *port, "--plaintext", "create-bootstrap-token")
        assert done.returncode == 0
