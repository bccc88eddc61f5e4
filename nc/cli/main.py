"""`network-controller`: the service and its log."""

import sys


def main() -> None:
    try:
        from nc.cli.entrypoint import run

        run("network-controller", "nc.cli.network_controller")
    except KeyboardInterrupt:  # Ctrl-C, at whichever import
        sys.exit(130)
