"""`network-controller serve` where the machine does not let it: the real reason, in one line."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.namespaces import require_namespaces
from tests.support.programs import BIN
from tests.support.server_process import ServerProcess

_SERVE = (str(BIN / "network-controller"), "serve", "--advertise", "127.0.0.1", "--data-dir")
_READ_ONLY = 'mount --bind -o ro "$1" "$1"; shift; exec "$@"'
_NO_RIGHTS = 'shift; exec setpriv --bounding-set=-net_bind_service "$@"'


@pytest.mark.parametrize(
    ("around", "options", "says"),
    [
        (_READ_ONLY, ("--grpc-port", "0"), "is on a read-only file system; make that writable"),
        (_NO_RIGHTS, ("--grpc-port", "443"), "ports below 1024 need root or CAP_NET_BIND_SERVICE"),
    ],
)
def test_what_the_machine_refuses_is_named(
    tmp_path: Path, around: str, options: tuple[str, ...], says: str
) -> None:
    """Not the next best reason: what is said to do about it would help; and nothing is made."""
    require_namespaces()
    arguments = ("sh", "-ec", around, "sh", tmp_path, *_SERVE, tmp_path, *options)
    done = subprocess.run(
        [str(shutil.which("unshare")), "--net", "--mount", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert says in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_lost_authority_is_named_and_a_new_cluster_has_to_be_wanted(tmp_path: Path) -> None:
    """Where there is a log no CA is made anew: exit code 3, and one line that says what to do."""
    data = tmp_path / "data"
    with ServerProcess(data) as server:
        assert server.stop() == 0
    shutil.rmtree(data / "pki")
    options = ("--advertise", "127.0.0.1", "--tun", "off")
    ports = (word for name in ("grpc", "bootstrap", "link") for word in (f"--{name}-port", "0"))
    done = subprocess.run(
        [*_SERVE, str(data), *options, *ports],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (3, "")
    last = done.stderr.splitlines()[-1]  # behind the log lines
    assert "ca-key.pem are missing" in last
    assert "--new-cluster" in last
