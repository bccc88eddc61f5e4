"""Errors that end a command with one line on the standard error, and the exit codes.

This module imports nothing of the project, so that a command line can know every such error
without loading the package that raises it.
"""

DONE = 0
FAILED = 1  # the operation failed, or was refused
USAGE = 2  # wrong arguments or configuration
DAMAGED = 3  # the log, or a file exported from it, is damaged
UNREGISTERED = 5  # this machine's node was unregistered: starting again changes nothing
UNREACHABLE = 4  # no connection to the server: the operation was not refused, and may be retried


class OperatorError(Exception):
    """An error whose text is for the operator: what is wrong, where, and what to do about it.

    A subclass sets `exit_code` and `kind`; `remedy`, when given, is appended to the message.
    """

    exit_code: int = FAILED
    kind: str = "failed"  # "kind" of the JSON object that ncadm prints for an error

    def __init__(self, message: str = "", *, remedy: str = "") -> None:
        super().__init__(f"{message}; {remedy}" if remedy else message)
        self.problem = message  # without the remedy
        self.remedy = remedy


class ConfigError(OperatorError):
    """A configuration file, or a setting, is wrong."""

    exit_code = USAGE
    kind = "usage"
