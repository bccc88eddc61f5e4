"""`nc` beside other generated code in one process; each case runs in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

FOREIGN_EVENTS = 'syntax = "proto3"; package shop; message Event { string name = 1; }'

# The contract as another version of its file has it: the same names, other contents.
FOREIGN_CONTRACT = """
syntax = "proto3";
package pb;
option go_package = "./pb";
message HelloWorldRequest { string sayText = 1; string language = 2; }
service LiteKubeNCService { rpc HelloWorld(HelloWorldRequest) returns (HelloWorldRequest); }
"""

USE_OURS = (
    "import nc.domain.events as ours; from nc.pb import network_controller_pb2, sensor_pb2, "
    "snapshot_pb2; from nc.rpc import introspection, methods; "
    "assert ours.Event.FromString(ours.Event().SerializeToString()) == ours.Event()"
)


def generated(folder: Path, proto: Path) -> None:
    """Stubs as a client's author makes them, in `folder`."""
    outputs = [f"--python_out={folder}", f"--grpc_python_out={folder}"]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={proto.parent}"]
    subprocess.run([*command, *outputs, str(proto)], check=True)


@pytest.mark.parametrize("order", ["theirs; ours", "ours; theirs"])
@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("events.proto", FOREIGN_EVENTS),
        ("snapshot.proto", FOREIGN_EVENTS),
        ("network_controller.proto", FOREIGN_CONTRACT),
        ("network_controller.proto", None),
        ("sensor.proto", None),
    ],
    ids=["events", "snapshot", "other contract", "our contract", "sensor"],
)
def test_foreign_stubs_load_beside_ours(
    tmp_path: Path, file: str, text: str | None, order: str
) -> None:
    """A program may import `nc` and stubs of files with the same names, in either order."""
    proto = ROOT / "proto" / file
    if text is not None:
        proto = tmp_path / file
        proto.write_text(text)
    generated(tmp_path, proto)
    theirs = f"import {proto.stem}_pb2"
    program = order.replace("theirs", theirs).replace("ours", USE_OURS)
    path = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; "
    done = subprocess.run(
        [sys.executable, "-c", path + program], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
