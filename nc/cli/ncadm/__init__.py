"""`ncadm`: the administrator's client. One file for each group of commands."""

import sys


def main() -> None:
    try:
        from nc.cli.entrypoint import run

        run("ncadm", "nc.cli.ncadm.app")
    except KeyboardInterrupt:  # Ctrl-C, at whichever import
        sys.exit(130)
