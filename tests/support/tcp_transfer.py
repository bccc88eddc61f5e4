"""Sends random bytes over one TCP connection, or receives them; both say how many and their hash.

tcp_transfer.py send|receive ADDRESS MEBIBYTES
"""

import hashlib
import random
import socket
import sys

PORT = 5001
CHUNK_BYTES = 1 << 20


def send(address: str, mebibytes: int) -> None:
    digest, chance = hashlib.sha256(), random.Random(mebibytes)  # noqa: S311 - no secret
    with socket.create_connection((address, PORT)) as connection:
        for _ in range(mebibytes):
            chunk = chance.randbytes(CHUNK_BYTES)
            digest.update(chunk)
            connection.sendall(chunk)
    print(mebibytes << 20, digest.hexdigest())  # noqa: T201 - for the test to read


def receive(address: str) -> None:
    """Say that we are ready, accept one connection, and read it to its end."""
    digest, count = hashlib.sha256(), 0
    with socket.create_server((address, PORT)) as listener:
        print("ready", flush=True)  # noqa: T201 - as above
        connection, _ = listener.accept()
        with connection:
            while chunk := connection.recv(CHUNK_BYTES):
                digest.update(chunk)
                count += len(chunk)
    print(count, digest.hexdigest())  # noqa: T201 - as above


if __name__ == "__main__":
    verb, address_, size = sys.argv[1:]
    if verb == "send":
        send(address_, int(size))
    else:
        receive(address_)
