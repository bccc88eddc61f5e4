"""A program: disks that forget, when their power fails, what they were not asked to flush.

    powered_disks.py SEED IMAGE FILE [IMAGE FILE …]

Each FILE, which has to be there, becomes a disk with IMAGE's contents (FUSE), on which a file
system may be mounted by a loop device. As a real one it has a cache: what was written since the
last flush survives a power failure block by block, or does not, by chance. Needs root. It takes
commands on its standard input, and answers each with `done`, which it says first when the disks are
there:

    cut     the power of all disks fails, in one instant: no request is answered any more, and the
            images have what survives
    error   what was asked since then, and whatever comes, is answered with an error: who waits
            for it can end

It ends at the end of its input; the files may then be unmounted.
"""

import contextlib
import ctypes
import errno
import os
import random
import select
import struct
import sys
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import Final

BLOCK_BYTES: Final = 4096  # is written whole, or not
_REQUEST_BYTES: Final = 1 << 20
_WRITE_BYTES: Final = 128 * 1024  # the most in one request
_ROOT_MODE: Final = 0o100600  # a file: there is no folder around it

# Of linux/fuse.h: the heads of requests and of answers.
_HEAD: Final = struct.Struct("<IIQQIIIHH")
_PLACE: Final = struct.Struct("<QQI")  # of a read or a write, after the file's handle
_WRITE_HEAD_BYTES: Final = 40
_ANSWER: Final = struct.Struct("<IiQ")
_ATTRIBUTES: Final = struct.Struct("<QII6Q10I")
_OPENED: Final = struct.Struct("<QIi")
_WRITTEN: Final = struct.Struct("<II")
_BEGUN: Final = struct.Struct("<IIIIHHIIHH32x")
_VERSION: Final = (7, 31)
_DIRECT: Final = 1  # the kernel keeps no pages of it


class Request(IntEnum):
    FORGET = 2
    GETATTR = 3
    SETATTR = 4
    OPEN = 14
    READ = 15
    WRITE = 16
    RELEASE = 18
    FSYNC = 20
    FLUSH = 25
    INIT = 26
    INTERRUPT = 36


class UnansweredError(Exception):
    """No answer is wanted."""


