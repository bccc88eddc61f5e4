"""The command lines: one file a command. Only here are arguments read and is anything printed."""

import os

# What grpc's core would print of a failed handshake or bind is said by us, in one line. It reads
# this once, when it is first imported, which is after this.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
