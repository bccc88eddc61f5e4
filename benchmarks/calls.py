"""Calls CheckConnState a hundred times a second, as an administrator, for other benchmarks.

python benchmarks/calls.py DATA_DIR SECONDS [PORT]   prints how long the calls took, ms, one a line
"""

import sys
import time
from pathlib import Path

import grpc

sys.path.insert(0, str(Path(__file__).parent.parent))
from nc.pb import network_controller_pb2 as pb

METHOD = "/pb.LiteKubeNCService/CheckConnState"
INTERVAL_S = 0.01
LEAST = 2  # calls, of which percentiles can be said


def main(data_dir: Path, seconds: float, port: int = 6440) -> None:
    """Call, one after the other, at fixed times; a late answer delays the next call."""
    certificates = data_dir / "pki" / "grpc"
    credentials = grpc.ssl_channel_credentials(
        (certificates / "ca.pem").read_bytes(),
        (certificates / "client-key.pem").read_bytes(),
        (certificates / "client.pem").read_bytes(),
    )
    request = pb.CheckConnStateRequest(token="0" * 16).SerializeToString()
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
        check: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
        check(request)  # connects
        end, calls = time.perf_counter() + seconds, 0
        while (began := time.perf_counter()) < end or calls < LEAST:
            check(request)
            calls += 1
            took = time.perf_counter() - began
            print(1000 * took)
            time.sleep(max(0, INTERVAL_S - took))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), *map(int, sys.argv[3:]))
