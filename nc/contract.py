"""LiteKube's API as its clients know it: what is fixed from outside (LiteKube API reference)."""

from typing import Final

# Where a server is found unless its configuration says otherwise.
DEFAULT_GRPC_PORT: Final = 6440
DEFAULT_BOOTSTRAP_PORT: Final = 6439
DEFAULT_LINK_PORT: Final = 6441
DEFAULT_METRICS_LISTEN: Final = "127.0.0.1:9464"  # where Prometheus customarily reads a program

DEFAULT_MTU: Final = 1400

# How long a bootstrap token can be redeemed when no time is named.
DEFAULT_LIFETIME_MINUTES: Final = 10

# The largest numbers that fields of the APIs hold.
LARGEST_UINT32: Final = 2**32 - 1
LARGEST_UINT64: Final = 2**64 - 1

# The last moment that a node's token can expire at, Unix seconds.
LARGEST_EXPIRY_S: Final = LARGEST_UINT32

# `code` of a response.
OK: Final = "200"
CLIENT_MISTAKE: Final = "400"
SERVER_FAULT: Final = "500"

# `message` of every success.
SUCCESS_MESSAGE: Final = "ok"

# `connState` of a response, by the state's name.
WIRE_STATES: Final = {"IDLE": -1, "INIT": 1, "CONNECTED": 3}
STATE_NAMES: Final = {number: name for name, number in WIRE_STATES.items()}

# The node token that stands for the server itself, spelled as existing clients spell it.
SERVER_NODE_TOKEN: Final = "reserverd"  # noqa: S105 - public, and no secret
