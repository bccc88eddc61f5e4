"""The answer that the contract demands for an operation, given the model's state.

`expect` carries the operation out on the model and says which answer a client should see: the code,
and what it contains. Messages are their writer's choice; why something is refused is kept as
one word, so that a law can ask that different mistakes read differently.
"""

import re
from typing import Any, NamedTuple

from nc.testing.contract import operations as ops
from nc.testing.contract.model import CONNECTED, IDLE, Model, Moment, Refused
from nc.testing.contract.overlay import server_address

OK = "200"
MISTAKE = "400"
DENIED = "PERMISSION_DENIED"

_TOKEN = re.compile(r"[0-9a-f]{16}")


class Facts(NamedTuple):
    """The content of an answer, without its message and its random values."""

    code: str
    state: int | None = None
    address: str | None = None
    result: bool | None = None


class Expected(NamedTuple):
    facts: Facts
    reason: str = ""  # of a refusal


class _Denied(Refused):
    pass


def expect(
    model: Model, operation: ops.Operation, now: Moment, arrival: Model | None = None
) -> Expected:
    """Carry the operation out on the model; the answer that a client should see.

    `arrival` is the model when the operation came, if others ran since: its caller may have been
    checked then.
    """
    model.act_alone(now)
    try:
        checked = model if arrival is None else arrival
        if arrival is not None and getattr(operation, "caller", ops.ADMIN) != ops.ADMIN:
            checked = model.choose([model, arrival.copy(model.choose)])
        _check_caller(checked, operation, now)
        return Expected(_carry_out(model, operation, now))
    except _Denied as denied:
        return Expected(Facts(DENIED), str(denied))
    except Refused as refused:
        facts = Facts(MISTAKE)
        if isinstance(operation, ops.CheckState):
            facts = facts._replace(state=IDLE, address="")
        elif isinstance(operation, ops.GetAddress):
            facts = facts._replace(address="")
        elif isinstance(operation, ops.Unregister):
            facts = facts._replace(result=False)
        return Expected(facts, str(refused))


def _carry_out(model: Model, operation: ops.Operation, now: Moment) -> Facts:
    match operation:
        case ops.CheckHealth():
            return Facts(OK)
        case ops.IssueToken(token, minutes):
            model.issue(token, minutes, now)
        case ops.Redeem(token, node):
            _check_well_formed(model, token)
            model.redeem(token, node, now)
        case ops.CheckState() | ops.GetAddress():
            return _answer_query(model, operation, now)
        case ops.Unregister(node):
            _check_node_token(node)
            model.unregister(node)
            return Facts(OK, result=True)
        case ops.SetExpiries(expiries):
            if any(node == ops.SERVER_NODE for node, _ in expiries):
                raise Refused("ServerNodeFixed")
            model.set_expiries([(node, s * 1000) for node, s in expiries], now)
        case ops.OpenLink() | ops.Handshake() | ops.CloseLink():
            return _carry_out_on_link(model, operation, now)
        case ops.Sweep():
            model.expire(now)
            model.forget(now)
    return Facts(OK)


def _carry_out_on_link(
    model: Model, operation: ops.OpenLink | ops.Handshake | ops.CloseLink, now: Moment
) -> Facts:
    node, link = operation.node, operation.link
    match operation:
        case ops.OpenLink():
            model.accept(node, link, now)
        case ops.Handshake():
            model.hand_over(node, link, now)
            return Facts(OK, address=model.held[node])
        case ops.CloseLink():
            model.drop(node, link)
    return Facts(OK)


def _answer_query(model: Model, query: ops.CheckState | ops.GetAddress, now: Moment) -> Facts:
    state: int | None
    if query.node == ops.SERVER_NODE:
        state, address = CONNECTED, server_address(model.network)
    else:
        if not query.node:
            raise Refused("NodeTokenEmpty")
        model.check_live(query.node, now)
        state = model.links.get(query.node, (IDLE, ""))[0]
        address = model.held.get(query.node, "")
    return Facts(OK, state if isinstance(query, ops.CheckState) else None, address)


def _check_caller(model: Model, operation: Any, now: Moment) -> None:
    """Who may call what (contract, §4). An operation without a caller needs none."""
    caller = getattr(operation, "caller", ops.ADMIN)
    if caller == ops.ADMIN or getattr(operation, "port", ops.Port.CONTROL) is ops.Port.BOOTSTRAP:
        return
    try:
        model.check_live(caller, now)
    except Refused as refused:
        raise _Denied(f"Caller{refused}") from None
    if isinstance(operation, ops.IssueToken | ops.SetExpiries):
        raise _Denied("AdminOnly")
    if isinstance(operation, ops.Unregister) and operation.node != caller:
        raise _Denied("NotItself")


def _check_well_formed(model: Model, token: str) -> None:
    if not token:
        raise Refused("BootstrapTokenEmpty")
    if token not in model.tokens and not _TOKEN.fullmatch(token) and " " not in token:
        raise Refused("BootstrapTokenMalformed")  # names have a space; they stand for real tokens


def _check_node_token(node: str) -> None:
    if not node:
        raise Refused("NodeTokenEmpty")
    if node == ops.SERVER_NODE:
        raise Refused("ServerNodeFixed")
