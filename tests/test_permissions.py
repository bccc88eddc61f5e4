"""Whom folders and keys are open to: refused, warned of, or fine; and no core file has a key."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nc.permissions import OpenToOthers, check_secret, folder_warnings
from tests.support.programs import run_here, run_program
from tests.support.server_process import ServerProcess


def warnings_or_refusal(folder: Path) -> int | str:
    """How many warnings there are of a folder; the text if it is refused."""
    try:
        return len(folder_warnings(folder))
    except OpenToOthers as refused:
        return str(refused)


def test_a_folder_is_judged_by_who_may_write(tmp_path: Path) -> None:
    """Every user: refused, with the command. The group: a warning. Otherwise nothing."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for mode in range(0o1000):
        folder.chmod(mode)
        judged = warnings_or_refusal(folder)
        if mode & 0o002:
            assert f"chmod o-w {folder}" in str(judged), f"mode {mode:03o}"
        else:
            assert judged == bool(mode & 0o020), f"mode {mode:03o}"
    folder.chmod(0o700)


def test_a_secret_is_judged_by_who_may_read(tmp_path: Path) -> None:
    """Open to every user: refused, with the command; an absent one is not."""
    path = tmp_path / "secret.key"
    check_secret(path)
    path.write_bytes(b"x")
    for mode in range(0o1000):
        path.chmod(mode)
        if mode & 0o006:
            with pytest.raises(OpenToOthers, match=f"chmod 600 {path}"):
                check_secret(path)
        else:
            check_secret(path)


def test_a_folder_of_another_user_is_for_root_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root is told whom it works for; another user is refused; root's own folder is anyone's."""
    for user, folder_owner, outcome in (
        (0, 0, 0),
        (0, 4711, 1),
        (4711, 4711, 0),
        (4712, 4711, None),
        (4711, 0, 0),
    ):
        monkeypatch.setattr("os.geteuid", lambda user=user: user)
        attributes = os.stat_result((0o40755, 0, 0, 0, folder_owner, 0, 0, 0, 0, 0))
        monkeypatch.setattr(Path, "stat", lambda _, found=attributes: found)
        if outcome is None:
            with pytest.raises(OpenToOthers, match=f"belongs to uid {folder_owner}"):
                folder_warnings(tmp_path)
        else:
            assert len(folder_warnings(tmp_path)) == outcome
        monkeypatch.undo()


def test_a_server_does_not_start_with_what_others_may_use(data_dir: Path) -> None:
    """One line with the file and the command; after the command it starts."""
    with ServerProcess(data_dir) as server:
        server.stop()
    ports = ("--grpc-port", "0", "--bootstrap-port", "0", "--link-port", "0", "--tun", "off")
    for name, mode, remedy in (
        ("", 0o777, "o-w"),
        ("log", 0o777, "o-w"),
        ("pki/grpc", 0o757, "o-w"),
        ("secret.key", 0o604, "600"),
        ("pki/grpc/ca-key.pem", 0o644, "600"),
        ("pki/network/ca-key.pem", 0o644, "600"),
    ):
        path = data_dir / name
        path.chmod(mode)
        done = run_program("network-controller", "serve", "--data-dir", str(data_dir), *ports)
        assert done.returncode == 1, name
        assert f"run chmod {remedy} {path}" in done.stderr
        subprocess.run(["chmod", remedy, path], check=True)  # noqa: S607 - as the line says
    with ServerProcess(data_dir) as server:
        assert server.stop() == 0


def test_ncadm_refuses_a_key_that_everyone_may_read(data_dir: Path) -> None:
    """Before anything is sent."""
    with ServerProcess(data_dir) as server:
        key = data_dir / "pki" / "grpc" / "client-key.pem"
        key.chmod(0o644)
        done = run_here(
            "ncadm", "--data-dir", str(data_dir), "--port", str(server.control_port), "check-health"
        )
        assert (done.returncode, f"chmod 600 {key}" in done.stderr) == (1, True)


def test_a_process_can_be_made_to_leave_no_core_file() -> None:
    """Its memory is no other process's to read, and no file's."""
    code = (
        "import ctypes; from nc.permissions import forbid_core_dumps; forbid_core_dumps(); "
        "print(ctypes.CDLL(None).prctl(3))"  # PR_GET_DUMPABLE
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "0\n"
