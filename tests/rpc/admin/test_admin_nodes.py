"""nc.admin.v1.Nodes and BootstrapTokens over real TLS."""

from pathlib import Path
from typing import Any

import grpc
import pytest

from nc.clock import SystemClock, now_ms
from nc.domain.tokens import RedeemToken
from nc.pb.admin.v1 import nodes_pb2 as pb
from nc.replica.batch import Origin
from nc.testing import InProcess, IssueToken, Redeem, Unregister
from nc.testing.contract.administration import UpdateNode
from nc.testing.search import Trial
from tests.support.operators import Operator, Refused, enrolled, operator
from tests.support.whole_server import running

Code = grpc.StatusCode


async def refused(caller: Operator, name: str, /, **fields: Any) -> tuple[grpc.StatusCode, str]:
    """The status that a call ends with."""
    with pytest.raises(Refused) as error:
        await caller.call(name, **fields)
    return error.value.code, error.value.details


async def names_of(caller: Operator, **filtered: Any) -> list[str]:
    """The names of the nodes that a filter fits, page by page of two."""
    names: list[str] = []
    page_token = ""
    while True:
        page = await caller.call(
            "Nodes/List", page_size=2, page_token=page_token, filter=pb.NodeFilter(**filtered)
        )
        names += [node.name for node in page.nodes]
        page_token = page.next_page_token
        if not page_token:
            assert page.total == len(names)
            return names


async def test_an_operator_names_finds_and_removes_nodes(data_dir: Path) -> None:
    """Names, labels, notes, filters, references of each kind, and removal."""
    async with running(data_dir) as server, operator(server) as admin:
        issued = await admin.call(
            "BootstrapTokens/Issue",
            label="rack 7",
            node_labels={"zone": "eu"},
            node_name_prefix="edge-",
        )
        node_tokens = [await enrolled(admin, issued.token) for _ in range(5)]
        nodes = [await admin.call("Nodes/Get", node=token) for token in node_tokens]
        assert all(node.name.startswith("edge-") for node in nodes)
        assert all(dict(node.labels) == {"zone": "eu"} for node in nodes)
        assert {node.token_id for node in nodes} == {issued.issued.id}
        one = await admin.call(
            "Nodes/Update",
            node=node_tokens[0],
            name="web-1",
            set_labels={"tier": "web"},
            remove_labels=["zone"],
            note="the old one",
        )
        assert (one.name, dict(one.labels), one.note) == ("web-1", {"tier": "web"}, "the old one")
        assert await admin.call("Nodes/Update", node="web-1") == one
        for reference in (one.id, one.id[:12], "web-1", node_tokens[0]):
            assert (await admin.call("Nodes/Get", node=reference)).id == one.id
        assert await names_of(admin) == sorted([*(node.name for node in nodes[1:]), "web-1"])
        assert await names_of(admin, selector="tier=web") == ["web-1"]
        assert len(await names_of(admin, selector="zone=eu,!tier")) == 4
        assert await names_of(admin, text="OLD") == ["web-1"]
        assert len(await names_of(admin, token_id=issued.issued.id[:8])) == 5
        assert await names_of(admin, states=[pb.NODE_STATE_CONNECTED]) == []
        gone = await admin.call("Nodes/Unregister", nodes=["web-1", nodes[1].id])
        assert list(gone.node_ids) == [one.id, nodes[1].id]
        rest = await admin.call(
            "Nodes/Unregister", token_id=issued.issued.id[:8], revoke_token=True
        )
        assert set(rest.node_ids) == {node.id for node in nodes[2:]}
        assert await names_of(admin) == []
        answer = await admin.call("LiteKubeNCService/GetToken", bootStrapToken=issued.token)
        assert "revoked" in answer.message
        again = await admin.call("Nodes/Unregister", token_id=issued.issued.id)
        assert list(again.node_ids) == []


