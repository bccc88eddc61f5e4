"""The kernel itself is asked what it makes of packets that something is left to do to."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

from nc.net.offload import GSO_TCP4, NEEDS_CHECKSUM, VnetHeader, segment
from tests.support import kernel_offload
from tests.support.namespaces import require_namespaces
from tests.support.plain_packets import TcpFields, checksum, tcp_packet, udp_packet

ROOT = Path(__file__).parents[2]
SOURCE, DESTINATION = "10.8.0.2", "10.9.0.2"
NO_OPERATION = b"\x01"


def cases(chance: random.Random) -> list[tuple[VnetHeader, bytes]]:
    """Super-packets and partial checksums of all sizes."""
    made = []
    for size in (1, 8, 100, 1347, 1348, 1349, 2696, 5000, 30_000, 65_000):
        options = NO_OPERATION * 4 * chance.randrange(4)
        fields = TcpFields(
            SOURCE, DESTINATION, chance.randrange(2**16), chance.randrange(2**32),
            chance.choice((0x10, 0x18, 0x11, 0x19)), options, b"", chance.randbytes(size),
        )  # fmt: skip
        start, packet = 20, tcp_packet(fields, partial=True)
        for gso_size in (536, 1348):
            if size > gso_size:
                header_length = start + 20 + len(options)
                made.append(
                    (
                        VnetHeader(NEEDS_CHECKSUM, GSO_TCP4, header_length, gso_size, start, 16),
                        packet,
                    )
                )
        if len(packet) <= 1500:
            made.append((VnetHeader(NEEDS_CHECKSUM, 0, 0, 0, start, 16), packet))
            datagram = udp_packet(SOURCE, DESTINATION, fields.payload, partial=True)
            made.append((VnetHeader(NEEDS_CHECKSUM, 0, 0, 0, start, 6), datagram))
    return made


def one_hop_on(packet: bytes) -> bytes:
    """The packet as a router sends it on: with one hop less to live."""
    head = bytearray(packet[:20])
    head[8] -= 1
    head[10:12] = bytes(2)
    head[10:12] = checksum(bytes(head)).to_bytes(2, "big")
    return bytes(head) + packet[20:]


def test_the_kernel_cuts_and_completes_as_we_do() -> None:
    """Forwarded to a device without offload, each packet comes out byte for byte as ours."""
    require_namespaces()
    known = cases(random.Random(4))  # noqa: S311 - examples, no secrets
    expected = [segment(header, one_hop_on(packet)) for header, packet in known]
    asked = "".join(
        f"{(header.pack() + packet).hex()} {len(pieces)}\n"
        for (header, packet), pieces in zip(known, expected, strict=True)
    )
    done = subprocess.run(
        [str(shutil.which("unshare")), "--net", sys.executable, kernel_offload.__file__],
        input=asked, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers == [[piece.hex() for piece in pieces] for pieces in expected]
    assert max(map(len, expected)) > 100
