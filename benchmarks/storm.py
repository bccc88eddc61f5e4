"""How long until all nodes are linked again after an outage, and how many wait at a time?

Question: servers that were gone come back, or the network between them and all their nodes does.
What do 10,000 and 100,000 agents, with their real order of addresses and their real waits between
tries, make of servers that open links at the measured rate? Simulated: time is virtual, and a
server is its one core, which opens one link after the other, with the hub's places for newcomers;
of several servers one decides, and carries out two commands for each link. The rates are those that
`reconnects.py` and `replicas.py` measured. The baseline is the work alone: the same links one after
the other, without waits and tries that fail.

What it leaves out: packets that are lost, agents that share an address, the cost of a link that was
opened too late, and everything else that servers have to do.

    python benchmarks/storm.py [--agents 10000 100000] [--servers 1 4] [--outage 5 60]
                               [--link-ms 2.65] [--commands 3000] [--seed 1] [--json FILE]
"""

import argparse
import heapq
import json
import sys
from collections import OrderedDict
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))
from nc.agent.addresses import KnownAddresses
from nc.agent.agent import _FIRST_ROUND_TIMEOUT_S
from nc.agent.connection import CONNECT_TIMEOUT_S
from nc.agent.link_errors import LinkEnded
from nc.agent.retries import Retries
from nc.hub.limits import Limits
from nc.hub.reachable import Reachable
from nc.net.wire import Address
from nc.testing.seeded_random import SeededRandom

COMMANDS_A_LINK: Final = 2
LINKED_BEFORE_S: Final = 3600.0
SILENCE_S: Final = 15.0  # what an agent takes to notice that its network is gone, at most
LIMITS: Final = Limits()


class Figures(NamedTuple):
    """Of one storm; seconds from the moment when the servers are there again."""

    agents: int
    servers: int
    outage_s: float
    work_alone_s: float
    half_s: float
    most_s: float  # 99 %
    all_s: float
    tries: float  # an agent, on average
    too_late: int  # tries that an agent gave up
    turned_away: int  # tries for which there was no place
    most_waiting: int  # at one server


class Loop:
    """Virtual time."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def at(self, when_s: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._due, (when_s, next(self._numbers), do))

    def run(self) -> None:
        while self._due:
            self.now_s, _, do = heapq.heappop(self._due)
            do()


class Leader:
    """Carries out commands, one after the other."""

    def __init__(self, commands_a_second: float) -> None:
        self._each_s = COMMANDS_A_LINK / commands_a_second
        self._free_s = 0.0

    def done_s(self, now_s: float) -> float:
        """When the commands of one link are."""
        self._free_s = max(self._free_s, now_s) + self._each_s
        return self._free_s


class Server:
    """One core, and who waits for it, the oldest first."""

    def __init__(self, loop: Loop, leader: Leader, link_s: float, up_s: float) -> None:
        self._loop, self._leader, self._link_s = loop, leader, link_s
        self.up_s = up_s
        self._waiting: OrderedDict[Agent, None] = OrderedDict()
        self._is_busy = False
        self.most_waiting = self.turned_away = self.links = 0

    def arrive(self, agent: "Agent") -> None:
        if self.links >= LIMITS.max_links:
            self._loop.at(self._loop.now_s, agent.fail)
            return
        if len(self._waiting) >= LIMITS.max_newcomers + LIMITS.max_waiting:
            self.turned_away += 1
            oldest, _ = self._waiting.popitem(last=False)
            self._loop.at(self._loop.now_s, oldest.fail)
        self._waiting[agent] = None
        self.most_waiting = max(self.most_waiting, len(self._waiting))
        self._next()

    def leave(self, agent: "Agent") -> None:
        self._waiting.pop(agent, None)

    def _next(self) -> None:
        if self._is_busy or not self._waiting:
            return
        self._is_busy = True
        agent, _ = self._waiting.popitem(last=False)
        attempt = agent.attempt
        self._loop.at(self._loop.now_s + self._link_s, lambda: self._opened(agent, attempt))

    def _opened(self, agent: "Agent", attempt: int) -> None:
        self._is_busy = False
        done_s = self._leader.done_s(self._loop.now_s)
        self._loop.at(done_s, lambda: agent.link(attempt))
        self._next()


class Agent:
    """One node's agent, from the loss of its link to the next one."""

    def __init__(
        self, loop: Loop, servers: dict[Address, Server], known: KnownAddresses, retries: Retries
    ) -> None:
        self._loop, self._servers = loop, servers
        self._known, self._retries = known, retries
        self._round: list[Address] = []
        self._server: Server | None = None
        self.attempt = self.too_late = 0
        self.linked_s = -1.0

    def lose(self) -> None:
        """Its link has ended."""
        self._known.lost(self._known.all[0])
        self._wait(LINKED_BEFORE_S)

    def _wait(self, connected_s: float) -> None:
        has_others = len(self._known.all) > 1
        delay_s = self._retries.delay_s(LinkEnded("gone"), connected_s, has_others=has_others)
        self._loop.at(self._loop.now_s + delay_s, self._begin)

    def _begin(self) -> None:
        self._round = list(self._known.all)
        self._try()

    def _try(self) -> None:
        self.attempt += 1
        attempt, server = self.attempt, self._servers[self._round.pop(0)]
        now_s = self._loop.now_s
        if now_s < server.up_s:  # refused, or no way to it
            self.fail()
            return
        self._server = server
        is_short = len(self._servers) > 1 and self._retries.is_early
        timeout_s = _FIRST_ROUND_TIMEOUT_S if is_short else CONNECT_TIMEOUT_S
        self._loop.at(now_s + timeout_s, lambda: self._give_up(attempt))
        server.arrive(self)

    def _give_up(self, attempt: int) -> None:
        if attempt == self.attempt and self.linked_s < 0 and self._server is not None:
            self._server.leave(self)
            self.too_late += 1
            self.fail()

    def fail(self) -> None:
        """This try has failed: the next address, or a wait."""
        self._server = None
        if self._round:
            self._try()
        else:
            self._wait(0.0)

    def link(self, attempt: int) -> None:
        """The server has opened a link; too late if the agent has given up by then."""
        if attempt == self.attempt and self._server is not None and self.linked_s < 0:
            self._server.links += 1
            self.linked_s = self._loop.now_s


