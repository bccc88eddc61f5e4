"""How long do administrators wait while somebody abuses the gRPC ports?

Question: what is the p99 of an administrator's CheckConnState, a hundred times a second, and how
much memory does the server take, while strangers on the bootstrap port, or the certificate of a
node that was unregistered on the control port, do what no client does? `MiB` is the most that was
taken meanwhile, `kept` what is left of it `--settle` seconds later: within 35
the server gives back what it can.

Baseline: the same server in the same run, left alone, before each attack. The attackers are
processes of their own, on loopback; they prepare what they send before they begin. `busy` sends
nothing at all and only takes a core from the server, as an attacker on the same machine does.

    python benchmarks/hostile.py [--seconds 12] [--settle 35] [--only NAME …] [--json FILE]
"""

import argparse
import base64
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import grpc

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.attacks import ATTACKS, OTHERS
from nc.pb import network_controller_pb2 as pb
from tests.support.server_process import ServerProcess

ATTACKER = Path(__file__).with_name("attacks.py")
CALLS = [sys.executable, str(Path(__file__).with_name("calls.py"))]


def main() -> None:
    """Measure each attack beside the same server left alone, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--settle", type=float, default=35.0)
    parser.add_argument("--only", nargs="*", choices=(*ATTACKS, *OTHERS))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows: dict[str, dict[str, float]] = {}
    print(
        f"{'':<30}{'alone p99':>10}{'p99 ms':>8}{'ratio':>7}{'max ms':>8}{'MiB':>6}{'kept':>6}"
        f"{'calls/s':>10}"
    )
    with tempfile.TemporaryDirectory(prefix="nc-benchmark-") as folder:
        home = Path(folder)
        with ServerProcess(home / "data") as server:
            enrol_and_unregister(server, home)
            for name in arguments.only or (*OTHERS, *ATTACKS):
                rows[name] = row = measure(server, home, name, arguments)
                print(
                    f"{name:<30}{row['alone_p99_ms']:>10.1f}{row['p99_ms']:>8.1f}"
                    f"{row['ratio']:>7.1f}{row['max_ms']:>8.0f}{row['memory_mib']:>6.0f}{row['kept_mib']:>6.0f}"
                    f"{row['calls_a_second']:>10.0f}",
                    flush=True,
                )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


def measure(
    server: ServerProcess, home: Path, name: str, arguments: argparse.Namespace
) -> dict[str, float]:
    """Waits alone and beside the attack."""
    seconds = arguments.seconds
    alone = waits(server, seconds)
    before_mib = memory_mib(server, "VmRSS")
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # the peak begins anew
    role = {
        "name": name,
        "port": getattr(
            server, f"{ATTACKS[name].port}_port" if name in ATTACKS else "control_port"
        ),
        "folder": str(home),
        "seconds": seconds + 0.5,
    }
    command = [sys.executable, str(ATTACKER), json.dumps(role)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as it:
        assert it.stdin
        assert it.stdout
        assert it.stdout.readline() == "ready\n"
        print("go", file=it.stdin, flush=True)
        during = waits(server, seconds)
        sent = int(it.stdout.readline())
    peak_mib = memory_mib(server, "VmHWM")
    time.sleep(arguments.settle)
    return {
        "alone_p99_ms": p99(alone),
        "p99_ms": p99(during),
        "ratio": p99(during) / p99(alone),
        "max_ms": max(during),
        "memory_mib": peak_mib - before_mib,
        "kept_mib": memory_mib(server, "VmRSS") - before_mib,
        "calls_a_second": sent / seconds,
    }


def memory_mib(server: ServerProcess, what: str) -> int:
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(re.findall(rf"{what}:\s+(\d+)", status)[0]) // 1024


def waits(server: ServerProcess, seconds: float) -> list[float]:
    """How long an administrator waits for CheckConnState, ms, a hundred times a second."""
    command = [*CALLS, str(server.data_dir), str(seconds), str(server.control_port)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [float(line) for line in done.stdout.split()]


def p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def enrol_and_unregister(server: ServerProcess, home: Path) -> None:
    """Leave the certificate of a node that was unregistered in the folder."""
    with grpc.secure_channel(server.control_target, server.credentials(admin=True)) as channel:

        def ask(method: str, request: Any, answer: Any) -> Any:
            rpc: Any = channel.unary_unary(f"/pb.LiteKubeNCService/{method}")
            return answer.FromString(rpc(request.SerializeToString()))

        issued = ask(
            "GetBootStrapToken", pb.GetBootStrapTokenRequest(), pb.GetBootStrapTokenResponse
        )
        request = pb.GetTokenRequest(bootStrapToken=issued.bootStrapToken)
        node = ask("GetToken", request, pb.GetTokenResponse)
        ask("UnRegister", pb.UnRegisterRequest(token=node.token), pb.UnRegisterResponse)
    for file, text in (("node.pem", node.GrpcClientCert), ("node-key.pem", node.GrpcClientKey)):
        (home / file).write_bytes(base64.b64decode(text))


if __name__ == "__main__":
    main()
