"""A TUN device: IPv4 packets between the kernel and this process, in batches, without waiting.

The device exists as long as its file is open: when the process ends, the kernel removes it, its
address and every route over it. With offload, each frame is a packet behind its `virtio_net_hdr`
(`nc.net.wire`), up to 64 KiB large, its checksum possibly partial, and packets that wait together
come in one frame; without, each frame is one whole packet.
"""

import asyncio
import fcntl
import os
import struct
from collections.abc import Callable
from typing import Final

from nc.errors import OperatorError
from nc.net import ipv4
from nc.net.wire import MAX_FRAME_BYTES, VNET_HEADER_BYTES, Frame, packets

_DEVICE: Final = "/dev/net/tun"

# linux/if_tun.h
_TUNSETIFF: Final = 0x400454CA
_TUNSETOFFLOAD: Final = 0x400454D0
_TUNSETVNETLE: Final = 0x400454DC
_IFF_TUN: Final = 0x0001
_IFF_NO_PI: Final = 0x1000
_IFF_VNET_HDR: Final = 0x4000
_TUN_F_CSUM: Final = 0x01
_TUN_F_TSO4: Final = 0x02

_IFREQ: Final = struct.Struct("16sH22x")

# How much is read in one turn of the event loop: with more, pings and calls would wait for traffic.
# Packets cost some 10 us each, and super-packets what it takes to encrypt them.
READ_BATCH: Final = 64
READ_BATCH_BYTES: Final = 256 * 1024

# The kernel picks the number.
NAME_PATTERN: Final = "nc%d"


Receive = Callable[[bytes, int], None]  # a frame, and how many packets it holds


class TunUnavailable(OperatorError):
    """There is no TUN device here, or no address or route on it."""


def require_tun() -> None:
    """Check that a device can be made.

    Raises:
        TunUnavailable: not allowed, or not possible here.
    """
    Tun(offload=True).close()


class Tun:
    """One device, open until `close`.

    Args:
        offload: whether checksums and segmentation are left to the receiver of the frames.

    Attributes:
        dropped: frames that the kernel did not take.

    Raises:
        TunUnavailable: not allowed, or not possible here.
    """

    def __init__(self, *, offload: bool) -> None:
        self.offload = offload
        self.dropped = 0
        self._reading: asyncio.AbstractEventLoop | None = None
        self._receive: Receive
        self._lost: Callable[[], None]
        try:
            self._file = os.open(_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise _unavailable(error) from error
        try:
            self.name = self._attach()
        except OSError as error:
            os.close(self._file)
            raise _unavailable(error) from error

    def _attach(self) -> str:
        flags = _IFF_TUN | _IFF_NO_PI | (_IFF_VNET_HDR if self.offload else 0)
        answer = fcntl.ioctl(self._file, _TUNSETIFF, _IFREQ.pack(NAME_PATTERN.encode(), flags))
        if self.offload:
            fcntl.ioctl(self._file, _TUNSETVNETLE, struct.pack("i", 1))
            fcntl.ioctl(self._file, _TUNSETOFFLOAD, _TUN_F_CSUM | _TUN_F_TSO4)
        given: bytes = _IFREQ.unpack(answer)[0]
        return given.rstrip(b"\0").decode()

    def start(self, receive: Receive, lost: Callable[[], None]) -> None:
        """Hand every frame from the kernel to `receive`, on the running loop, until `pause`.

        `lost` is called once if the device is deleted; then it can only be closed.
        """
        self._receive, self._lost = receive, lost
        self.resume()

    def pause(self) -> None:
        """Read no more: what the kernel has waits in its queue, and its senders slow down."""
        if self._reading is not None:
            self._reading.remove_reader(self._file)
            self._reading = None

    def resume(self) -> None:
        if self._reading is None:
            self._reading = asyncio.get_running_loop()
            self._reading.add_reader(self._file, self._read)

    def write(self, frame: Frame) -> int:
        """Give the kernel a frame; returns how many packets it held.

        A packet that the kernel does not take is dropped and counted.
        """
        count = 0
        for packet in packets(frame) if self.offload else (frame,):
            count += 1
            try:
                os.write(self._file, packet)
            except OSError:  # its queue is full, the device is down, or this is not a packet
                self.dropped += 1
        return count

    def close(self) -> None:
        """Remove the device, and with it its address and routes. Idempotent."""
        self.pause()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _read(self) -> None:
        """Hand over the queued frames, as many as one turn takes."""
        batch: list[bytes] = []
        room_bytes, read_bytes = MAX_FRAME_BYTES, 0
        try:
            for _ in range(READ_BATCH):
                frame = os.read(self._file, MAX_FRAME_BYTES)
                size = len(frame)
                is_alone = not self.offload or frame[VNET_HEADER_BYTES] >> 4 != ipv4.VERSION
                if batch and (is_alone or size > room_bytes):
                    self._hand_over(batch)
                    room_bytes = MAX_FRAME_BYTES
                batch.append(frame)
                room_bytes = 0 if is_alone else room_bytes - size
                read_bytes += size
                if self._reading is None or read_bytes >= READ_BATCH_BYTES:  # enough for now
                    break
        except BlockingIOError:  # the queue is empty
            pass
        except OSError:  # the device was deleted
            self.pause()
            self._lost()
            return
        if batch:
            self._hand_over(batch)

    def _hand_over(self, batch: list[bytes]) -> None:
        self._receive(b"".join(batch), len(batch))  # of one alone, this makes no copy
        batch.clear()


def _unavailable(error: OSError) -> TunUnavailable:
    if isinstance(error, PermissionError):
        remedy = "it takes root, or the capability CAP_NET_ADMIN"
    elif isinstance(error, FileNotFoundError):
        remedy = "load the kernel's module (modprobe tun)"
    else:
        remedy = "see the kernel's log"
    return TunUnavailable(f"no TUN device can be made ({_DEVICE}): {error.strerror}; {remedy}")
