"""nc.admin.v1.History over real TLS: the past, computed by another process."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from nc.client import AsyncClient, Context
from nc.client.errors import DeadlineExceeded
from nc.pb.admin.v1 import history_pb2 as pb
from nc.rpc.admin.errors import InvalidField
from nc.rpc.admin.past import answer
from nc.secrets import TokenIds
from tests.support.operators import Refused, enrolled, operator
from tests.support.whole_server import WholeServer, running

Code = grpc.StatusCode


async def test_the_past_as_it_was(data_dir: Path) -> None:
    """At, Diff and Why agree with what the server answered then; later changes do not show."""
    async with running(data_dir) as server, operator(server) as admin:
        issued = await admin.call("BootstrapTokens/Issue", label="first")
        tokens = [await enrolled(admin, issued.token) for _ in range(3)]
        await admin.call("Nodes/Update", node=tokens[0], name="web", set_labels={"a": "b"})
        then, nodes = server.replica.state.seq, (await admin.call("Nodes/List")).nodes
        await admin.call("Nodes/Update", node="web", name="db", note="moved")
        await admin.call("Nodes/AssignAddress", node="db", address="10.1.1.9")
        await admin.call("Nodes/Unregister", nodes=[tokens[1]])
        moment = pb.Moment(seq=then)
        first = await admin.call("History/At", moment=moment, page_size=2)
        rest = await here(server, "At", pb.AtRequest(page_size=2, page_token=first.next_page_token))
        assert [*first.nodes, *rest.nodes] == list(nodes)
        assert (first.seq, first.total, rest.seq) == (then, 3, then)
        assert [token.label for token in first.tokens] == ["first"]
        assert list(rest.tokens) == []
        changed = await admin.call("History/Diff", request=_diff(then))
        found = {(each.name, each.field): (each.before, each.after) for each in changed.differences}
        assert found[("db", "name")] == ("web", "db")
        assert found[("db", "note")] == ("", "moved")
        assert found[("db", "address")] == ("", "10.1.1.9")
        assert ("there", "") in found.values()
        why = await admin.call("History/Why", node=tokens[0])
        assert why == await here(server, "Why", pb.WhyRequest(node="db"))
        assert (why.name, why.address) == ("db", "10.1.1.9")
        kinds = [reason.event.kind for reason in why.reasons]
        assert kinds[:2] == ["token_issued", "node_registered"]
        assert all(reason.sentence for reason in why.reasons)
        before = await here(server, "Why", pb.WhyRequest(node="web", moment=moment))
        assert before.address == ""
        gone_id = TokenIds(server.folder.secret_key.read_bytes()).id_of(tokens[1])
        gone = await here(server, "Why", pb.WhyRequest(node=gone_id[:8]))
        assert (gone.node_id, gone.reasons[-1].event.kind) == (gone_id, "unregistered")
        at_first = await here(server, "At", pb.AtRequest(moment=pb.Moment(time_ms=1)))
        assert (at_first.seq, at_first.total) == (0, 0)


async def here(server: WholeServer, method: str, request: Message) -> Any:
    """The answer of the program, computed in this process."""
    head = {"folder": str(server.folder.log), "method": method, "node_id": ""}
    return await answer(json.dumps(head).encode() + b"\n" + request.SerializeToString())


def _diff(seq: int) -> pb.DiffRequest:
    return pb.DiffRequest(**{"from": pb.Moment(seq=seq)})


async def test_no_module_of_the_folder_that_a_server_was_started_in_is_run(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in /tmp, where anybody may put one, and the server may be root's."""
    (tmp_path / "json.py").write_text("raise SystemExit('this is not ours')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    async with running(data_dir) as server, operator(server) as admin:
        assert (await admin.call("History/At")).seq


async def test_what_the_past_does_not_have_is_said(data_dir: Path) -> None:
    """A node that never was, a place that is not in the log, a page of another list."""
    async with running(data_dir) as server, operator(server) as admin:
        last = server.replica.state.seq
        for name, request, code in (
            ("History/Why", pb.WhyRequest(node="nobody"), Code.NOT_FOUND),
            ("History/Why", pb.WhyRequest(), Code.INVALID_ARGUMENT),
            ("History/At", pb.AtRequest(moment=pb.Moment(seq=last + 5)), Code.OUT_OF_RANGE),
            ("History/At", pb.AtRequest(moment=pb.Moment(time_ms=-1)), Code.INVALID_ARGUMENT),
            ("History/Diff", _diff(last + 5), Code.OUT_OF_RANGE),
        ):
            with pytest.raises(Refused) as refused:
                await admin.call(name, request)
            assert refused.value.code is code, (name, request, refused.value.details)
        for at in (pb.AtRequest(page_token="x"), pb.AtRequest(page_size=1001)):  # noqa: S106 - no secret
            with pytest.raises(InvalidField, match="page_"):
                await here(server, "At", at)


async def test_a_look_that_takes_too_much_says_how_to_have_it_all_the_same(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended for its time, or by the kernel: what failed, and the command that needs no server."""
    async with running(data_dir) as server, operator(server) as admin:
        for name, value, says in (
            ("_PATIENCE_S", 0.0, "this look into the past was ended after 0 seconds: the log is"),
            ("sys.executable", "/bin/false", "ended without an answer, as where memory is short;"),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(f"nc.rpc.admin.history.{name}", value)
                with pytest.raises(Refused) as refused:
                    await admin.call("History/Diff", request=_diff(1))
            assert refused.value.code is Code.RESOURCE_EXHAUSTED
            assert says in refused.value.details
            assert "run network-controller log diff on" in refused.value.details
            assert "too many requests" not in refused.value.details


async def test_who_does_not_wait_for_a_long_look_is_told_the_same(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To try again would take as long."""
    monkeypatch.setattr("nc.client.areas.history.TIMEOUT_S", 0.01)
    context = Context.of_data_dir(data_dir)
    async with running(data_dir) as server:
        there = replace(context, port=server.endpoints.control_port)
        async with AsyncClient(there) as client:
            with pytest.raises(DeadlineExceeded, match="network-controller log at, diff and why"):
                await client.history.at()