async def test_what_cannot_be_done_to_a_node_is_said(data_dir: Path) -> None:
    """Each mistake has its status, and changes nothing."""
    async with running(data_dir) as server, operator(server) as admin:
        token = (await admin.call("BootstrapTokens/Issue")).token
        first, second = [await enrolled(admin, token) for _ in range(2)]
        await admin.call("Nodes/Update", node=first, name="one")
        await admin.call("Nodes/AssignAddress", node=first, address="10.1.1.77")
        before = server.replica.state
        for name, fields, code, says in (
            ("Nodes/Get", {}, Code.INVALID_ARGUMENT, "node: it is empty"),
            ("Nodes/Get", {"node": "nobody"}, Code.NOT_FOUND, "no node is meant"),
            ("Nodes/Get", {"node": "reserverd"}, Code.INVALID_ARGUMENT, "the server itself"),
            ("Nodes/Update", {"node": second, "name": "one"}, Code.ALREADY_EXISTS, "one"),
            ("Nodes/Update", {"node": second, "name": "-"}, Code.INVALID_ARGUMENT, "63"),
            ("Nodes/Update", {"node": second, "name": ""}, Code.INVALID_ARGUMENT, "63"),
            ("Nodes/Update", {"node": second, "set_labels": {"": "x"}}, Code.INVALID_ARGUMENT, ""),
            ("Nodes/Unregister", {}, Code.INVALID_ARGUMENT, "either"),
            ("Nodes/Unregister", {"nodes": ["one", "two"]}, Code.NOT_FOUND, "no node"),
            ("Nodes/Unregister", {"token_id": "ffffffff"}, Code.NOT_FOUND, "no bootstrap token"),
            (
                "Nodes/Unregister",
                {"nodes": ["one"], "revoke_token": True},
                Code.INVALID_ARGUMENT,
                "token_id",
            ),
            ("Nodes/SetExpiry", {"node": "one", "expires_at_ms": -1}, Code.INVALID_ARGUMENT, "-1"),
            (
                "Nodes/SetExpiry",
                {"node": "one", "expires_at_ms": 1 << 52},
                Code.INVALID_ARGUMENT,
                "2106",
            ),
            (
                "Nodes/AssignAddress",
                {"node": second, "address": "10.1.1.77"},
                Code.ALREADY_EXISTS,
                "one",
            ),
            (
                "Nodes/AssignAddress",
                {"node": second, "address": "10.1.1.4"},
                Code.INVALID_ARGUMENT,
                "10.1.1",
            ),
            ("Nodes/AssignAddress", {"node": second, "address": "x"}, Code.INVALID_ARGUMENT, ""),
            ("Nodes/List", {"page_size": 1001}, Code.INVALID_ARGUMENT, "1000"),
            ("Nodes/List", {"page_token": "x"}, Code.INVALID_ARGUMENT, "page_token"),
            ("Nodes/List", {"order": 99}, Code.INVALID_ARGUMENT, "order"),
            (
                "Nodes/List",
                {"filter": pb.NodeFilter(selector="a in (b)")},
                Code.INVALID_ARGUMENT,
                "key=value",
            ),
            (
                "Nodes/List",
                {"filter": pb.NodeFilter(token_id="x")},  # noqa: S106 - no secret
                Code.INVALID_ARGUMENT,
                "4 digits",
            ),
            ("Nodes/TakeBack", {"node_tokens": [""]}, Code.INVALID_ARGUMENT, "empty"),
            (
                "Nodes/TakeBack",
                {"node_tokens": ["0123456789abcdef"]},
                Code.FAILED_PRECONDITION,
                "waits",
            ),
            ("BootstrapTokens/Issue", {"lifetime_s": 1 << 40}, Code.INVALID_ARGUMENT, "ten years"),
            ("BootstrapTokens/Issue", {"node_name_prefix": "_"}, Code.INVALID_ARGUMENT, "prefix"),
            ("BootstrapTokens/Issue", {"node_labels": {"?": ""}}, Code.INVALID_ARGUMENT, "?"),
            ("BootstrapTokens/Issue", {"label": "x" * 99}, Code.INVALID_ARGUMENT, "label"),
            ("BootstrapTokens/Revoke", {}, Code.INVALID_ARGUMENT, "empty"),
            ("BootstrapTokens/Revoke", {"token": "ffff"}, Code.NOT_FOUND, "no bootstrap token"),
        ):
            found, details = await refused(admin, name, **fields)
            assert (name, fields, found) == (name, fields, code), details
            assert says in details, (name, fields, details)
        assert server.replica.state is before


async def test_a_server_has_so_many_nodes_and_no_more(data_dir: Path) -> None:
    """`--max-nodes`: one more is refused, until one is gone."""
    async with running(data_dir, max_nodes=2) as server, operator(server) as admin:
        token = (await admin.call("BootstrapTokens/Issue")).token
        first, _ = [await enrolled(admin, token) for _ in range(2)]
        answer = await admin.call("LiteKubeNCService/GetToken", bootStrapToken=token)
        assert (answer.code, "--max-nodes" in answer.message) == ("400", True)
        await admin.call("Nodes/Unregister", nodes=[first])
        await enrolled(admin, token)


async def test_the_nodes_of_a_leaked_token_are_out_with_one_call(data_dir: Path) -> None:
    """A hundred of them, and the token; those of another stay."""
    async with running(data_dir) as server, operator(server) as admin:
        leaked, kept = [(await admin.call("BootstrapTokens/Issue")).issued.id for _ in range(2)]
        made = {leaked: set[str](), kept: set[str]()}
        for number in range(103):
            token_id, node_id = (leaked if number < 100 else kept), f"{number:032x}"
            command = RedeemToken(token_id, node_id, (), now_ms(SystemClock()))
            await server.replica.submit(command, Origin("test", "test", "test"))
            made[token_id].add(node_id)
        gone = await admin.call("Nodes/Unregister", token_id=leaked[:8], revoke_token=True)
        assert set(gone.node_ids) == made[leaked]
        assert set(server.replica.state.nodes) == made[kept]
        tokens = (await admin.call("BootstrapTokens/List", all=True)).tokens
        assert {each.id: each.revoked for each in tokens} == {leaked: True, kept: False}


