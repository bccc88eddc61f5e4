"""Operations: what clients and nodes ask of a network controller.

Tokens, nodes and links have names here (`token 1`, `node 2`, `link 3`), which a target turns into
the real ones that it was given: so a history reads the same for every target. A text that is no
name is sent as it is, which is how a wrong token is spelled.

An operation is one class, which says all of it: what is asked for, the RPC that it is, who may
call it, and the answer that the contract demands, given the model's state.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Final, NamedTuple

from nc.testing.contract.model import Model
from nc.testing.contract.overlay import server_address
from nc.testing.contract.values import ADMIN, CONNECTED, IDLE, Moment, Refused, owner

SERVER_NODE = "reserverd"  # the node token that stands for the server itself, spelled so
OK: Final = "200"
MISTAKE: Final = "400"
DENIED: Final = "PERMISSION_DENIED"

_TOKEN: Final = re.compile(r"[0-9a-f]{16}")
TokenOf = Callable[[str], str]  # the real token that stands behind a name


class Port(Enum):
    CONTROL = "control port"
    BOOTSTRAP = "bootstrap port"


class Facts(NamedTuple):
    """The content of an answer, without its message and its random values."""

    code: str
    state: int | None = None
    address: str | None = None
    result: bool | None = None
    said: tuple[str, ...] = ()  # of a node: name, with # for digits of its id, label, and facts


class Denied(Refused):
    """The caller may not do this."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What is asked for.

    Attributes:
        refused: what a refusal contains.
        statuses: of refusals, by the reasons of `Refused`; {}: they are no gRPC statuses.
        event: the kind of the event that it leaves in the log, just once.
    """

    refused: ClassVar[Facts] = Facts(MISTAKE)
    statuses: ClassVar[Mapping[str, str]] = {}
    event: ClassVar[str] = ""
    reads: ClassVar[bool] = False  # it only asks

    @property
    def is_checked_at_once(self) -> bool:
        """Whether who asks is checked when it is asked, and others may come before it then."""
        return self.shown not in {"", ADMIN}

    @property
    def shown(self) -> str:
        """Whose certificate it comes with; "" with none."""
        is_bootstrap = getattr(self, "port", Port.CONTROL) is Port.BOOTSTRAP
        return "" if is_bootstrap else getattr(self, "caller", ADMIN)

    def check_caller(self, model: Model, now: Moment) -> None:
        """Refuse who may not call it (contract, §4); raises `Denied`."""

    def change(self, _model: Model, _now: Moment) -> None:
        """Carry it out on the model. Raises `Refused`."""

    def expect(self, model: Model, now: Moment) -> Facts:
        """Carry it out on the model; what a client should see. Raises `Refused`."""
        self.change(model, now)
        return Facts(OK)

    def refusal(self, reason: str) -> Facts:
        """The answer that says no, for a reason of `Refused`."""
        return Facts(self.statuses[reason]) if self.statuses else self.refused


@dataclass(frozen=True, slots=True)
class Call(Operation):
    """An RPC.

    Attributes:
        method: the RPC's name.
        is_admins: whether only the administrator may call it.
    """

    method: ClassVar[str]
    is_admins: ClassVar[bool] = False

    def check_caller(self, model: Model, now: Moment) -> None:
        if not self.shown:
            return
        try:
            if self.shown in model.operators:
                model.check_operator(self.shown, now, reads=self.reads)
                return
            model.check_live(owner(self.shown), now)
        except Refused as refused:
            raise Denied(f"Caller{refused}") from None
        if self.is_admins:
            raise Denied("AdminOnly")

    def fields(self, _token: TokenOf) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class IssueToken(Call):
    token: str  # the name that it gets
    minutes: int  # 0: the default; negative: for ever
    caller: str = ADMIN
    method = "GetBootStrapToken"
    is_admins = True
    event = "token_issued"

    def fields(self, _token: TokenOf) -> dict[str, Any]:
        return {"expireTime": self.minutes}

    def change(self, model: Model, now: Moment) -> None:
        model.issue(self.token, self.minutes, now)


@dataclass(frozen=True, slots=True)
class Redeem(Call):
    token: str
    node: str  # the name that the new node gets
    port: Port = Port.BOOTSTRAP
    caller: str = ADMIN  # on the control port
    method = "GetToken"
    event = "node_registered"
    is_repeatable: ClassVar[bool] = False  # another one with the same node is the same attempt

    def fields(self, token: TokenOf) -> dict[str, Any]:
        return {"bootStrapToken": token(self.token)}

    def check_token(self, model: Model) -> None:
        if not self.token:
            raise Refused("BootstrapTokenEmpty")
        is_name = self.token in model.tokens or " " in self.token  # names stand for real tokens
        if not is_name and not _TOKEN.fullmatch(self.token):
            raise Refused("BootstrapTokenMalformed")

    def change(self, model: Model, now: Moment) -> None:
        self.check_token(model)
        model.redeem(self.token, self.node, now)


@dataclass(frozen=True, slots=True)
class Query(Call):
    node: str
    caller: str = ADMIN
    reads = True

    def fields(self, token: TokenOf) -> dict[str, Any]:
        return {"token": token(self.node)}

    def _look(self, model: Model, now: Moment) -> tuple[int, str]:
        if self.node == SERVER_NODE:
            return CONNECTED, server_address(model.network)
        if not self.node:
            raise Refused("NodeTokenEmpty")
        model.check_live(self.node, now)
        return model.links.get(self.node, (IDLE, ""))[0], model.held.get(self.node, "")


class CheckState(Query):
    __slots__ = ()
    method = "CheckConnState"
    refused = Facts(MISTAKE, IDLE, "")

    def expect(self, model: Model, now: Moment) -> Facts:
        return Facts(OK, *self._look(model, now))


class GetAddress(Query):
    __slots__ = ()
    method = "GetRegistedIp"
    refused = Facts(MISTAKE, address="")

    def expect(self, model: Model, now: Moment) -> Facts:
        return Facts(OK, address=self._look(model, now)[1])


@dataclass(frozen=True, slots=True)
class Unregister(Call):
    node: str
    caller: str = ADMIN
    method = "UnRegister"
    refused = Facts(MISTAKE, result=False)
    event = "unregistered"

    def fields(self, token: TokenOf) -> dict[str, Any]:
        return {"token": token(self.node)}

    def check_caller(self, model: Model, now: Moment) -> None:
        Call.check_caller(self, model, now)
        if self.caller not in model.operators and owner(self.caller) != self.node:
            raise Denied("NotItself")

    def expect(self, model: Model, _now: Moment) -> Facts:
        if not self.node:
            raise Refused("NodeTokenEmpty")
        if self.node == SERVER_NODE:
            raise Refused("ServerNodeFixed")
        model.unregister(self.node)
        return Facts(OK, result=True)


@dataclass(frozen=True, slots=True)
class SetExpiries(Call):
    expiries: tuple[tuple[str, int], ...]  # node, and Unix seconds or 0 for never
    caller: str = ADMIN
    method = "UpdateSensorExpireTime"
    is_admins = True

    def fields(self, token: TokenOf) -> dict[str, Any]:
        listed = [
            {"deviceToken": token(node).encode(), "expireTime": s} for node, s in self.expiries
        ]
        return {"sensorExpire": listed}

    def change(self, model: Model, now: Moment) -> None:
        if any(node == SERVER_NODE for node, _ in self.expiries):
            raise Refused("ServerNodeFixed")
        model.set_expiries([(node, s * 1000) for node, s in self.expiries], now)


@dataclass(frozen=True, slots=True)
class CheckHealth(Call):
    port: Port = Port.CONTROL
    method = "HealthCheck"
    reads = True


@dataclass(frozen=True, slots=True)
class LinkOperation(Operation):
    node: str
    link: str


class OpenLink(LinkOperation):
    __slots__ = ()

    def change(self, model: Model, now: Moment) -> None:
        model.accept(self.node, self.link, now)


class Handshake(LinkOperation):
    """A node asks on its link for its address."""

    __slots__ = ()
    event = "state_changed"

    def expect(self, model: Model, now: Moment) -> Facts:
        model.hand_over(self.node, self.link, now)
        return Facts(OK, address=model.held[self.node])


class CloseLink(LinkOperation):
    __slots__ = ()

    def change(self, model: Model, _now: Moment) -> None:
        model.drop(self.node, self.link)


@dataclass(frozen=True, slots=True)
class Sweep(Operation):
    """The server sweeps expired nodes and tokens; in real time it also does so by itself."""

    def change(self, model: Model, now: Moment) -> None:
        model.expire(now)
        model.forget(now)
