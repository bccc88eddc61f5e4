"""Let the kernel do what a virtio_net_hdr leaves to do; run in a network namespace of its own.

A packet goes in at a TUN device with offload, is forwarded, and comes out at one without: on its
way there the kernel must complete its checksum, or cut it up. Each line on stdin is the hex of a
header and a packet, and how many packets should come out; each on stdout is what came, as JSON.
"""

import json
import os
import select
import sys
from ipaddress import IPv4Interface
from pathlib import Path

from nc.net.overlay import Wanted
from nc.net.routes import DeviceNetwork, configure
from nc.net.tun import Tun

PATIENCE_MS = 60_000


def main() -> None:
    """Make the devices, and push packets through until stdin ends."""
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="ascii")
    entrance, way_out = Tun(offload=True), Tun(offload=False)
    configure(entrance.name, DeviceNetwork(Wanted(IPv4Interface("10.8.0.1/24")), 1500))
    configure(way_out.name, DeviceNetwork(Wanted(IPv4Interface("10.9.0.1/24")), 1500))
    for line in sys.stdin:
        frame, expected = line.split()
        entrance.write(bytes.fromhex(frame))
        assert entrance.dropped == 0, "the kernel does not take this frame"
        print(json.dumps(read(way_out._file, int(expected))), flush=True)  # noqa: T201


def read(file: int, expected: int) -> list[str]:
    """So many packets, or as many as come in time; the kernel's own chatter is left out."""
    packets: list[str] = []
    poll = select.poll()
    poll.register(file, select.POLLIN)
    while len(packets) < expected and poll.poll(PATIENCE_MS):
        packet = os.read(file, 65_535)
        if packet[16:20] == bytes([10, 9, 0, 2]):
            packets.append(packet.hex())
    return packets


if __name__ == "__main__":
    main()
