"""A process that has loaded our programs' modules, and forks for each one that a test starts.

Loading takes most of a start: 0.2 to 0.4 s of CPU, a thousand times. What a fork runs is the
program's own `main`, with its own command line, environment, folder and files. Tests of the
program as a shell finds it run that (`run_installed` in `tests/support/programs.py`). A script is
run as by `python SCRIPT`, but that our modules are loaded.

No program finds TUN devices but where a test gives it a network namespace: on the machine's own
network it makes none.

Run as `python zygote.py FD [--no-sync]`. Over the socket come requests, JSON, with descriptors for
stdin, stdout, stderr and the exit code; the answer is the process's id.
"""

import atexit
import contextlib
import ctypes
import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from nc import permissions
from nc.cli import main as network_controller
from nc.cli import ncadm
from nc.cli.lazy import LazyGroup
from nc.net import tun
from tests.support import forked_program
from tests.support.forked_popen import ForkedPopen
from tests.support.short_segments import shorten_segments
from tests.support.unsynced import skip_syncs

PROGRAMS: Final[Mapping[str, Callable[[], None]]] = {
    "network-controller": network_controller.main,
    "ncadm": ncadm.main,
}

# What the commands load once they run; each costs a fork as much as it costs a program.
LOADED: Final = (
    *("nc.cli.network_controller", "nc.cli.ncadm.app"),
    *("nc.server.installation", "nc.agent.agent", "nc.agent.renewal"),
    *("nc.agent.enrolment_calls", "nc.client.blocking", "nc.client.client"),
    *("pydantic.type_adapter", "cryptography.hazmat.backends.openssl.backend"),
)

MAX_REQUEST_BYTES: Final = 1 << 20
DESCRIPTORS: Final = 4
# Set where a program that replaces itself is to do so, for what `ps` shows of it then.
STARTS_ANEW: Final = "NC_TESTS_STARTS_ANEW"

CLONE_NEWNET: Final = 0x40000000  # linux/sched.h


def main() -> None:
    requests = socket.socket(fileno=int(sys.argv[1]))
    if "--no-sync" in sys.argv:  # benchmarks measure what a disk takes
        skip_syncs()
        shorten_segments()
    if os.geteuid() != 0:  # or nobody but root might count their files and measure their memory
        permissions.forbid_core_dumps = lambda: None
    _load()
    gc.freeze()  # so that no collection writes to what is shared
    _serve(requests)


def _serve(requests: socket.socket) -> None:
    """Fork what is asked for, until nobody can ask any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends who asks
    ended, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    signal.set_wakeup_fd(wakeup)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    codes: dict[int, int] = {}  # by process, where its exit code is awaited
    while True:
        ready, _, _ = select.select([requests.fileno(), ended], [], [])
        if ended in ready:
            os.read(ended, 4096)
            _reap(codes)
        if requests.fileno() in ready:
            data, descriptors, *_ = socket.recv_fds(requests, MAX_REQUEST_BYTES, DESCRIPTORS)
            if not data:
                break
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                requests.close()
                for descriptor in (ended, wakeup, *codes.values(), descriptors.pop()):
                    os.close(descriptor)
                try:
                    _become(json.loads(data), descriptors)
                except SystemExit as ended:
                    _end(ended.code)
                    raise
                _end(0)
                return
            codes[pid] = descriptors.pop()
            for descriptor in descriptors:
                os.close(descriptor)
            requests.send(b"%d" % pid)
    for pid in codes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _load() -> None:
    """Every command, and what it needs."""
    for module in LOADED:
        importlib.import_module(module)
    seen: set[type[LazyGroup]] = set()
    while groups := set(LazyGroup.__subclasses__()) - seen:
        seen |= groups
        for group in groups:
            for _, place in group.table.values():
                importlib.import_module(place.partition(":")[0])


def _reap(codes: dict[int, int]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        with contextlib.suppress(BrokenPipeError):
            os.write(codes[pid], b"%d" % os.waitstatus_to_exitcode(status))
        os.close(codes.pop(pid))


def _become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Be the program, up to its end; SystemExit has the exit code."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    _open_streams()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if request["namespace"]:
        _enter(request["namespace"])
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["command"]
    sys.orig_argv = [sys.executable, *sys.argv]
    if sys.argv[0] == sys.executable:
        _run_script()
    else:
        if not request["namespace"]:
            tun._DEVICE = "/nonexistent"  # type: ignore[misc]
        if STARTS_ANEW not in os.environ:
            os.execv = _start_again  # type: ignore[assignment]
        _run_program()


class _StartsAgain(BaseException):
    """The program is to be replaced by itself, with this command line."""

    def __init__(self, command: list[str]) -> None:
        super().__init__()
        self.command = command


def _start_again(_: str, command: list[str]) -> NoReturn:
    raise _StartsAgain(command)


def _run_program() -> None:
    """Run it, and what it replaces itself by, as `join` does: Python is not started for that."""
    while True:
        try:
            PROGRAMS[Path(sys.argv[0]).name]()
        except _StartsAgain as again:
            sys.orig_argv, sys.argv = again.command, again.command[1:]
        else:
            return


def _end(code: str | int | None) -> None:
    """End as Python does, but that no object is freed: that takes 40 ms, most of a short program.

    Where there is more to say than a number, it returns, for Python to say it.
    """
    if not isinstance(code, int | None):
        return
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError, ValueError):
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit((code or 0) & 0xFF)


def _run_script() -> None:
    """Be `python SCRIPT ARGUMENTS…`; programs that it starts are forked from this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if not os.fork():
        ours.close()
        with Path(os.devnull).open("r+b") as nothing:
            for number in range(3):
                os.dup2(nothing.fileno(), number)
        _serve(theirs)
        return
    theirs.close()
    forked_program.ask(ours)
    subprocess.Popen = ForkedPopen  # type: ignore[misc]
    del sys.argv[0]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    runpy.run_path(sys.argv[0], run_name="__main__")


def _enter(namespace: str) -> None:
    """As `ip netns exec` does."""
    with Path("/run/netns", namespace).open("rb") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"network namespace {namespace}")


def _open_streams() -> None:
    """Text streams on descriptors 0 to 2, as Python makes them at its start."""
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8")
    out, errors = (io.FileIO(number, "w", closefd=False) for number in (1, 2))
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(out), "utf-8", "surrogateescape")
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(errors), "utf-8", "backslashreplace", line_buffering=True
    )


if __name__ == "__main__":
    main()
