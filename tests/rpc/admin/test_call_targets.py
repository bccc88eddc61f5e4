"""The log lines of calls name the nodes that the calls mean."""

import contextlib
from pathlib import Path
from typing import Any

from nc.pb import sensor_pb2
from nc.pb.admin.v1 import events_pb2
from tests.support.operators import Refused, enrolled, operator
from tests.support.whole_server import Lines, running


def said(line: dict[str, Any]) -> tuple[str, object, object]:
    """The method's short name; the name and id of the node, or how many there are."""
    method = line["method"].rpartition(".")[2]
    if "targets" in line:
        return method, line["targets"], None
    return method, line.get("target"), line.get("target_id")


async def test_the_line_of_a_call_names_the_nodes_that_it_means(data_dir: Path) -> None:
    """By id and name, however they are referred to; of several how many; never by the token."""
    lines = Lines()
    async with running(data_dir, lines=lines) as server, operator(server) as admin:
        issued = await admin.call("BootstrapTokens/Issue")
        tokens = [await enrolled(admin, issued.token) for _ in range(6)]
        nodes = [await admin.call("Nodes/Get", node=token) for token in tokens]
        one = nodes[0]
        web = "web-1", one.id
        expected: list[tuple[object, ...]] = []

        async def call(name: str, /, *target: object, **request: Any) -> None:
            with contextlib.suppress(Refused):  # a refusal's line names them all the same
                await admin.call(name, **request)
            method = name.removeprefix("LiteKubeNCService/").removeprefix("Internal/")
            expected.append((method, *(target or (None, None))))

        await call("Nodes/Update", *web, node=tokens[0], name="web-1")  # by its new name
        await call("Nodes/Get", *web, node=one.id[:10])
        await call("Nodes/SetExpiry", *web, node="web-1")
        await call("Nodes/AssignAddress", *web, node="web-1", address="10.9.9.9")
        await call("Nodes/States", *web, nodes=["web-1", "nobody"])
        await call("Nodes/States", 2, None, nodes=["web-1", nodes[1].name])
        await call("Nodes/States", 6, None)
        await call("Nodes/Get", node="nobody-at-all")
        await call("Nodes/List")
        of_one = events_pb2.EventFilter(nodes=["web-1"])
        await call("Events/Read", *web, filter=of_one)
        await call("History/Why", *web, node=tokens[0])
        for method in ("CheckConnState", "GetRegistedIp"):
            await call(f"LiteKubeNCService/{method}", *web, token=tokens[0])
        expire = [sensor_pb2.SensorExpire(deviceToken=token.encode()) for token in tokens[:3]]
        first = {"sensorExpire": expire[:1]}
        await call("Internal/UpdateSensorExpireTime", *web, **first)
        await call("Internal/UpdateSensorExpireTime", 3, None, sensorExpire=expire)
        await call("LiteKubeNCService/UnRegister", nodes[1].name, nodes[1].id, token=tokens[1])
        await call("LiteKubeNCService/UnRegister", None, nodes[1].id, token=tokens[1])
        await call("LiteKubeNCService/CheckConnState", None, nodes[1].id, token=tokens[1])
        await call("Nodes/TakeBack", None, nodes[1].id, node_tokens=[tokens[1]])
        await call("Nodes/Unregister", *web, nodes=["web-1"])
        await call("Nodes/Unregister", 4, None, token_id=issued.issued.id)
    assert [said(line) for line in lines.named("rpc")[-len(expected) :]] == expected
    assert [token for token in tokens if token in repr(lines)] == []
