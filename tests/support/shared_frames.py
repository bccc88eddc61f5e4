"""What a TUN device hands over of packets that wait in it; run in a network namespace of its own.

Datagrams of IPv4 with one of IPv6 among them are sent before anybody reads. Each line on stdout is
a frame that was handed over: how many packets it is said to hold, and its hex, as JSON.
"""

import asyncio
import json
import socket
from ipaddress import IPv4Interface

from nc.net.overlay import Wanted
from nc.net.routes import DeviceNetwork, configure
from nc.net.tun import Tun

BEFORE, AFTER = 40, 20
PORT = 5300
ETH_P_IPV6 = 0x86DD


def main() -> None:
    """Make the device, let packets wait in it, read them."""
    tun = Tun(offload=True)
    configure(tun.name, DeviceNetwork(Wanted(IPv4Interface("10.8.0.1/24")), 1400))
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as other,  # the device has no IPv6
    ):
        for number in range(BEFORE):
            sender.sendto(number.to_bytes(2), ("10.8.0.2", PORT))
        other.sendto(b"\x60" + bytes(39), (tun.name, ETH_P_IPV6))
        for number in range(BEFORE, BEFORE + AFTER):
            sender.sendto(number.to_bytes(2), ("10.8.0.2", PORT))
    asyncio.run(read(tun))


async def read(tun: Tun) -> None:
    """Let the device hand over what is in it, and what the kernel still says by itself."""
    tun.start(lambda frame, count: print(json.dumps([count, frame.hex()])), tun.close)  # noqa: T201
    await asyncio.sleep(0.2)
    tun.close()


if __name__ == "__main__":
    main()
