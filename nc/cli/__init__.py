"""The command lines: one file a command. Only here are arguments read and is anything printed."""

import os

# Keep grpc's core from printing failed handshakes and binds: the programs report them in one line.
# It reads this variable once, when it is first imported, which is later than this.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
