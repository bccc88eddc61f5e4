"""What the contract has an operation answer, as the model stands.

`expect` carries the operation out on the model and says which answer a client should see: the code,
and what is told beside it. Messages are their writer's choice; why something is refused is kept as
one word, so that a law can ask that different mistakes read differently.
"""

import re
from typing import Any, NamedTuple

from nc.testing.contract.model import CONNECTED, IDLE, Model, Moment, Refused
from nc.testing.contract.operations import (
    ADMIN,
    SERVER_NODE,
    CheckHealth,
    CheckState,
    CloseLink,
    GetAddress,
    Handshake,
    IssueToken,
    OpenLink,
    Operation,
    Port,
    Redeem,
    SetExpiries,
    Sweep,
    Unregister,
)
from nc.testing.contract.overlay import server_address

OK = "200"
MISTAKE = "400"
DENIED = "PERMISSION_DENIED"

_TOKEN = re.compile(r"[0-9a-f]{16}")


class Facts(NamedTuple):
    """What an answer says, without the words that its writer chose and what was drawn by lot."""

    code: str
    state: int | None = None
    address: str | None = None
    result: bool | None = None


class Expected(NamedTuple):
    """The answer that the contract asks for."""

    facts: Facts
    reason: str = ""  # of a refusal


class _Denied(Refused):
    """The caller may not do this."""


def expect(
    model: Model, operation: Operation, now: Moment, arrival: Model | None = None
) -> Expected:
    """Carry the operation out on the model; the answer that a client should see.

    Args:
        model: as it is when the operation takes effect; it is changed.
        operation: what is asked for.
        now: when.
        arrival: the model when the operation came, if others ran since: its caller may have been
            looked at then.
    """
    model.act_alone(now)
    try:
        checked = model if arrival is None else arrival
        if arrival is not None and getattr(operation, "caller", ADMIN) != ADMIN:
            checked = model.choose([model, arrival.copy(model.choose)])
        _check_caller(checked, operation, now)
        return Expected(_carry_out(model, operation, now))
    except _Denied as denied:
        return Expected(Facts(DENIED), str(denied))
    except Refused as refused:
        facts = Facts(MISTAKE)
        if isinstance(operation, CheckState):
            facts = facts._replace(state=IDLE, address="")
        elif isinstance(operation, GetAddress):
            facts = facts._replace(address="")
        elif isinstance(operation, Unregister):
            facts = facts._replace(result=False)
        return Expected(facts, str(refused))


def _carry_out(model: Model, operation: Operation, now: Moment) -> Facts:
    match operation:
        case CheckHealth():
            return Facts(OK)
        case IssueToken(token, minutes):
            model.issue(token, minutes, now)
        case Redeem(token, node):
            _check_well_formed(model, token)
            model.redeem(token, node, now)
        case CheckState() | GetAddress():
            return _answer_query(model, operation, now)
        case Unregister(node):
            _check_node_token(node)
            model.unregister(node)
            return Facts(OK, result=True)
        case SetExpiries(expiries):
            if any(node == SERVER_NODE for node, _ in expiries):
                raise Refused("ServerNodeFixed")
            model.set_expiries([(node, s * 1000) for node, s in expiries], now)
        case OpenLink() | Handshake() | CloseLink():
            return _carry_out_on_link(model, operation, now)
        case Sweep():
            model.expire(now)
            model.forget(now)
    return Facts(OK)


def _carry_out_on_link(
    model: Model, operation: OpenLink | Handshake | CloseLink, now: Moment
) -> Facts:
    node, link = operation.node, operation.link
    match operation:
        case OpenLink():
            model.accept(node, link, now)
        case Handshake():
            model.hand_over(node, link, now)
            return Facts(OK, address=model.held[node])
        case CloseLink():
            model.drop(node, link)
    return Facts(OK)


def _answer_query(model: Model, query: CheckState | GetAddress, now: Moment) -> Facts:
    state: int | None
    if query.node == SERVER_NODE:
        state, address = CONNECTED, server_address(model.network)
    else:
        if not query.node:
            raise Refused("NodeTokenEmpty")
        model.check_live(query.node, now)
        state = model.links.get(query.node, (IDLE, ""))[0]
        address = model.held.get(query.node, "")
    return Facts(OK, state if isinstance(query, CheckState) else None, address)


def _check_caller(model: Model, operation: Any, now: Moment) -> None:
    """Who may call what (contract, §4). An operation without a caller needs none."""
    caller = getattr(operation, "caller", ADMIN)
    if caller == ADMIN or getattr(operation, "port", Port.CONTROL) is Port.BOOTSTRAP:
        return
    try:
        model.check_live(caller, now)
    except Refused as refused:
        raise _Denied(f"Caller{refused}") from None
    if isinstance(operation, IssueToken | SetExpiries):
        raise _Denied("AdminOnly")
    if isinstance(operation, Unregister) and operation.node != caller:
        raise _Denied("NotItself")


def _check_well_formed(model: Model, token: str) -> None:
    if not token:
        raise Refused("BootstrapTokenEmpty")
    if token not in model.tokens and not _TOKEN.fullmatch(token) and " " not in token:
        raise Refused("BootstrapTokenMalformed")  # names have a space; they stand for real tokens


def _check_node_token(node: str) -> None:
    if not node:
        raise Refused("NodeTokenEmpty")
    if node == SERVER_NODE:
        raise Refused("ServerNodeFixed")
