"""Our program in a process of its own that starts at once: see `zygote`."""

import atexit
import contextlib
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

_ZYGOTE: Final = Path(__file__).with_name("zygote.py")
_LOCK: Final = threading.Lock()  # one request at a time


@functools.cache
def _requests() -> socket.socket:
    """The socket to this process's zygote, which ends when this process does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        number = theirs.fileno()
        zygote = subprocess.Popen(
            [sys.executable, _ZYGOTE, str(number)],
            pass_fds=[number],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def end() -> None:
        ours.close()
        zygote.wait()

    atexit.register(end)
    return ours


class ForkedProgram:
    """What `subprocess.Popen` is for a program of ours, with stderr as a pipe."""

    def __init__(self, command: Sequence[str], stdout: IO[bytes]) -> None:
        reading, stderr = os.pipe()
        self._ended, code = os.pipe()
        self._code: int | None = None
        self.stderr: IO[bytes] = os.fdopen(reading, "rb")
        request = {
            "command": list(command),
            "environment": dict(os.environ),
            "folder": str(Path.cwd()),
        }
        with _LOCK, Path(os.devnull).open("rb") as stdin:
            descriptors = [stdin.fileno(), stdout.fileno(), stderr, code]
            requests = _requests()
            socket.send_fds(requests, [json.dumps(request).encode()], descriptors)
            self.pid = int(requests.recv(32))
        os.close(stderr)
        os.close(code)

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float) -> int:
        """Its exit code, as `Popen` has it; raises TimeoutExpired."""
        if self._code is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            self._code = int(os.read(self._ended, 32) or b"-9")
            os.close(self._ended)
        return self._code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
