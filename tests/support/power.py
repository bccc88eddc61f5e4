"""Mounted disks of which the power can be cut, all in one instant. Needs root, and loop devices."""

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.rights import MAY_MOUNT

__all__ = ["WHY_NOT", "Disks", "disks", "private_mounts"]

_PROGRAM = Path(__file__).with_name("powered_disks.py")
_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS
_SIZE_BYTES = 512 * 1024 * 1024  # most of it is never written


def _why_not() -> str:
    """Why there can be no such disks here; "": there can."""
    if not MAY_MOUNT:
        return "it takes CAP_SYS_ADMIN to mount file systems"
    for device in ("/dev/fuse", "/dev/loop-control"):
        if not Path(device).exists():
            return f"there is no {device}"
    return "" if shutil.which("mkfs.ext4") else "there is no mkfs.ext4"


WHY_NOT = _why_not()


def private_mounts() -> None:
    """From now on what this process mounts is its own and its children's, and ends with them."""
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_MOUNTS):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    _run("mount", "--make-rprivate", "/")


class Disks:
    """Disks with an ext4 each.

    Args:
        home: has their images and the folders that they are mounted at.
        count: how many.
        seed: decides what survives.

    Attributes:
        folders: where they are mounted, while they have power.
    """

    def __init__(self, home: Path, count: int, seed: int) -> None:
        self.folders = [home / f"disk{number}" for number in range(count)]
        self._seed = seed
        self._program: subprocess.Popen[bytes] | None = None
        for folder in self.folders:
            folder.mkdir()
            with _image(folder).open("wb") as image:
                image.truncate(_SIZE_BYTES)
            _run("mkfs.ext4", "-q", "-F", _image(folder))
            _device(folder).touch()

    def connect(self) -> None:
        """Give them power, and mount them: their journals are replayed."""
        self._seed += 1
        pairs = [each(folder) for folder in self.folders for each in (_image, _device)]
        self._program = subprocess.Popen(
            [sys.executable, _PROGRAM, str(self._seed), *pairs],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._answered()
        for folder in self.folders:
            _run("mount", "-o", "loop", _device(folder), folder)

    def flush(self) -> None:
        """Write all that the machine has not written to them yet."""
        for folder in self.folders:
            _run("sync", "--file-system", folder)

    def cut(self) -> None:
        """Cut the power of all: only what was flushed is sure to be there; who writes now waits."""
        self._tell("cut")

    def give_up(self) -> None:
        """After the cut: who waits for a disk gets an error."""
        self._tell("error")

    def unmount(self) -> None:
        """After all that use them have ended."""
        for folder in self.folders:
            _run("umount", folder)
        assert self._program is not None
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        for folder in self.folders:
            _run("umount", "--lazy", _device(folder))
        self._program.stdin.close()
        self._program.wait()
        self._program.stdout.close()
        self._program = None

    def _tell(self, command: str) -> None:
        assert self._program is not None
        assert self._program.stdin is not None
        self._program.stdin.write(f"{command}\n".encode())
        self._program.stdin.flush()
        self._answered()

    def _answered(self) -> None:
        assert self._program is not None
        assert self._program.stdout is not None
        if self._program.stdout.readline() != b"done\n":
            raise RuntimeError("the program that serves the disks has ended")


@contextlib.contextmanager
def disks(home: Path, count: int, seed: int) -> Iterator[Disks]:
    """Have them, with power, meanwhile; who uses them has ended before the end."""
    made = Disks(home, count, seed)
    made.connect()
    try:
        yield made
    finally:
        made.cut()
        made.give_up()
        made.unmount()


def _image(folder: Path) -> Path:
    return folder.with_suffix(".image")


def _device(folder: Path) -> Path:
    return folder.with_suffix(".device")


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True)
