"""Texts that another machine wrote: none steers a terminal, a log or the service manager."""

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc import sd_notify
from nc.agent.connecting import connect
from nc.agent.connection import Target
from nc.agent.link_errors import LinkEnded
from nc.client import channel
from nc.pb import network_controller_pb2 as pb
from nc.text import printable
from tests.support.plain_link_server import PlainLinkServer

HOSTILE = [
    "\nMAINPID=1\nREADY=1",
    "\x1b]0;owned\x07\x1b[2Jhello",
    "left\N{RIGHT-TO-LEFT OVERRIDE}right",
    "two\N{LINE SEPARATOR}lines",
    "\x9b31m",  # CSI of the C1 set
]


@given(st.text())
def test_a_printable_text_is_one_line_of_what_can_be_shown(text: str) -> None:
    """And what can be shown stays as it is, character for character."""
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    assert len(shown) == len(text)
    assert all(a == b for a, b in zip(text, shown, strict=True) if a.isprintable())


@pytest.mark.parametrize("text", HOSTILE)
def test_a_status_is_one_assignment(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What systemd gets has no line that a server's text began."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        sd_notify.status(f"not connected: {text}")
        (line,) = manager.recv(4096).decode().splitlines()
        assert line.startswith("STATUS=not connected: ")
        sd_notify.ready(f"connected to {text}")
        assert [line[:7] for line in manager.recv(4096).decode().splitlines()] == [
            "READY=1",
            "STATUS=",
        ]


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_close_reason_is_printable(text: str) -> None:
    """Whatever the server writes into its close frame."""
    async with PlainLinkServer(None) as server:
        end = await connect(Target("127.0.0.1", server.port, "token", None))
        (await server.links.get()).close(1008, text)
        assert str(await end.ended).isprintable()


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_refusal_is_printable(text: str) -> None:
    """Whatever the server writes into the body of its answer."""
    async with PlainLinkServer(None) as server:
        server.refusal = (403, text)
        with pytest.raises(LinkEnded) as refused:
            await connect(Target("127.0.0.1", server.port, "token", None))
        assert str(refused.value).isprintable()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_response_is_printable_and_its_certificates_are_untouched(text: str) -> None:
    """Every text but base64, which goes into files only."""
    response = pb.GetTokenResponse(message=text, token=text, networkServerIp=text, GrpcCaCert="a\n")
    channel._make_printable(response)
    assert response.message.isprintable()
    assert response.token.isprintable()
    assert response.networkServerIp.isprintable()
    assert response.GrpcCaCert == "a\n"
