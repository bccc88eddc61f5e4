"""Real Chromium, headless, asked over its DevTools protocol: what does a person see and do there?

The protocol goes through a pair of pipes (`--remote-debugging-pipe`: NUL-separated JSON on the file
descriptors 3 and 4), so there is no port that anybody else could talk to.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Self

PROGRAM = "chromium"
INSTALL = f"{PROGRAM} is not installed (Debian: apt-get install {PROGRAM})"
REQUIRED = "NC_TESTS_REQUIRE_CHROMIUM"  # set where its absence is a failure and no reason to skip

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)

# Far beyond what any step takes: it only turns a hang into a failure.
PATIENCE_S = 60.0

_READ_BYTES = 1 << 20

# A test beside this one that makes a network interface would have it give up its requests.
WITHOUT_NETLINK = (sys.executable, "-IS", str(Path(__file__).with_name("without_netlink.py")))


def is_installed() -> bool:
    """Whether this machine has Chromium."""
    return shutil.which(PROGRAM) is not None


class Chromium:
    """A browser that runs until the end of the `with` block, with a profile of its own.

    Raises:
        FileNotFoundError: it is not installed.
    """

    def __init__(self) -> None:
        if not is_installed():
            raise FileNotFoundError(INSTALL)
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        to_child, self._write = _high(os.pipe())
        self._read, from_child = _high(os.pipe())
        # a shell puts the pipes where Chromium looks for them
        command = f'exec "$0" "$@" 3<&{to_child} 4>&{from_child}'
        options = (*OPTIONS, f"--user-data-dir={self._profile.name}", "about:blank")
        # It writes into its user's home whatever its profile, and downloads go there.
        homes = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), self._profile.name)
        self._process = subprocess.Popen(
            [*WITHOUT_NETLINK, "/bin/bash", "-c", command, PROGRAM, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(to_child, from_child),
            env=os.environ | homes,
        )
        os.close(to_child)
        os.close(from_child)
        self._unread = b""
        self._calls = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.call("Browser.close")
            self._process.wait(PATIENCE_S)
        finally:
            self._process.kill()
            self._process.wait()
            os.close(self._write)
            os.close(self._read)
            self._profile.cleanup()

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; what happens meanwhile is added to `events`.

        Raises:
            RuntimeError: Chromium refused, as it does if the page goes on to another one meanwhile.
            TimeoutError: it says nothing any more.
        """
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]
        while (answer := self._receive()).get("id") != self._calls:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def wait_for(self, method: str, session: str) -> None:
        """Wait until this has happened, from the events that nobody has looked at on."""
        while not any(e.get("method") == method and e["sessionId"] == session for e in self.events):
            self.events.append(self._receive())

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            readable, _, _ = select.select([self._read], [], [], PATIENCE_S)
            data = os.read(self._read, _READ_BYTES) if readable else b""
            if not data:
                raise TimeoutError("Chromium says nothing any more")
            self._unread += data
        message, _, self._unread = self._unread.partition(b"\0")
        received: dict[str, Any] = json.loads(message)
        return received


def _high(pipe: tuple[int, int]) -> tuple[int, int]:
    """The same pipe on descriptors that are neither 3 nor 4."""
    reader, writer = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in pipe)
    for end in pipe:
        os.close(end)
    return reader, writer


class Tab:
    """A tab of the browser, until the end of the `with` block."""

    def __init__(self, browser: Chromium) -> None:
        self._browser = browser
        self._target: str = browser.call("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=self._target, flatten=True)
        self._session: str = attached["sessionId"]
        self.address = "about:blank"
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.call("Target.closeTarget", targetId=self._target)

    def open(self, path: Path, fragment: str = "") -> None:
        """Show a file, and forget what happened before.

        Args:
            path: the file.
            fragment: what its address has after `#`.
        """
        self.visit(path.resolve().as_uri(), fragment)

    def visit(self, address: str, fragment: str = "") -> None:
        """Show an address, and forget what happened before."""
        self.run("0")  # whatever happened before is told before this is answered
        self._browser.events.clear()
        self.resize(1280, 800)
        self.address = address
        self._call("Page.navigate", url=self.address + (f"#{fragment}" if fragment else ""))
        self._browser.wait_for("Page.loadEventFired", self._session)

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def run(self, script: str) -> Any:
        """What an expression comes to, in the page; a promise is waited for.

        Raises:
            RuntimeError: it threw.
        """
        done = self._call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in done:
            raise RuntimeError(json.dumps(done["exceptionDetails"], indent=1))
        return done["result"].get("value")

    def resize(self, width: int, height: int) -> None:
        """Make the window so large, px."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)

    def prefer(self, colours: str) -> None:
        """Be somebody who prefers `light` or `dark` colours."""
        scheme = {"name": "prefers-color-scheme", "value": colours}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press a key, as a keyboard does."""
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        down = {"text": text} if text else {}
        self._call("Input.dispatchKeyEvent", type="keyDown", **down, **common)
        self._call("Input.dispatchKeyEvent", type="keyUp", **common)

    def point(self, x: float, y: float) -> None:
        self._call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, x: float, y: float) -> None:
        """Click there, as a mouse does."""
        self.point(x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def block(self, *addresses: str) -> None:
        """Let requests for these fail, `*` being anything, and no others any more."""
        self._call("Network.setBlockedURLs", urls=addresses)

    def paper(self) -> bytes:
        """What is printed, as PDF."""
        return base64.b64decode(self._call("Page.printToPDF")["data"])

    def requests(self) -> list[str]:
        """The addresses of everything that the page asked for, itself among them."""
        return [e["request"]["url"] for e in self._happened("Network.requestWillBeSent")]

    def complaints(self) -> list[str]:
        """What the browser's console has: messages, errors, what the page's policy forbade."""
        happened = [
            *self._happened("Runtime.exceptionThrown"),
            *self._happened("Runtime.consoleAPICalled"),
            *self._happened("Log.entryAdded"),
        ]
        return [json.dumps(each) for each in happened]

    def _happened(self, method: str) -> list[dict[str, Any]]:
        self.run("0")  # as in `open`
        return [
            event["params"]
            for event in self._browser.events
            if event.get("method") == method and event.get("sessionId") == self._session
        ]
