"""The standard streams: opened when they are missing, and whether stdout can be written at all."""

import contextlib
import errno
import io
import os
import select
import sys

from nc.errors import OperatorError

_DEVICE_FLAGS = {0: os.O_RDONLY, 1: os.O_RDONLY, 2: os.O_WRONLY}
_NAMES = {0: ("stdin", "r"), 1: ("stdout", "w"), 2: ("stderr", "w")}

# Errors of a write to a stream, which has no file name.
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


def open_missing_streams() -> None:
    """Open /dev/null for each of the descriptors 0 to 2 that is closed.

    Otherwise the next socket or file gets that number; gRPC aborts the process then. Descriptor 1
    is opened for reading only: printing a result fails, where /dev/null would swallow it.
    """
    for number, flags in _DEVICE_FLAGS.items():
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, flags), True)  # the lowest free number: this
            name, mode = _NAMES[number]
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - stays open
            setattr(sys, name, stream)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal may lack a character


def require_stdout() -> None:
    """Refuse a call whose answer the server gives once, when the answer cannot be printed.

    Raises:
        OperatorError: stdout is closed, or a pipe without a reader.
    """
    try:
        number = sys.stdout.fileno()
    except OSError:
        return  # a test's buffer
    try:
        os.write(number, b"")
    except OSError as error:
        raise unwritable(error) from error
    poll = select.poll()
    poll.register(number, 0)
    if any(events & select.POLLERR for _, events in poll.poll(0)):
        raise unwritable(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)))


def is_agreed(question: str) -> bool:
    """Ask on stderr alone: stdout may be a file for the result."""
    import typer

    with contextlib.redirect_stdout(sys.stderr):  # else typer prints a space on it
        return typer.confirm(question, err=True)


def unwritable(error: OSError) -> OperatorError:
    return OperatorError(f"the output cannot be written: {error.strerror}")


def is_of_stdout(error: Exception) -> bool:
    return isinstance(error, OSError) and not error.filename and error.errno in _UNWRITABLE


def silence_stdout() -> None:
    """Discard what is still to be printed."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
