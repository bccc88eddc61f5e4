"""Short ways to make a history: commands in, the state that they lead to out."""

from collections.abc import Callable, Iterable, Iterator
from itertools import count

from nc.domain.decide import Command, decide
from nc.domain.events import Event, pb
from nc.domain.evolve import evolve
from nc.domain.fsm import ConnectionState
from nc.domain.links import AcceptLink, DropLink, HandOverAddress, link_of
from nc.domain.replicas import StartReplica
from nc.domain.state import State
from nc.domain.tokens import IssueToken, RedeemToken

NOW_MS = 1_800_000_000_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000
CLOSED = pb.STATE_CHANGE_REASON_LINK_CLOSED


def after(state: State, *commands: Command) -> State:
    """The state once all the commands have been carried out."""
    for command in commands:
        state = evolve(state, decide(state, command))
    return state


def started(network: str = "10.1.1.1/24", state: State | None = None) -> State:
    """A replica has started on this network, and there is a token `t` that never expires."""
    started = after(state or State(), StartReplica("r", "1", network))
    return started if "t" in started.tokens else after(started, IssueToken("t", -1, NOW_MS))


def register(*node_ids: str) -> list[Command]:
    """Each of the nodes redeems the token `t`."""
    return [RedeemToken("t", node_id, (), NOW_MS) for node_id in node_ids]


def connect(*node_ids: str) -> list[Command]:
    """Each of the nodes is accepted on a link of its own name, and is handed its address."""
    return [
        command(node_id, f"link-{node_id}", NOW_MS, reclaim_after_ms=0)
        for node_id in node_ids
        for command in (AcceptLink, HandOverAddress)
    ]


def disconnect(*node_ids: str) -> list[Command]:
    """The link of each of the nodes closes."""
    return [DropLink(node_id, f"link-{node_id}", CLOSED) for node_id in node_ids]


def newcomers(prefix: str = "node") -> Iterator[str]:
    """Node ids that were not used before."""
    return (f"{prefix}-{number}" for number in count())


def state_of(state: State, node_id: str) -> ConnectionState:
    """Where the node's link is."""
    return link_of(state.links, node_id).state


def address_of(state: State, node_id: str) -> str:
    """The node's address, "" if it holds none."""
    return state.addresses.address_of(node_id)


def kinds(events: Iterable[Event]) -> list[str | None]:
    """What kinds of events these are."""
    return [event.WhichOneof("kind") for event in events]


def refusal(action: Callable[[], object]) -> type[Exception] | None:
    """The kind of error that the action raises, None if it does not."""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - compared by its kind
        return type(error)
    return None


def refused(state: State, command: Command) -> type[Exception] | None:
    """The kind of error by which the command is refused, None if it is not."""
    return refusal(lambda: decide(state, command))
