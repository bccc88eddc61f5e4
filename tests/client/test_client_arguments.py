"""What the SDK says to arguments that it cannot use."""

import inspect
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nc.client import AsyncClient, Client, Context
from nc.client.areas import administrators, events, history, nodes, replicas, server, tokens
from nc.client.types import NodeOrder, NodeState, Role

AREAS = (
    nodes.Nodes,
    tokens.Tokens,
    administrators.Administrators,
    replicas.Replicas,
    events.Events,
    history.History,
    server.Server,
)


class Called(Exception):
    """The arguments were good: a call was made."""

    def __init__(self, request: object) -> None:
        super().__init__(request)
        self.request = request


class NoCalls:
    """Stands for a connection."""

    @property
    def channel(self) -> "NoCalls":
        return self

    async def read(self, _method: str, request: object, **_: object) -> None:
        raise Called(request)

    write = read

    def pages(self, _method: str, request: object, _read: object) -> None:
        raise Called(request)

    async def stream(self, _method: str, request: object, **_: object) -> Any:
        await self.read(_method, request)
        yield


METHODS = [
    (area, name)
    for area in AREAS
    for name, _ in inspect.getmembers(area, inspect.isfunction)
    if not name.startswith("_")
]
MAKERS = (AsyncClient, Client, Context, Context.of_data_dir, Context.of_certificates, Context.named)

GOOD: dict[Any, Any] = {
    str: "web-1",
    int: 1,
    float: 1.0,
    bool: True,
    datetime: datetime(2026, 1, 1, tzinfo=UTC),
    timedelta: timedelta(hours=1),
    Path: Path("x"),
}


def enum_in(hint: Any) -> type[StrEnum] | None:
    """The enum that an annotation has, however deep."""
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    return next(filter(None, map(enum_in, get_args(hint))), None)


def texts_in(hint: Any) -> set[str]:
    """The literals that an annotation has."""
    args = get_args(hint)
    return set(args) if get_origin(hint) is Literal else set().union(*map(texts_in, args))


def good(hint: Any) -> Any:
    """A value that an annotation allows."""
    kind = enum_in(hint)
    if kind is not None:
        return [*kind][-1]
    for each in (hint, *get_args(hint)):
        if each in GOOD:
            return GOOD[each]
    raise AssertionError(hint)


def parameters(function: Any) -> dict[str, Any]:
    """Each name that can be given, with its annotation; of `**given` each key."""
    hints = get_type_hints(function.__init__ if inspect.isclass(function) else function)
    found: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "self" or name not in hints:
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            found |= get_type_hints(get_args(hints[name])[0])
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            found[name] = hints[name]
    return found


def needed(function: Any) -> dict[str, Any]:
    """Good values for what has no default."""
    hints = parameters(function)
    return {
        name: good(hints[name])
        for name, each in inspect.signature(function).parameters.items()
        if name in hints and each.default is each.empty
    }


async def call(area: Any, method: str, *args: Any, **given_: Any) -> object:
    """The request that a call would send."""
    try:
        answer = getattr(area(NoCalls()), method)(*args, **given_)
        await (answer if inspect.isawaitable(answer) else answer.chunks.__anext__())
    except Called as called:
        return called.request
    raise AssertionError("nothing was called")


simple = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters()),
    st.just("half \ud800"),
    st.binary(),
    st.datetimes(),
    st.just(date(2026, 1, 1)),
    st.timedeltas(),
    st.sampled_from((*Role, *NodeState, *NodeOrder)),
    st.builds(object),
    st.just(Path("x")),
    st.just(Role),
)
anything = st.recursive(
    simple,
    lambda each: (
        st.lists(each, max_size=3)
        | st.dictionaries(st.text() | st.integers(), each, max_size=3)
        | st.sampled_from((*get_type_hints(nodes.NodeFilter),)).flatmap(
            lambda key: each.map(lambda value: {key: value})
        )
    ),
    max_leaves=4,
)


def require_sentence(error: Exception, name: str) -> None:
    text = str(error)
    assert name in text, text
    assert re.search(r"expected|it takes|characters|port is", text), text


@pytest.mark.parametrize(("area", "method"), METHODS)
@settings(max_examples=30)
@given(data=st.data())
async def test_a_wrong_argument_is_named_and_nothing_is_called(
    area: Any, method: str, data: st.DataObject
) -> None:
    """Whatever is given, it is sent, or it is a TypeError or ValueError that names the argument."""
    function = getattr(area, method)
    names = parameters(function)
    if not names:
        return
    name = data.draw(st.sampled_from(sorted(names)))
    arguments = {**needed(function), name: data.draw(anything)}
    try:
        await call(area, method, **arguments)
    except (TypeError, ValueError) as error:
        require_sentence(error, name)


