"""The names of all log lines.

Log lines are for operators who watch a process; what happened to the cluster is in the event log.
"""

from typing import Final

RPC: Final = "rpc"  # one line per call
LOOP_ERROR: Final = "loop.error"  # an exception that no caller handled
RPC_GUESSES: Final = "rpc.guesses"  # too many wrong tokens from one address
RPC_CROWDED: Final = "rpc.crowded"  # an address lost connections: too many, or too much on them
RPC_HELD_BACK: Final = (
    "rpc.held_back"  # an address came back too often: most of its SYNs are dropped
)
RPC_UNFILTERED: Final = "rpc.unfiltered"  # the kernel lets the server drop no SYNs and segments
RPC_HUNG_UP: Final = "rpc.hung_up"  # on somebody who went on although refused
RPC_CRASHED: Final = "rpc.crashed"  # a bug of ours, with its traceback

SERVER_STARTED: Final = "server.started"
SERVER_STOPPING: Final = "server.stopping"
SERVER_STOPPED: Final = "server.stopped"
SERVER_RELOADED: Final = "server.reloaded"  # after SIGHUP: log file and certificates
SERVER_EXTRA_FAILED: Final = "server.extra_failed"  # the server goes on without it
SERVER_NEW_CLUSTER: Final = "server.new_cluster"
SERVER_METRICS: Final = "server.metrics"  # where they are served
SERVER_PLAINTEXT: Final = "server.plaintext"
SERVER_INTERNAL_PORT: Final = "server.internal_port"  # it is open
SERVER_UPSTREAM_DATABASE: Final = "server.upstream_database"
REPLICA_ADMITTED: Final = "replica.admitted"  # an invitation has filled the data folder
REPLICA_ADDRESS: Final = "replica.address"  # it may be the wrong one for the others
REPLICA_INVITATION_IGNORED: Final = "replica.invitation_ignored"  # the folder has its keys
CONFIG_OLD_KEY: Final = "config.old_key"  # of an older or newer release
SERVER_FD_LIMIT_LOW: Final = "server.fd_limit_low"

LINK_OPENED: Final = "link.opened"  # a node is connected
LINK_CLOSED: Final = "link.closed"  # or did not get so far; with the reason
LINK_REFUSED: Final = "link.refused"  # no upgrade
PEER_CONNECTED: Final = "peer.connected"  # packets go to another server from now on
PEER_DISCONNECTED: Final = "peer.disconnected"  # and no more, with the reason
PEERS_LOST: Final = "peers.lost"  # this server is cut off: it asks its nodes to go to the others
PEERS_FOUND: Final = "peers.found"  # and now lets them stay
PEER_UNREACHABLE: Final = "peer.unreachable"  # the first of some tries in a row
OWN_ADDRESS: Final = "tun.own_address"  # what this server sends into the overlay comes from it
NO_OWN_ADDRESS: Final = "peer.no_address"  # the pool has none for each server
LINK_CRASHED: Final = "link.crashed"  # a bug of ours, with its traceback

FOLDER_WARNING: Final = "folder.warning"  # who may write into it, or whose it is

CERTIFICATE_MADE: Final = "certificate.made"
CERTIFICATE_WARNING: Final = "certificate.warning"

CLOCK_STEPPED: Final = "clock.stepped"  # the machine's clock was set while the program ran

LOG_OPENED: Final = "log.opened"
LOG_TAIL_CUT: Final = "log.tail_cut"
LOG_UNAVAILABLE: Final = "log.unavailable"
LOG_FULL: Final = "log.full"  # the disk is; nothing is changed until there is room
LOG_LACKING: Final = "log.lacking"  # descriptors, memory or rights are; as above
LOG_STREAM_MADE: Final = "log.stream_made"  # a first start of a cluster
LEADER_ELECTED: Final = "leader.elected"  # this server or another one leads from now on
REPLICA_LOST: Final = "replica.lost"  # a server was silent for too long
LOG_BUSY: Final = "log.busy"  # too few servers of NATS answer; as above
LOG_WRITABLE: Final = "log.writable"  # nothing is lacking any more

SNAPSHOT_SKIPPED: Final = "snapshot.skipped"  # it does not check out; nothing is lost
SNAPSHOT_FAILED: Final = "snapshot.failed"  # one could not be written; nothing is lost

TASK_FAILED: Final = "task.failed"  # it is tried again in its time
TASK_CRASHED: Final = "task.crashed"  # a bug of ours, with its traceback; the server ends

NODE_CERTIFICATES_END: Final = "node.certificates_end"  # and they cannot be renewed

TUN_OPENED: Final = "tun.opened"
TUN_UNAVAILABLE: Final = "tun.unavailable"  # nodes reach each other, but not this server's address
TUN_LOST: Final = "tun.lost"  # it is made anew
TUN_RESTORED: Final = "tun.restored"  # another program had removed its address or route

AGENT_JOINED: Final = "agent.joined"  # a bootstrap token was redeemed
AGENT_CONNECTED: Final = "agent.connected"
AGENT_MOVED: Final = "agent.moved"  # the command line names another address
AGENT_DISCONNECTED: Final = "agent.disconnected"  # or never connected; it is tried again
AGENT_INSECURE: Final = (
    "agent.insecure"  # the token was sent to a server whose certificate was not checked
)
AGENT_REPLACED: Final = "agent.replaced"  # another token has made it another node
AGENT_DEVICE_LOST: Final = "agent.device_lost"
AGENT_RENEWED: Final = "agent.renewed"  # it has new certificates
AGENT_NOT_RENEWED: Final = "agent.not_renewed"  # it is tried again
AGENT_CERTIFICATE_ENDS: Final = "agent.certificate_ends"  # within weeks
AGENT_NETWORK_RESTORED: Final = "agent.network_restored"  # another program had removed routes
AGENT_ROUTES_LEFT: Final = "agent.routes_left"  # they could not be taken back; it is tried again
AGENT_RELOADED: Final = "agent.reloaded"  # after SIGHUP
AGENT_STOPPED: Final = "agent.stopped"
