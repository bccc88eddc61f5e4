"""Who may call nc.admin.v1, over real TLS with certificates of each role."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from nc.pb.admin.v1 import administrators_pb2 as pb
from nc.pb.admin.v1 import events_pb2
from nc.rpc.admin import watching
from nc.rpc.admin.methods import READING
from nc.services import ADMIN_SERVICES
from tests.support.operators import METHODS, Operator, Refused, issued, operator
from tests.support.whole_server import PATIENCE_S, admin, running

OURS = frozenset(f"{s.name}/{m.name}" for s in ADMIN_SERVICES for m in s.methods)
LITEKUBE_CHANGES = ("GetBootStrapToken", "GetToken", "UnRegister")
CHANGES = (
    *sorted(OURS - READING),
    *(f"LiteKubeNCService/{name}" for name in LITEKUBE_CHANGES),
    "Internal/UpdateSensorExpireTime",
)
READS = (
    *sorted(READING - {"Events/Watch"}),
    *(f"LiteKubeNCService/{n}" for n in ("HelloWorld", "HealthCheck", "CheckConnState")),
    "LiteKubeNCService/GetRegistedIp",
)


async def refusal(caller: Operator, name: str) -> grpc.StatusCode | None:
    """The status of a call with an empty request; None if it is answered."""
    try:
        await caller.call(name)
    except Refused as refused:
        return refused.code
    return None


async def to_the_end(messages: AsyncIterator[Any]) -> None:
    async for _ in messages:
        pass


async def test_a_viewer_reads_everything_and_changes_nothing(data_dir: Path) -> None:
    """Every reading method answers a viewer, every other one is denied, and the log stays."""
    assert len(READS) + len(CHANGES) + 1 == len(OURS) + 8
    async with running(data_dir) as server, operator(server) as admin:
        async with issued(server, admin, "eve", pb.ROLE_VIEWER) as viewer:
            before = server.replica.state
            for name in READS:
                assert await refusal(viewer, name) is not grpc.StatusCode.PERMISSION_DENIED, name
            async for message in viewer.stream("Events/Watch", from_seq=1, stop_at_end=True):
                assert message.next_seq
            for name in CHANGES:
                assert await refusal(viewer, name) is grpc.StatusCode.PERMISSION_DENIED, name
            assert server.replica.state is before
        async with issued(server, admin, "adam", pb.ROLE_ADMIN) as second:
            for name in CHANGES:
                assert await refusal(second, name) is not grpc.StatusCode.PERMISSION_DENIED, name


async def test_a_node_may_call_nothing_of_it(data_dir: Path) -> None:
    """Neither reading nor changing, with a node's certificate for the control port."""
    async with running(data_dir) as server, operator(server) as admin:
        token = (await admin.call("BootstrapTokens/Issue")).token
        made = await admin.call("LiteKubeNCService/GetToken", bootStrapToken=token)
        pair = (base64.b64decode(text) for text in (made.GrpcClientKey, made.GrpcClientCert))
        async with operator(server, *pair) as node:
            for name in sorted(OURS - {"Events/Watch"}):
                assert await refusal(node, name) is grpc.StatusCode.PERMISSION_DENIED, name
            with pytest.raises(Refused) as refused:
                await anext(node.stream("Events/Watch"))
            assert refused.value.code is grpc.StatusCode.PERMISSION_DENIED


async def test_a_revoked_certificate_is_out_within_one_call(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On its open connection and in its open watch; the last administrator's stays."""
    monkeypatch.setattr(watching, "QUIET_S", 1e6)  # nothing but the revocation ends the watch
    async with running(data_dir) as server, operator(server) as admin:
        async with issued(server, admin, "adam", pb.ROLE_ADMIN) as second:
            nothing = events_pb2.EventFilter(kinds=["litekube_imported"])
            watch = second.stream("Events/Watch", filter=nothing)
            await anext(watch)
            revoked = await admin.call("Administrators/Revoke", administrator="adam")
            assert revoked.revoked
            assert await refusal(second, "Nodes/List") is grpc.StatusCode.PERMISSION_DENIED
            assert await refusal(second, "LiteKubeNCService/GetBootStrapToken") is (
                grpc.StatusCode.PERMISSION_DENIED
            )
            with pytest.raises(Refused) as ended:
                await asyncio.wait_for(to_the_end(watch), PATIENCE_S)
            assert ended.value.code is grpc.StatusCode.PERMISSION_DENIED
        with pytest.raises(Refused) as refused:
            await admin.call("Administrators/Revoke", administrator="admin")
        assert refused.value.code is grpc.StatusCode.FAILED_PRECONDITION


async def test_the_certificate_in_the_folder_made_anew_replaces_the_old_one(
    data_dir: Path,
) -> None:
    """After a start that found none: who still has the old pair is refused, and told why."""
    async with running(data_dir) as server:
        paths = server.certificates.grpc.paths
        old = paths.client_key.read_bytes(), paths.client.read_bytes()
    paths.client.unlink()
    paths.client_key.unlink()
    async with running(data_dir) as server, operator(server) as new, operator(server, *old) as gone:
        with pytest.raises(Refused, match="another lies in the server's folder") as refused:
            await gone.call("Nodes/List")
        assert refused.value.code is grpc.StatusCode.PERMISSION_DENIED
        listed = await new.call("Administrators/List", all=True)
        assert [(each.installed, each.revoked, each.self) for each in listed.administrators] == [
            (False, True, False),
            (True, False, True),
        ]


async def test_everything_is_open_in_plain_text(data_dir: Path) -> None:
    """Without TLS there is no identity, and everything is allowed, as elsewhere."""
    async with running(data_dir, plaintext=True) as server, admin(server) as client:
        target = client.target
        async with grpc.aio.insecure_channel(target) as channel:
            answer = await Operator(channel).call("BootstrapTokens/Issue")
        assert answer.issued.id in server.replica.state.tokens


def test_every_method_is_either_reading_or_not() -> None:
    """The table of reading methods names none that there is not."""
    assert READING <= OURS <= METHODS.keys()
