"""From the rows of an upstream database to what is imported of them. Pure.

A row that cannot be imported is left out, with the reason. Some are left out as a matter of
course, such as expired tokens; the others are problems, which an operator has to see first. No
reason repeats a token.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Final

from nc.contract import SERVER_NODE_TOKEN
from nc.domain.addresses import Addresses, is_assignable
from nc.domain.expiry import NEVER, has_passed
from nc.domain.litekube_import import ImportedNode, ImportedToken
from nc.domain.network import Network
from nc.errors import ConfigError
from nc.secrets import LONGEST_TOKEN
from nc.server.litekube.database import NODES, TOKENS, UpstreamDatabase
from nc.text import moment, quoted

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# A token whose expiry the database does not say is good for so long from the import on.
UNSAID_LIFETIME: Final = timedelta(days=1)


class TimezoneMissing(ConfigError):
    """A time of the database has no zone, and none was given."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row, or its address, that is not imported.

    Attributes:
        row: the row's id.
        is_problem: an operator has to allow it.
    """

    table: str
    row: str
    reason: str
    is_problem: bool = True

    def __str__(self) -> str:
        return f"{self.table} row {self.row}: {self.reason}"


@dataclass(slots=True)
class Plan:
    """What is imported, each with its row, nodes in the order of their addresses."""

    tokens: list[tuple[str, ImportedToken]] = field(default_factory=list)
    nodes: list[tuple[str, ImportedNode]] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[LeftOut] = field(default_factory=list)  # imported, but not as the row says

    @property
    def problems(self) -> list[LeftOut]:
        return [each for each in self.left_out if each.is_problem]


def plan_import(
    database: UpstreamDatabase,
    id_of: Callable[[str], str],
    network: Network,
    zone: tzinfo | None,
    now: datetime,
) -> Plan:
    """Decide about each row.

    Args:
        database: what was read.
        id_of: makes the id of a token.
        network: that the addresses have to be in.
        zone: of the database's times; None: it is not known.
        now: aware.

    Raises:
        TimezoneMissing: a time has no zone.
    """
    plan = Plan()
    _plan_nodes(plan, database, id_of, network)
    _plan_tokens(plan, database, id_of, zone, now)
    return plan


def _plan_nodes(
    plan: Plan, database: UpstreamDatabase, id_of: Callable[[str], str], network: Network
) -> None:
    seen: set[str] = set()
    held: dict[str, str] = {}
    pool = Addresses(network)
    for row, token, bind_ip in database.nodes:
        if token == SERVER_NODE_TOKEN:  # the server's own row
            continue
        name = _shown(row)
        if problem := _token_problem(token, seen):
            plan.left_out.append(LeftOut(NODES, name, problem))
            continue
        seen.add(token)
        address = _address(bind_ip)
        if address:
            problem = _address_problem(pool, address)
            if not problem and address in held:
                problem = f"its address {address} is also that of row {held[address]}"
        if problem:
            plan.left_out.append(LeftOut(NODES, name, problem))
            address = ""
        elif address:
            held[address] = name
        plan.nodes.append((name, ImportedNode(id_of(token), address)))
    plan.nodes.sort(key=lambda each: _address_number(each[1].address))


def _address_number(address: str) -> int:
    return int(IPv4Address(address)) if address else 1 << 32


def _plan_tokens(
    plan: Plan,
    database: UpstreamDatabase,
    id_of: Callable[[str], str],
    zone: tzinfo | None,
    now: datetime,
) -> None:
    seen: set[str] = set()
    now_ms = _milliseconds(now)
    for row, token, expire_time in database.tokens:
        name = _shown(row)
        problem = _token_problem(token, seen)
        if not problem and token == SERVER_NODE_TOKEN:
            problem = "its token is the server's own"
        if problem:
            plan.left_out.append(LeftOut(TOKENS, name, problem))
            continue
        try:
            expires_at_ms = _expiry_ms(expire_time, zone)
        except ValueError:
            text = f"its expire_time {quoted(str(expire_time))} is no time"
            plan.left_out.append(LeftOut(TOKENS, name, text))
            continue
        if expires_at_ms is None:
            expires_at_ms = _milliseconds(now + UNSAID_LIFETIME)
            text = f"it has no expire_time, and is good until {moment(expires_at_ms)}"
            plan.notes.append(LeftOut(TOKENS, name, text, is_problem=False))
        if has_passed(expires_at_ms, now_ms):
            text = f"it expired at {moment(expires_at_ms)}"
            plan.left_out.append(LeftOut(TOKENS, name, text, is_problem=False))
            continue
        seen.add(token)
        plan.tokens.append((name, ImportedToken(id_of(token), expires_at_ms)))


def _token_problem(token: Any, seen: set[str]) -> str:
    """Why a row's token cannot be used; "" if it can. It need not look like one of ours."""
    if token is None or token == "":
        return "it has no token"
    if not isinstance(token, str):
        return "its token is no text"
    if len(token) > LONGEST_TOKEN:
        return f"its token is longer than {LONGEST_TOKEN} characters"
    if not all("!" <= character <= "~" for character in token):
        return "its token has other characters than visible ones of ASCII"
    if token in seen:
        return "its token is also that of a row before"
    return ""


def _expiry_ms(expire_time: Any, zone: tzinfo | None) -> int | None:
    """Unix milliseconds; NEVER, or None where the database says nothing.

    Raises:
        ValueError: it is no time.
        TimezoneMissing: it has no zone.
    """
    text = "" if expire_time is None else str(expire_time).strip()
    if not text:
        return None
    if text == "-1":
        return NEVER
    at = datetime.fromisoformat(text)
    if at.tzinfo is None and zone is None:
        raise TimezoneMissing(
            f"the database has times without a zone, such as {text}: name the zone of the machine "
            "that wrote them, such as --timezone Europe/Berlin, +08:00 or UTC"
        )
    return max(1, _milliseconds(at if at.tzinfo else at.replace(tzinfo=zone)))


def _milliseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)


def _address(bind_ip: Any) -> str:
    """The address of a row, without a prefix length; "" if it has none."""
    return "" if bind_ip is None else str(bind_ip).strip().partition("/")[0]


def _address_problem(pool: Addresses, address: str) -> str:
    """Why a node cannot have an address; "" if it can."""
    network = pool.network
    what = f"its address {quoted(address)[1:-1]}"
    try:
        number = IPv4Address(address)
    except ValueError:
        return f"{what} is not IPv4"
    if is_assignable(pool, address):
        return ""
    if number not in IPv4Network(str(network), strict=False):
        return f"{what} is not in the network {network}"
    return f"{what} is none that a node gets in {network}: those have an odd host number, from 3 up"


def _shown(row: Any) -> str:
    return quoted(str(row))[1:-1]
