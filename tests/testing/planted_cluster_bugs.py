"""Realistic bugs of links, agents and replicas that share a log: only a cluster shows them."""

from tests.testing import (
    planted_cluster_link_bugs,
    planted_cluster_log_bugs,
    planted_cluster_packet_bugs,
    planted_leader_bugs,
)
from tests.testing.cluster_planting import ClusterBug

CLUSTER_BUGS: list[ClusterBug] = [
    *planted_cluster_link_bugs.BUGS,
    *planted_cluster_log_bugs.BUGS,
    *planted_leader_bugs.BUGS,
    *planted_cluster_packet_bugs.BUGS,
]
