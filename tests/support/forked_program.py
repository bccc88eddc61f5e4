"""Our program in a process of its own that starts at once: see `zygote`."""

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from tests.support.unsynced import are_syncs_skipped

_ZYGOTE: Final = Path(__file__).with_name("zygote.py")
_LOCK: Final = threading.Lock()  # one request at a time
_Popen: Final = subprocess.Popen  # whatever is forked instead of being started


_ASKED: Final[list[socket.socket]] = []  # the zygote's socket, once there is one


def ask(zygote: socket.socket) -> None:
    """Have programs forked by the one at the other end of a socket."""
    _ASKED[:] = [zygote]


def _requests() -> socket.socket:
    """The socket to this process's zygote, which ends when this process does."""
    if not _ASKED:
        ask(_started())
    return _ASKED[0]


def _started() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        number = theirs.fileno()
        zygote = _Popen(
            [sys.executable, _ZYGOTE, str(number), *(["--no-sync"] * are_syncs_skipped())],
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


def fork(
    command: Sequence[str],
    descriptors: Sequence[int],
    environment: Mapping[str, str] | None,
    folder: Path | str | None,
    namespace: str = "",
) -> tuple[int, int]:
    """Start a program of ours with these as stdin, stdout and stderr.

    Returns:
        Its process's id, and the descriptor of which `exit_code` reads.
    """
    ended, code = os.pipe()
    request = {
        "command": list(command),
        "environment": dict(os.environ if environment is None else environment),
        "folder": str(folder or Path.cwd()),
        "namespace": namespace,
    }
    try:
        with _LOCK:
            requests = _requests()
            socket.send_fds(requests, [json.dumps(request).encode()], [*descriptors, code])
            return int(requests.recv(32)), ended
    finally:
        os.close(code)


def exit_code(ended: int) -> int:
    """Of a program that `fork` has started, as `Popen` has it, once it has ended."""
    code = int(os.read(ended, 32) or b"-9")
    os.close(ended)
    return code


def is_script(command: Sequence[str]) -> bool:
    """Whether a command line is `python FILE …`, without options of Python's."""
    first, *rest = command or [""]
    return first == sys.executable and bool(rest) and rest[0].endswith(".py")


class ForkedProgram:
    """What `subprocess.Popen` is for a program of ours.

    Args:
        command: its command line: a program of ours by its path, or a script (`is_script`).
        stdout: where its output goes, also stderr's; by default each is a pipe.
        environment: by default this process's own.
        folder: where it runs; by default where this process does.
        namespace: the name of a network namespace that it is in.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: IO[bytes] | None = None,
        stdout: IO[bytes] | None = None,
        stderr: IO[bytes] | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        namespace: str = "",
    ) -> None:
        self._code: int | None = None
        self.stdout, self.stderr = stdout, stderr
        with contextlib.ExitStack() as stack:
            given = stdin or stack.enter_context(Path(os.devnull).open("rb"))
            descriptors = [given.fileno()]
            for name, file in (("stdout", stdout), ("stderr", stderr)):
                if file is not None:
                    descriptors.append(file.fileno())
                    continue
                reading, writing = os.pipe()
                stack.callback(os.close, writing)
                descriptors.append(writing)
                setattr(self, name, os.fdopen(reading, "rb"))
            self.pid, self._ended = fork(command, descriptors, environment, folder, namespace)

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float) -> int:
        """Its exit code, as `Popen` has it; raises TimeoutExpired."""
        if self._code is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            self._code = exit_code(self._ended)
        return self._code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended just now
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
