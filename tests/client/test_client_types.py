"""What calls give: nothing of a message is lost, and both clients have the same methods."""

import inspect
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, get_args, get_type_hints

import grpc
import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

import nc.client
from nc.client import blocking, errors, reports, types
from nc.client.areas import administrators, events, history, nodes, replicas, server, tokens
from nc.client.blocking import Area
from nc.client.convert import convert, ms_of, time_of
from nc.pb.admin.v1 import (
    administrators_pb2,
    events_pb2,
    history_pb2,
    nodes_pb2,
    status_pb2,
    tokens_pb2,
)

PAIRS: list[tuple[type, type[Message]]] = [
    (types.Node, nodes_pb2.Node),
    (types.NodeFacts, nodes_pb2.NodeFacts),
    (types.Link, nodes_pb2.Link),
    (types.NodeLink, status_pb2.NodeLink),
    (types.TakenBack, nodes_pb2.TakeBackResponse),
    (types.BootstrapToken, tokens_pb2.BootstrapToken),
    (types.IssuedToken, tokens_pb2.IssueTokenResponse),
    (types.Administrator, administrators_pb2.Administrator),
    (types.IssuedAdministrator, administrators_pb2.IssueAdministratorResponse),
    (reports.LoggedEvent, events_pb2.LoggedEvent),
    (reports.Reason, history_pb2.Reason),
    (reports.Explanation, history_pb2.WhyResponse),
    (reports.Difference, history_pb2.Difference),
    (reports.Differences, history_pb2.DiffResponse),
    (reports.LogStatus, status_pb2.Log),
    (reports.CertificateStatus, status_pb2.CertificateStatus),
    (reports.ServerStatus, status_pb2.StatusResponse),
]

AREAS = [
    (nodes.Nodes, blocking.BlockingNodes),
    (tokens.Tokens, blocking.BlockingTokens),
    (administrators.Administrators, blocking.BlockingAdministrators),
    (events.Events, blocking.BlockingEvents),
    (history.History, blocking.BlockingHistory),
    (server.Server, blocking.BlockingServer),
]


@pytest.mark.parametrize(("kind", "message"), PAIRS)
def test_a_dataclass_has_every_field_of_its_message(kind: Any, message: type[Message]) -> None:
    """And a message without content becomes one."""
    names = {field.name for field in fields(kind)}
    of_message = {
        name if name in names else name.removesuffix("_ms").removesuffix("_ns")
        for name in message.DESCRIPTOR.fields_by_name
    }
    assert names == of_message
    assert isinstance(convert(kind, message()), kind)


def test_a_node_is_converted_whole() -> None:
    """Times are datetimes in UTC, enums are members, an absent link is None."""
    message = nodes_pb2.Node(
        id="a" * 32,
        labels={"site": "berlin"},
        state=nodes_pb2.NODE_STATE_CONNECTED,
        state_since_ms=1_795_000_000_123,
        facts=nodes_pb2.NodeFacts(hostname="pi"),
    )
    node = convert(types.Node, message)
    assert (node.id, node.labels, node.facts.hostname) == ("a" * 32, {"site": "berlin"}, "pi")
    assert node.state is types.NodeState.CONNECTED
    assert node.state_since == datetime(2026, 11, 18, 11, 6, 40, 123_000, UTC)
    assert (node.expires_at, node.link) == (None, None)
    message.link.packets_in = 3
    link = convert(types.Node, message).link
    assert link is not None
    assert link.packets_in == 3


def test_a_state_of_a_newer_server_is_unknown() -> None:
    """A number that this version has no name for is no error."""
    message = nodes_pb2.Node.FromString(b"\x30\x63")  # field 6, the state, is 99
    assert convert(types.Node, message).state is types.NodeState.UNKNOWN


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_every_time_is_read(number: int) -> None:
    """Any milliseconds are a moment, the same ones again, or None where no calendar has them."""
    moment = time_of(number, "_ms")
    assert moment is None or ms_of(moment) == number
    time_of(number, "_ns")


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001 - naive ones are the point
def test_a_moment_without_a_zone_is_in_utc(moment: datetime) -> None:
    """It does not depend on the zone of the machine."""
    assert ms_of(moment) == ms_of(moment.replace(tzinfo=UTC))
    assert abs((time_of(ms_of(moment), "_ms") or moment) - moment.replace(tzinfo=UTC)) < timedelta(
        milliseconds=1
    )


