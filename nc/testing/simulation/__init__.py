"""A whole cluster in one thread, from a seed: server, agents, network, disk, time.

    report = simulate(examples=20, seed=7)
    report.require()

Everything above sockets and files is the real code: edge, controller, replica, log, hub, switch,
picows, the agents. The same seed gives the same history, byte for byte. docs/harness.md says more.
"""

from nc.testing.simulation.acts import Plan
from nc.testing.simulation.laws import SIMULATION_LAWS
from nc.testing.simulation.playing import play
from nc.testing.simulation.search import keep_log, seq_of, simulate
from nc.testing.simulation.workload import draw

__all__ = ["SIMULATION_LAWS", "Plan", "draw", "keep_log", "play", "seq_of", "simulate"]
