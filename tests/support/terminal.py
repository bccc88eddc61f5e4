"""A terminal with a program in it: what it shows, and keys to press.

Of a terminal's language it knows what places text: the cursor's position, clearing, new lines.
Colours and questions to the terminal are passed over.
"""

import fcntl
import io
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from pathlib import Path
from typing import Self

PATIENCE_S = 60.0

_TOKEN = re.compile(
    r"\x1b\[(?P<arguments>[0-9;?<>=]*)[ -/]*(?P<command>[@-~])"
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\)"  # strings for the terminal: titles, questions
    r"|\x1b[ -/]*[0-~]"
    r"|(?P<control>[\x00-\x1f])"
    r"|(?P<text>[^\x00-\x1f]+)",
    re.DOTALL,
)


class Screen:
    """What is to be read on a terminal after some output."""

    def __init__(self, rows: int, columns: int) -> None:
        self._columns = columns
        self._cells = [[" "] * columns for _ in range(rows)]
        self._row = self._column = 0

    def show(self, output: str) -> None:
        """Take all the output that there is."""
        for token in _TOKEN.finditer(output):
            if token["text"]:
                self._write(token["text"])
            elif token["control"] == "\n":
                self._row += 1
            elif token["control"] == "\r":
                self._column = 0
            elif token["command"] in {"H", "f"}:
                row, _, column = token["arguments"].partition(";")
                self._row, self._column = int(row or 1) - 1, int(column or 1) - 1
            elif token["command"] == "J":
                self._cells = [[" "] * self._columns for _ in self._cells]

    def _write(self, text: str) -> None:
        for character in text:
            if self._row < len(self._cells) and self._column < self._columns:
                self._cells[self._row][self._column] = character
            self._column += 1

    @property
    def text(self) -> str:
        return "\n".join("".join(line).rstrip() for line in self._cells)


class ATerminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


class Terminal:
    """Runs a program in a terminal of its own; `with` ends it.

    Args:
        command: the program and its arguments.
        temporary: the folder for its temporary files; None: the usual one.
    """

    def __init__(
        self,
        *command: str | Path,
        rows: int = 40,
        columns: int = 120,
        temporary: Path | None = None,
    ) -> None:
        self._size = rows, columns
        self._output = b""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "TERM": "xterm-256color"}
        if temporary is not None:
            environment["TMPDIR"] = str(temporary)
        self._process = subprocess.Popen(
            [str(word) for word in command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def press(self, keys: str) -> None:
        """Send what the keys send."""
        os.write(self._master, keys.encode())

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    def until(self, *words: str) -> str:
        """Wait until all of these are on the screen; what else there is."""
        deadline = time.monotonic() + PATIENCE_S
        while not all(each in (text := self._screen()) for each in words):
            assert time.monotonic() < deadline, f"{words} are not on the screen:\n{text}"
            self._read(0.5)
        return text

    def ended(self) -> int:
        """Wait until the program has ended; its exit code."""
        deadline = time.monotonic() + PATIENCE_S
        while self._process.poll() is None:  # what it still writes must be read, or it waits
            assert time.monotonic() < deadline, self._screen()
            self._read(0.05)
        return self._process.returncode

    @property
    def output(self) -> bytes:
        """Everything that was written to the terminal."""
        return self._output

    def _screen(self) -> str:
        screen = Screen(*self._size)
        screen.show(self._output.decode("utf-8", "ignore"))
        return screen.text

    def _read(self, timeout_s: float) -> None:
        ready, _, _ = select.select([self._master], [], [], timeout_s)
        if ready:
            try:
                self._output += os.read(self._master, 65536)
            except OSError:  # the other end is closed: the program has ended
                time.sleep(timeout_s)
