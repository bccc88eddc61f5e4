"""A process that has loaded the server's modules, and forks for each server that a test starts.

Loading takes most of a start: 0.3 s of CPU, several hundred times. What a fork runs is the
program's own `main`, with its own command line, environment, folder and files. Tests of the
program as a shell finds it run that (`tests/support/programs.py`).

Run as `python zygote.py FD`. Over the socket come requests, JSON, with descriptors for stdin,
stdout, stderr and the exit code; the answer is the process's id.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from typing import Any, Final

import nc.cli.network_controller
import nc.cli.serve
import nc.server.installation  # noqa: F401 - the three are loaded here, once for all
from nc.cli.main import main as program

MAX_REQUEST_BYTES: Final = 1 << 20
DESCRIPTORS: Final = 4


def main() -> None:
    requests = socket.socket(fileno=int(sys.argv[1]))
    gc.freeze()  # so that no collection writes to what is shared
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
                _become(json.loads(data), descriptors)
                return
            codes[pid] = descriptors.pop()
            for descriptor in descriptors:
                os.close(descriptor)
            requests.send(b"%d" % pid)
    for pid in codes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


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
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["command"]
    program()


if __name__ == "__main__":
    main()