@pytest.mark.parametrize(("area", "facade"), AREAS)
def test_the_blocking_client_has_every_method(area: type, facade: type[Area[Any]]) -> None:
    """The public methods of an area and of its facade are the same, and the one makes the other."""
    public = {name for name, _ in inspect.getmembers(area, inspect.isfunction) if name[0] != "_"}
    made = {name: member for name, member in vars(facade).items() if name[0] != "_"}
    assert public == set(made)
    assert all(member.method is getattr(area, name) for name, member in made.items())


@pytest.mark.parametrize("code", list(grpc.StatusCode))
def test_every_status_is_an_error_with_its_fields(code: grpc.StatusCode) -> None:
    """Of our own API the server's sentence is the whole text of a refusal."""
    error = errors.call_failed("/nc.admin.v1.Nodes/Get", "192.0.2.7:6440", code, "no such node")
    assert isinstance(error, errors.CallFailed)
    assert (error.code, error.details) == (code, "no such node")
    assert (error.method, error.target) == ("/nc.admin.v1.Nodes/Get", "192.0.2.7:6440")
    assert (str(error) == "no such node") == isinstance(error, errors.Refused)
    old = errors.call_failed("/pb.LiteKubeNCService/CheckConnState", "a:1", code, "no")
    assert str(old).startswith(f"CheckConnState at a:1: {code.name}: no")


def test_what_the_package_promises_is_there() -> None:
    """Each name of `nc.client` can be imported from it, and no other."""
    for name in nc.client.__all__:
        assert getattr(nc.client, name).__name__ == name
    assert not hasattr(nc.client, "Nothing")


def test_no_token_is_in_a_text_of_a_result() -> None:
    """A result that holds a secret shows its id instead."""
    issued = convert(
        types.IssuedToken,
        tokens_pb2.IssueTokenResponse(token="c6" * 8, issued=tokens_pb2.BootstrapToken(id="bf2c")),
    )
    assert issued.token not in repr(issued)
    made = convert(
        types.IssuedAdministrator,
        administrators_pb2.IssueAdministratorResponse(key_pem="PRIVATE KEY"),
    )
    assert "PRIVATE KEY" not in repr(made)


# The parameters that take a number, by area and method.
NUMBERS = [
    (area, method, name)
    for area, _ in AREAS
    for method, function in inspect.getmembers(area, inspect.isfunction)
    if not method.startswith("_")
    for name, hint in get_type_hints(function).items()
    if name != "return" and int in (hint, *get_args(hint))
]


@pytest.mark.parametrize(("area", "method", "name"), NUMBERS)
@given(number=st.integers(max_value=-1) | st.integers(min_value=2**64))
async def test_a_number_that_fits_no_field_is_named(
    area: Any, method: str, name: str, number: int
) -> None:
    """And nothing is called: protobuf would say `Value out of range`, and not of what."""
    called = getattr(area, method)
    needed = [
        each.name
        for each in inspect.signature(called).parameters.values()
        if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD
    ][1:]
    hints = get_type_hints(called)
    given_ = {each: 1 if int in get_args(hints[each]) else "x" for each in needed}
    given_[name] = number

    async def call() -> None:
        answer = called(area(None), **given_)
        if inspect.isawaitable(answer):
            await answer

    with pytest.raises(ValueError, match=f"is {number}: expected 0 to [0-9]+$"):
        await call()


@given(lifetime=st.timedeltas(max_value=timedelta()))
async def test_a_lifetime_that_is_over_is_refused(lifetime: timedelta) -> None:
    """And nothing is called: it would be another one, such as a second, or no end at all."""
    unused: Any = None
    for call in (
        tokens.Tokens(unused).issue,
        partial(administrators.Administrators(unused).issue, "eve", types.Role.VIEWER),
        replicas.Replicas(unused).invite,
    ):
        with pytest.raises(ValueError, match=r"^lifetime is .*: expected more than no time$"):
            await call(lifetime=lifetime)
