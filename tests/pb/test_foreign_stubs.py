"""`nc` beside other generated code in one process; each case runs in a process of its own.

The processes of one test are forked from one that has loaded gRPC and protobuf, but no stubs.
"""

import os
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


EACH_IN_A_FORK = """
import os, sys
import grpc, grpc_reflection.v1alpha.reflection, grpc_health.v1.health, google.protobuf.message
folders, *programs = sys.argv[1:]
sys.path[:0] = folders.split(os.pathsep)
for program in programs:
    if not os.fork():
        exec(program)
        sys.exit()
    if os.wait()[1]:
        sys.exit(f"this failed: {program}")
"""


def generated(folder: Path, proto: Path) -> None:
    """Stubs as a client's author makes them, in `folder`."""
    outputs = [f"--python_out={folder}", f"--grpc_python_out={folder}"]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={proto.parent}"]
    subprocess.run([*command, *outputs, str(proto)], check=True)


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
def test_foreign_stubs_load_beside_ours(tmp_path: Path, file: str, text: str | None) -> None:
    """A program may import `nc` and stubs of files with the same names, in either order."""
    proto = ROOT / "proto" / file
    if text is not None:
        proto = tmp_path / file
        proto.write_text(text)
    generated(tmp_path, proto)
    theirs = f"import {proto.stem}_pb2"
    orders = (f"{theirs}; {USE_OURS}", f"{USE_OURS}; {theirs}")
    done = subprocess.run(
        [sys.executable, "-c", EACH_IN_A_FORK, f"{tmp_path}{os.pathsep}{ROOT}", *orders],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