class PoweredDisk:
    """One disk.

    Args:
        image: its contents.
        file: becomes the disk.
    """

    def __init__(self, image: Path, file: Path) -> None:
        self.kernel = os.open("/dev/fuse", os.O_RDWR)
        self._image = os.open(image, os.O_RDWR)
        self._bytes = image.stat().st_size
        self._unflushed: dict[int, bytes] = {}  # by block: what it was at the last flush
        self.waiting: list[int] = []  # requests that came after the cut
        options = f"fd={self.kernel},rootmode={_ROOT_MODE:o},user_id=0,group_id=0,allow_other"
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"powered", os.fsencode(file), b"fuse", 0, options.encode()):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), file)

    def serve(self) -> None:
        """Answer the next request."""
        request = self._next()
        number, unique = _HEAD.unpack_from(request)[1:3]
        with contextlib.suppress(UnansweredError):
            try:
                data, error = self._do(number, request[_HEAD.size :]), 0
            except OSError as failure:
                data, error = b"", -(failure.errno or errno.EIO)
            self._answer(unique, data, error)

    def postpone(self) -> None:
        """Take the next request, for later."""
        number, unique = _HEAD.unpack_from(self._next())[1:3]
        if number not in (Request.FORGET, Request.INTERRUPT):
            self.waiting.append(unique)

    def refuse(self) -> None:
        """Answer all that waits with an error."""
        for unique in self.waiting:
            self._answer(unique, b"", -errno.EIO)
        self.waiting.clear()

    def forget(self, chance: random.Random) -> None:
        """Lose what was not flushed, or some of it."""
        lost = chance.choice((0.0, 0.5, 1.0))
        for block, before in self._unflushed.items():
            if chance.random() < lost:
                os.pwrite(self._image, before, block * BLOCK_BYTES)
        self._unflushed.clear()

    def _next(self) -> bytes:
        return os.read(self.kernel, _REQUEST_BYTES)

    def _answer(self, unique: int, data: bytes, error: int) -> None:
        with contextlib.suppress(FileNotFoundError):  # it was interrupted
            os.write(self.kernel, _ANSWER.pack(_ANSWER.size + len(data), error, unique) + data)

    def _do(self, number: int, body: bytes) -> bytes:
        match number:
            case Request.INIT:
                ahead = struct.unpack_from("<I", body, 8)[0]
                return _BEGUN.pack(*_VERSION, ahead, 0, 64, 48, _WRITE_BYTES, 1, 0, 0)
            case Request.GETATTR | Request.SETATTR:
                return self._attributes()
            case Request.OPEN:
                return _OPENED.pack(0, _DIRECT, 0)
            case Request.READ | Request.WRITE:
                return self._move(number, body)
            case Request.FORGET | Request.INTERRUPT:
                raise UnansweredError
            case Request.FSYNC:
                self._unflushed.clear()
            case Request.RELEASE | Request.FLUSH:
                pass
            case _:
                raise OSError(errno.ENOSYS, "nothing that these disks do")
        return b""

    def _attributes(self) -> bytes:
        kept = (1, self._bytes, self._bytes // 512, 0, 0, 0)
        mode = (_ROOT_MODE, 1, 0, 0, 0, BLOCK_BYTES, 0)
        return _ATTRIBUTES.pack(3600, 0, 0, *kept, 0, 0, 0, *mode)

    def _move(self, number: int, body: bytes) -> bytes:
        _, offset, size = _PLACE.unpack_from(body)
        if number == Request.READ:
            return os.pread(self._image, size, offset)
        self._write(offset, body[_WRITE_HEAD_BYTES : _WRITE_HEAD_BYTES + size])
        return _WRITTEN.pack(size, 0)

    def _write(self, offset: int, data: bytes) -> None:
        for block in range(offset // BLOCK_BYTES, -(-(offset + len(data)) // BLOCK_BYTES)):
            if block not in self._unflushed:
                self._unflushed[block] = os.pread(self._image, BLOCK_BYTES, block * BLOCK_BYTES)
        os.pwrite(self._image, data, offset)


class Supply:
    """The power of disks: it is there, or it was cut, or who waits for it is told so."""

    def __init__(self, disks: Sequence[PoweredDisk], chance: random.Random) -> None:
        self.disks = {disk.kernel: disk for disk in disks}
        self._chance = chance
        self._is_there = True
        self._is_refused = False

    def cut(self) -> None:
        self._is_there = False
        for disk in self.disks.values():
            disk.forget(self._chance)

    def refuse(self) -> None:
        self._is_refused = True
        for disk in self.disks.values():
            disk.refuse()

    def take_request(self, kernel: int) -> None:
        """A disk's next request; one that was unmounted has none any more."""
        disk = self.disks[kernel]
        try:
            if self._is_there:
                disk.serve()
                return
            disk.postpone()
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            del self.disks[kernel]
        if self._is_refused:
            disk.refuse()


def main() -> None:
    """Serve the disks of the command line."""
    seed, *paths = sys.argv[1:]
    pairs = zip(paths[::2], paths[1::2], strict=True)
    disks = [PoweredDisk(Path(image), Path(file)) for image, file in pairs]
    supply = Supply(disks, random.Random(int(seed)))  # noqa: S311 - no secret
    commands, answers = sys.stdin.fileno(), sys.stdout.fileno()
    os.write(answers, b"done\n")
    while True:
        ready, _, _ = select.select([commands, *supply.disks], [], [])
        if commands not in ready:
            for kernel in ready:
                supply.take_request(kernel)
            continue
        match os.read(commands, 100).strip():
            case b"cut":
                supply.cut()
            case b"error":
                supply.refuse()
            case _:
                return
        os.write(answers, b"done\n")


if __name__ == "__main__":
    main()