async def test_states_of_many_nodes_in_one_call(data_dir: Path) -> None:
    """Those that are named, once each; those that no node is called; or all that a filter fits."""
    async with running(data_dir) as server, operator(server) as admin:
        token = (await admin.call("BootstrapTokens/Issue")).token
        tokens = [await enrolled(admin, token) for _ in range(4)]
        nodes = [await admin.call("Nodes/Get", node=each) for each in tokens]
        await admin.call("Nodes/AssignAddress", node=tokens[1], address="10.1.1.9")
        asked = [nodes[1].name, tokens[1], nodes[0].id, "nobody", "10.1.1.9"]
        some = await admin.call("Nodes/States", nodes=asked)
        assert list(some.ids) == [nodes[1].id, nodes[0].id]
        assert list(some.addresses) == ["10.1.1.9", ""]
        assert list(some.names) == [nodes[1].name, nodes[0].name]
        assert list(some.states) == [pb.NODE_STATE_IDLE] * 2
        assert list(some.unknown) == ["nobody"]
        everything = await admin.call("Nodes/States")
        assert set(everything.ids) == {node.id for node in nodes}
        none = await admin.call(
            "Nodes/States", filter=pb.NodeFilter(states=[pb.NODE_STATE_CONNECTED])
        )
        assert list(none.ids) == []


async def test_pages_follow_every_order_both_ways(data_dir: Path) -> None:
    """Whatever the order, the pages together are the list, and a page token fits its list alone."""
    async with running(data_dir) as server, operator(server) as admin:
        token = (await admin.call("BootstrapTokens/Issue")).token
        for number in range(5):
            node = await enrolled(admin, token)
            if number % 2:
                address = f"10.1.1.{21 - 2 * number}"
                await admin.call("Nodes/AssignAddress", node=node, address=address)
            at_ms = 4_000_000_000_000 - number if number % 3 else 0
            await admin.call("Nodes/SetExpiry", node=node, expires_at_ms=at_ms)
        for order in pb.NodeOrder.values():
            for descending in (False, True):
                ids: list[str] = []
                page_token = ""
                while page_token or not ids:
                    page = await admin.call(
                        "Nodes/List",
                        page_size=2,
                        page_token=page_token,
                        order=order,
                        descending=descending,
                    )
                    ids += [node.id for node in page.nodes]
                    page_token = page.next_page_token
                whole = await admin.call("Nodes/List", order=order, descending=descending)
                assert ids == [node.id for node in whole.nodes]
                assert len(set(ids)) == 5
        first = await admin.call("Nodes/List", page_size=2)
        code, _ = await refused(
            admin, "Nodes/List", page_token=first.next_page_token, descending=True
        )
        assert code is Code.INVALID_ARGUMENT
        by_address = await admin.call("Nodes/List", order=pb.NODE_ORDER_ADDRESS)
        assert [node.address for node in by_address.nodes][:2] == ["10.1.1.15", "10.1.1.19"]


async def test_a_token_ends_when_its_operator_says(data_dir: Path) -> None:
    """Uses, nodes and revocation are counted and listed; a secret is shown once."""
    async with running(data_dir) as server, operator(server) as admin:
        issued = await admin.call("BootstrapTokens/Issue", lifetime_s=60, max_uses=2, label="x")
        left = issued.issued.expires_at_ms - issued.issued.issued_at_ms
        assert 0 < left <= 60_000
        assert issued.port == server.endpoints.bootstrap_port
        assert issued.ca_cert_hash.startswith("sha256:")
        never = await admin.call("BootstrapTokens/Issue", lifetime_s=-1)
        assert never.issued.expires_at_ms == 0
        await enrolled(admin, issued.token)
        await enrolled(admin, issued.token)
        answer = await admin.call("LiteKubeNCService/GetToken", bootStrapToken=issued.token)
        assert "no uses left, of 2" in answer.message
        listed = await admin.call("BootstrapTokens/List")
        assert [(each.id, each.uses, each.nodes) for each in listed.tokens] == [
            (never.issued.id, 0, 0),
            (issued.issued.id, 2, 2),
        ]
        assert issued.token not in str(listed)
        for reference in (never.token, issued.issued.id[:8]):
            assert (await admin.call("BootstrapTokens/Revoke", token=reference)).revoked
        assert (await admin.call("BootstrapTokens/List")).total == 0
        assert (await admin.call("BootstrapTokens/List", all=True)).total == 2


def test_a_change_is_answered_as_made_although_the_node_leaves_just_then() -> None:
    """Both are in one batch: what was recorded is no NOT_FOUND."""
    target = InProcess()
    trial = Trial(target)
    trial.perform(IssueToken("token 1", 10))
    trial.perform(Redeem("token 1", "node 1"))
    answers = trial.perform(UpdateNode("node 1", name="db"), Unregister("node 1"))
    assert [answer is not None and answer.is_ok for answer in answers] == [True, True]
    trial.finish()
    target.close()
