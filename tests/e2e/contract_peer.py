"""The test's end of `contract_client.py`: orders go in, answers come out, in any order."""

import base64
import json
import queue
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

HERE = Path(__file__).parent
ANSWER_TIMEOUT_S = 60.0

CONTROL = "pb.LiteKubeNCService"
BOOTSTRAP = "pb.LiteKubeNCBootstrapService"
INTERNAL = "Internal"
HEALTH = "grpc.health.v1.Health"


def generate(folder: Path) -> Path:
    """Generate the client's own modules from its own .proto files."""
    protos = [str(path) for path in HERE.glob("*.proto")]
    command = [sys.executable, "-m", "grpc_tools.protoc"]
    subprocess.run(
        [*command, f"--proto_path={HERE}", f"--python_out={folder}", *protos], check=True
    )
    return folder


class Tls(NamedTuple):
    """What a client trusts and shows, PEM; without a key and a certificate it shows nothing."""

    ca: str
    key: str | None = None
    certificate: str | None = None


class Answer(NamedTuple):
    """What came back: the gRPC status, and the response as JSON if it is OK."""

    status: str
    details: str
    response: dict[str, Any]
    metadata: dict[str, str]

    @property
    def code(self) -> str:
        """The response's own code."""
        assert self.status == "OK", self
        return str(self.response["code"])

    @property
    def message(self) -> str:
        return str(self.response["message"])


class ContractClient:
    def __init__(self, generated: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "contract_client.py"), str(generated)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        # Each queue is there before its order goes out, so that two threads never make it.
        self._answers: dict[int, queue.Queue[dict[str, Any]]] = {0: queue.Queue()}
        self._orders = 0
        threading.Thread(target=self._read, daemon=True).start()
        self.foreign_modules: list[str] = self.wait(0)["foreign_modules"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(ANSWER_TIMEOUT_S)
        self._process.stdout.close()

    def order(self, **order: Any) -> int:
        """Begin something; its answers come under the number returned."""
        assert self._process.stdin
        self._orders += 1
        self._answers[self._orders] = queue.Queue()
        self._process.stdin.write(json.dumps({"id": self._orders, **order}) + "\n")
        self._process.stdin.flush()
        return self._orders

    def wait(self, number: int) -> dict[str, Any]:
        """The next answer under this number."""
        return self._answers[number].get(timeout=ANSWER_TIMEOUT_S)

    def answer(self, number: int) -> Answer:
        got = self.wait(number)
        return Answer(
            got["status"], got["details"], got.get("response", {}), got.get("metadata", {})
        )

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            answer = json.loads(line)
            self._answers[answer["id"]].put(answer)


@dataclass(frozen=True)
class Caller:
    """Somebody who calls one port with one identity; `channel` names a connection of its own."""

    client: ContractClient
    port: int
    tls: Tls | None = field(repr=False)
    channel: str = "shared"

    def on(self, channel: str) -> "Caller":
        """The same caller through another connection."""
        return Caller(self.client, self.port, self.tls, channel)

    def begin(
        self,
        method: str,
        request: dict[str, Any] | None = None,
        *,
        service: str = CONTROL,
        metadata: dict[str, str] | None = None,
        wide: bool = False,
        raw: bytes | None = None,
    ) -> int:
        """Send a request, and do not wait for the answer."""
        return self.client.order(
            op="call",
            method=f"/{service}/{method}",
            request=request or {},
            metadata=metadata or {},
            wide=wide,
            raw=None if raw is None else base64.b64encode(raw).decode(),
            **self._where(),
        )

    def call(self, method: str, request: dict[str, Any] | None = None, **options: Any) -> Answer:
        """Call and wait for the answer; the options are those of `begin`."""
        return self.client.answer(self.begin(method, request, **options))

    def expire(self, *expiries: tuple[str, int], **options: Any) -> Answer:
        """UpdateSensorExpireTime of a list of node tokens and Unix seconds."""
        sensors = [
            {"deviceToken": base64.b64encode(token.encode()).decode(), "expireTime": seconds}
            for token, seconds in expiries
        ]
        request = {"sensorExpire": sensors}
        return self.call("UpdateSensorExpireTime", request, service=INTERNAL, **options)

    def watch_health(self, service: str = "") -> int:
        """Begin grpc.health.v1 Watch."""
        return self.client.order(op="watch", service=service, **self._where())

    def reflect(
        self, version: str, service: str, method: str, request: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Do what grpcurl does with one method."""
        number = self.client.order(
            op="reflect",
            version=version,
            service=service,
            method=method,
            request=request or {},
            **self._where(),
        )
        return self.client.wait(number)

    def _where(self) -> dict[str, Any]:
        return {
            "target": f"127.0.0.1:{self.port}",
            "tls": None if self.tls is None else self.tls._asdict(),
            "channel": self.channel,
        }
