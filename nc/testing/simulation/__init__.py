"""A whole cluster in one thread, from a seed: server, agents, network, disk, time.

    report = search(Simulation(), examples=20, seed=7)
    report.require()

Everything above sockets and files is the real code: edge, controller, replica, log, hub, switch,
picows, the agents. The same seed gives the same history, byte for byte. docs/how-to/harness.md has
more.
"""

from nc.testing.simulation.actions import Plan
from nc.testing.simulation.chronicle import Chronicle
from nc.testing.simulation.playing import play
from nc.testing.simulation.simulation import Simulation, keep_log, seq_of
from nc.testing.simulation.workload import draw

__all__ = ["Chronicle", "Plan", "Simulation", "draw", "keep_log", "play", "seq_of"]
