"""Sends UDP packets as fast as it can, or counts those that arrive; `traffic.py` runs it.

python benchmarks/packets.py send ADDRESS SECONDS BYTES    BYTES is the size of the IP packet
python benchmarks/packets.py count ADDRESS                 prints packets a second once none come
"""

import socket
import sys
import time

SO_RCVBUFFORCE = 33  # of Linux; the socket module has no name for it
PORT = 5202
HEADERS_BYTES = 28  # IPv4 and UDP
BURST = 64  # packets between two looks at the clock
START_S = 60  # until the first packet
QUIET_S = 0.3  # with nothing for so long, it is over


def send(address: str, seconds: float, size_bytes: int) -> None:
    """Send for so long; what a full buffer refuses is not sent."""
    payload = bytes(size_bytes - HEADERS_BYTES)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect((address, PORT))
        end = time.perf_counter() + seconds
        sent = 0
        while not sent or time.perf_counter() < end:
            sent += BURST
            for _ in range(BURST):
                try:
                    sender.send(payload)
                except OSError:  # ENOBUFS
                    time.sleep(0)


def count(address: str) -> None:
    """Count what arrives, from the first packet to the last."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 * 1024 * 1024)
        receiver.bind((address, PORT))
        print("ready", flush=True)
        receiver.settimeout(START_S)
        receiver.recv(65536)
        receiver.settimeout(QUIET_S)
        first = last = time.perf_counter()
        packets = 0
        while True:
            try:
                receiver.recv(65536)
            except TimeoutError:
                break
            packets += 1
            last = time.perf_counter()
        print(packets / (last - first) if packets else 0.0)


if __name__ == "__main__":
    what, address, *numbers = sys.argv[1:]
    if what == "send":
        send(address, float(numbers[0]), int(numbers[1]))
    else:
        count(address)
