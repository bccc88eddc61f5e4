"""`ncadm console` as the program that an operator starts."""

import http.client
import signal
import socket
import subprocess
import sys
import webbrowser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from nc.cli.ncadm.console import open_browser
from tests.cli.test_cli_imports import probe
from tests.support.forked_popen import ForkedPopen
from tests.support.server_process import PATIENCE_S, ServerProcess

NCADM = str(Path(sys.executable).with_name("ncadm"))


def started(server: ServerProcess, *arguments: str) -> "subprocess.Popen[str]":
    where = ("--port", str(server.control_port), "--data-dir", str(server.data_dir))
    return ForkedPopen(
        [NCADM, *where, "console", "--no-browser", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_prints_a_link_and_ends_with_ctrl_c(server: ServerProcess) -> None:
    """The link works once it is printed; an open page does not keep the program from ending."""
    program = started(server, "--port", "0")
    assert program.stdout is not None
    url = urlsplit(program.stdout.readline().split()[-1])
    assert url.hostname == "127.0.0.1"
    page = http.client.HTTPConnection("127.0.0.1", url.port or 0, timeout=PATIENCE_S)
    page.request("GET", url.path)
    opened = page.getresponse()
    opened.read()
    cookie = (opened.getheader("set-cookie") or "").partition(";")[0]
    page.request("GET", "/api/live", headers={"Cookie": cookie})
    assert page.getresponse().readline().startswith(b"event: ")
    program.send_signal(signal.SIGINT)
    _, told = program.communicate(timeout=PATIENCE_S)
    page.close()
    assert (program.returncode, told) == (
        0,
        "the link is good for one time; Ctrl-C ends the console\n",
    )


def test_a_port_that_is_taken(server: ServerProcess) -> None:
    """The message says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        program = started(server, "--port", port)
        _, told = program.communicate(timeout=PATIENCE_S)
    assert program.returncode == 1
    why = f"port {port} of 127.0.0.1: Address already in use"
    assert told == f"ncadm: {why}; give another one with --port\n"


def test_without_the_extra_it_says_how_to_install_it() -> None:
    """As the player does."""
    done, _ = probe("ncadm", "console", blocked=("starlette", "uvicorn"))
    assert done.returncode == 1
    assert f"{sys.executable} -m pip install 'litekube-network-controller[console]'" in done.stderr


def test_a_text_browser_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would ask for the page, which nobody serves meanwhile; the link is printed anyway."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(webbrowser, "_tryorder", None)  # what there is, is looked for once
    browser = tmp_path / "w3m"
    browser.write_text(f"#!/bin/sh\n: > {tmp_path}/began\n")
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    open_browser("http://127.0.0.1:1/")
    assert not (tmp_path / "began").exists()
