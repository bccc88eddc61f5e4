"""A server in a process of its own, with a node to ask about, for benchmarks of calls."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import uvloop

from nc.pb import network_controller_pb2 as pb

SERVICE = "/pb.LiteKubeNCService/"


@dataclass(frozen=True)
class Running:
    """A server process, and where it listens."""

    process: "subprocess.Popen[str]"
    port: int

    def cpu_s(self) -> float:
        """CPU time that it has used so far, seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def ours_running(data: Path, log: Path, port: int = 0) -> Iterator[Running]:
    """Our server as an operator runs it, its log lines in a file; port 0 is any that is free."""
    command = [str(Path(sys.executable).parent / "network-controller"), "serve"]
    command += ["--data-dir", str(data), "--advertise", "127.0.0.1"]
    command += ["--grpc-port", str(port), "--bootstrap-port", "0", "--link-port", "0"]
    with log.open("w") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
    assert process.stdout
    with stopping(process):
        port = 0
        for line in process.stdout:
            if found := re.search(r"control +port (\d+)", line):
                port = int(found[1])
            if "get a bootstrap token" in line:  # the last it says
                break
        yield Running(process, port)


@contextlib.contextmanager
def stopping(process: "subprocess.Popen[str]") -> Iterator[None]:
    """End a process that was started here."""
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        if process.stdout:
            process.stdout.close()


def prepare(ours: Running, pki: Path) -> dict[str, str]:
    """A bootstrap token and a node to ask about."""

    async def enrol() -> dict[str, str]:
        credentials = grpc.ssl_channel_credentials(
            *((pki / name).read_bytes() for name in ("ca.pem", "client-key.pem", "client.pem"))
        )
        async with grpc.aio.secure_channel(f"127.0.0.1:{ours.port}", credentials) as channel:
            issue: Any = channel.unary_unary(SERVICE + "GetBootStrapToken")
            request = pb.GetBootStrapTokenRequest(expireTime=60).SerializeToString()
            issued = pb.GetBootStrapTokenResponse.FromString(await issue(request))
            redeem: Any = channel.unary_unary(SERVICE + "GetToken")
            request = pb.GetTokenRequest(bootStrapToken=issued.bootStrapToken).SerializeToString()
            node = pb.GetTokenResponse.FromString(await redeem(request))
        return {"bootstrap": issued.bootStrapToken, "node": node.token}

    return uvloop.run(enrol())