def storm(
    agents: int, servers: int, outage_s: float, link_s: float, commands: float, seed: int
) -> Figures:
    """Play one: all links are lost within `SILENCE_S`, or at once in an outage that is shorter."""
    loop, random = Loop(), SeededRandom(("storm", seed))
    leader = Leader(commands)
    places: list[Address] = [(f"192.0.2.{number}", 6441) for number in range(1, servers + 1)]
    by_place = {place: Server(loop, leader, link_s, outage_s) for place in places}
    told = {place: Reachable() for place in places}
    for place, reachable in told.items():
        reachable.own = (place,)
        reachable.change(tuple(other for other in places if other != place))
    made: list[Agent] = []
    noticed_s = SILENCE_S if outage_s > SILENCE_S else 0.0
    for number in range(agents):
        place = places[number % servers]
        known = KnownAddresses(None, place)
        known.linked(place, told[place].told())
        agent = Agent(loop, by_place, known, Retries(random))
        made.append(agent)
        loop.at(noticed_s * random.random(), agent.lose)
    loop.run()
    linked_s = sorted(agent.linked_s - outage_s for agent in made)
    return Figures(
        agents,
        servers,
        outage_s,
        max(agents / servers * link_s, agents * COMMANDS_A_LINK / commands),
        linked_s[agents // 2],
        linked_s[-(-agents * 99 // 100) - 1],
        linked_s[-1],
        sum(agent.attempt for agent in made) / agents,
        sum(agent.too_late for agent in made),
        sum(server.turned_away for server in by_place.values()),
        max(server.most_waiting for server in by_place.values()),
    )


HEADINGS: Final = (
    *("agents", "servers", "outage s", "work alone s", "half s", "99 % s", "all s", "tries"),
    *("given up", "turned away", "most waiting"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agents", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--servers", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--outage", type=float, nargs="+", default=[5.0, 60.0])
    parser.add_argument("--link-ms", type=float, default=2.65)
    parser.add_argument("--commands", type=float, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    print("  ".join(f"{heading:>12}" for heading in HEADINGS))
    made = []
    for agents in args.agents:
        for servers in args.servers:
            if agents > servers * LIMITS.max_links:
                continue  # there is no room for all
            for outage_s in args.outage:
                figures = storm(
                    *(agents, servers, outage_s, args.link_ms / 1000, args.commands, args.seed)
                )
                made.append(figures._asdict())
                print("  ".join(f"{value:>12.7g}" for value in map(_rounded, figures)), flush=True)
    if args.json:
        args.json.write_text(json.dumps(made, indent=2))


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else round(value, 1)


if __name__ == "__main__":
    main()
