"""What goes wrong in the field for a while: clocks, a wrong server, folders that are gone.

Each function begins a fault, and gives what puts it right again.
"""

from collections.abc import Callable

from eventlog import MemoryLog
from nc.testing.contract.laws.cluster import ONCE_ENROLLED
from nc.testing.simulation import actions as act
from nc.testing.simulation.cluster import Cluster
from nc.testing.simulation.network import ANOTHER_SERVER
from nc.testing.simulation.servers import SimulatedServer

PutRight = Callable[[], None]


def begin_fault(cluster: Cluster, fault: act.Fault) -> PutRight | None:
    """Begin a fault; None: it cannot be just now."""
    match fault:
        case act.StepClock(_, _, node, by_ms):
            return _step_clock(cluster, node, by_ms)
        case act.Misdirect(_, _, to) if cluster.network.misdirected_to is None:
            return _misdirect(cluster, to)
        case act.LoseData(_, _, parts) if not cluster.plan.is_shared:
            return cluster.sites[0].lose_data(parts)
        case act.LoseFolder(_, _, node) if node in cluster.machines:
            return _lose_folder(cluster, node)
    return None


def _step_clock(cluster: Cluster, node: str | None, by_ms: int) -> PutRight | None:
    """A clock that is wrong already is wrong by another amount, until the first of both ends."""
    if node is not None and node not in cluster.machines:
        return None
    whose = "the server" if node is None else node

    def step_to(offset_ms: int) -> None:
        cluster.note(f"the clock of {whose} is set to {offset_ms / 1000:+g} s")
        if node is None:
            cluster.clock.offset_ms = offset_ms
            cluster.clock_set_at_s = cluster.now_s
        else:
            cluster.machines[node].clock.offset_ms = offset_ms

    step_to(by_ms)
    return lambda: step_to(0)


def _misdirect(cluster: Cluster, to: act.WrongServer) -> PutRight:
    network = cluster.network
    cluster.note(f"at the server's address there is {to.value}")
    network.misdirected_to = to
    cluster.certificates.is_other_ca = to is act.WrongServer.OTHER_CA
    another = _begin_another(cluster) if to is act.WrongServer.EMPTY_LOG else None
    _break_links(cluster)

    def put_right() -> None:
        cluster.note("the server is at its address again")
        network.misdirected_to = None
        cluster.certificates.is_other_ca = False
        if another is not None:
            strangers = len(another.replica.state.nodes)
            what = f"a server with an empty log has {strangers} nodes"
            cluster.saw(ONCE_ENROLLED, what, holds=strangers == 0)
            network.end_life(another.life, silently=False)
            another.life.end()

    return put_right


def _begin_another(cluster: Cluster) -> SimulatedServer:
    """A server with our CA and key, which knows no node."""
    another = cluster.make_server(
        "another server", MemoryLog(cluster.time.now_ns), ANOTHER_SERVER, cluster.time
    )
    another.life.run(another.start())
    return another


def _break_links(cluster: Cluster) -> None:
    for name in cluster.machines:
        cluster.network.reset(name, at_server=False)


def _lose_folder(cluster: Cluster, node: str) -> PutRight:
    cluster.note(f"the state folder of {node} is gone")
    missing = cluster.certificates.missing
    missing.add(node)

    def put_right() -> None:
        cluster.note(f"the state folder of {node} is back")
        missing.discard(node)

    return put_right
