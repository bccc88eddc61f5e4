"""`subprocess.Popen`, but that our programs and scripts are forked (`zygote`)."""

import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.forked_program import exit_code, fork, is_script


class ForkedPopen(subprocess.Popen[Any]):
    """What starts no Python program of ours, in a network namespace or not, is as ever."""

    _ended = -1  # gives the exit code at its end

    def _execute_child(self, args: Any, *others: Any) -> None:
        words = [] if isinstance(args, str) else [os.fspath(word) for word in args]
        namespace = ""
        if words[:3] == ["ip", "netns", "exec"]:
            namespace, *words = words[3:]
        if not (is_script(words) or _is_program(words)):
            super()._execute_child(args, *others)  # type: ignore[misc]
            return
        folder, environment = others[4:6]
        pipes = others[9:15]  # stdin, stdout, stderr: the child's end is read, written, written
        given = (pipes[0], pipes[3], pipes[5])
        descriptors = [number if fd == -1 else fd for number, fd in enumerate(given)]
        try:
            self.pid, self._ended = fork(words, descriptors, environment, folder, namespace)
        finally:
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]

    def poll(self) -> int | None:
        if self._ended == -1:
            return super().poll()
        if self.returncode is None and select.select([self._ended], [], [], 0)[0]:
            self.returncode = exit_code(self._ended)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self._ended == -1:
            return super().wait(timeout)
        if self.returncode is None:
            select.select([self._ended], [], [], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code


def _is_program(words: list[str]) -> bool:
    folder = Path(sys.executable).parent
    return words[:1] in [[str(folder / name)] for name in ("network-controller", "ncadm")]