@pytest.mark.parametrize("make", MAKERS)
@settings(max_examples=30)
@given(data=st.data())
def test_a_client_of_wrong_things_is_not_made(make: Any, data: st.DataObject) -> None:
    """As of calls; what is no context or path is named."""
    name = data.draw(st.sampled_from(sorted(parameters(make))))
    context = Context(plaintext=True)
    arguments = {**needed(make), name: data.draw(anything)}
    if make in (AsyncClient, Client):
        arguments = {"context": context, **arguments}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Context, "current", classmethod(lambda _cls: context))
        patch.setattr("nc.client.contexts.Contexts.get", lambda *_: context)
        try:
            make(**arguments)
        except (TypeError, ValueError) as error:
            require_sentence(error, name)


ENUMS = [
    (area, method, name, kind)
    for area, method in METHODS
    for name, hint in parameters(getattr(area, method)).items()
    if (kind := enum_in(hint)) is not None
]


@pytest.mark.parametrize(("area", "method", "name", "kind"), ENUMS)
async def test_an_enum_may_be_given_as_a_text(
    area: Any, method: str, name: str, kind: type[StrEnum]
) -> None:
    """By its value or its name; a text that is none is named, with those that there are.

    Type checkers know the values.
    """
    function = getattr(area, method)
    hint = parameters(function)[name]
    is_several = get_origin(hint) is Iterable
    assert texts_in(hint) == {each.value for each in kind if each.name != "UNKNOWN"}

    async def sent(value: object) -> object:
        one = [value] if is_several else value
        return await call(area, method, **{**needed(function), name: one})

    for member in kind:
        if member.name == "UNKNOWN":
            continue
        as_member = await sent(member)
        for text in (str(member), member.name, member.value.upper()):
            assert await sent(text) == as_member
    for wrong in ("boss", "unknown"):
        with pytest.raises(ValueError, match=rf"{name}.* is '{wrong}': expected .* or "):
            await sent(wrong)


async def test_type_checkers_know_the_texts() -> None:
    """It takes these, and refuses the rest: an ignore that is not needed is an error of mypy."""
    async with AsyncClient(Context(plaintext=True)) as client:
        client.nodes.list(order="state-since", states=["IDLE", NodeState.INIT])
        with pytest.raises(ValueError, match="order is 'nobody'"):
            client.nodes.list(order="nobody")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"states\[0\] is 'nobody'"):
            client.nodes.list(states=["nobody"])  # type: ignore[list-item]
        with pytest.raises(ValueError, match="role is 'nobody'"):
            await client.administrators.issue("eve", "nobody")  # type: ignore[arg-type]
    with Client(Context(plaintext=True)) as blocking:
        blocking.nodes.list(order="links", states=["CONNECTED"])
        with pytest.raises(ValueError, match="order is 'nobody'"):
            list(blocking.nodes.list(order="nobody"))  # type: ignore[arg-type]


def test_every_enum_of_a_request_is_tried() -> None:
    """The list above is not empty by mistake."""
    assert {kind for *_, kind in ENUMS} == {Role, NodeState, NodeOrder}


@pytest.mark.parametrize("name", ["port", "bootstrap_port"])
def test_a_port_that_is_out_of_range_is_named(name: str) -> None:
    """There are two of them in a context."""
    wrong: dict[str, Any] = {name: 65_536}
    with pytest.raises(ValueError, match=f"^{name} is 65536: expected 0 to 65535$"):
        Context(**wrong)


async def test_one_text_is_not_several() -> None:
    """Its characters would be taken, each for one; and a filter's unknown part would not count."""
    with pytest.raises(TypeError, match=r"kinds is of type str: expected several, such as a list"):
        await call(events.Events, "read", kinds="node_registered")
    with pytest.raises(TypeError, match=r"list\(\) has no 'state': it takes states, selector"):
        await call(nodes.Nodes, "list", state="CONNECTED")
    with pytest.raises(TypeError, match=r"nodes\[1\] is of type bytes: expected a text") as refused:
        await call(nodes.Nodes, "unregister", "web-1", b"c604")
    assert "c604" not in str(refused.value)
