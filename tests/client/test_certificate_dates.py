"""A client whose clock is wrong: it is the clock that is named, not the CA."""

import gc
import socket
import struct
import warnings
from datetime import timedelta
from pathlib import Path

import pytest

from nc.client.certificate_dates import date_problems, explain_dates, shown_chain
from nc.client.channel import Channel
from nc.client.errors import CallFailed
from nc.client.tls import ClientTls
from nc.clock import SystemClock, now_utc
from nc.pb import network_controller_pb2 as pb
from tests.support.whole_server import LOOPBACK, MovableClock, WholeServer, running

NOBODY = 1  # no server listens at this port


def admin_tls(server: WholeServer) -> ClientTls:
    """What the administrator trusts and shows."""
    paths = server.certificates.grpc.paths
    return ClientTls(*(p.read_bytes() for p in (paths.ca, paths.client_key, paths.client)))


@pytest.mark.parametrize(
    ("days", "says"),
    [(-400, "behind"), (-20 * 365, "behind"), (400, "so far ahead"), (20 * 365, "so far ahead")],
)
async def test_a_wrong_clock_is_named(tmp_path: Path, days: int, says: str) -> None:
    """With its time, the dates of both certificates, and what to do."""
    async with running(tmp_path / "data") as server:
        now = now_utc(SystemClock()) + timedelta(days=days)
        port = server.endpoints.control_port
        text = await date_problems(admin_tls(server), LOOPBACK, port, now)
        assert text.count(f"clock says {now:%Y-%m-%d %H:%M} UTC") == 2
        assert "the certificate that is used here is valid from" in text
        assert says in text
        assert "wait for NTP" in text
        assert await explain_dates(LOOPBACK, port, now_utc(SystemClock())) == ""
    assert await explain_dates(LOOPBACK, NOBODY, now) == ""


async def test_a_call_with_a_wrong_clock_blames_no_ca(tmp_path: Path) -> None:
    """The server signed its certificate while its clock was two years ahead."""
    clock = MovableClock()
    clock.stepped_ms = 730 * 86_400_000
    async with (
        running(tmp_path / "data", clock) as server,
        Channel(LOOPBACK, server.endpoints.control_port, admin_tls(server)) as client,
    ):
        with pytest.raises(CallFailed, match=r"is valid from .* behind, or the clock of") as failed:
            await client.call("HealthCheck", pb.HealthCheckRequest())
        assert "CA" not in str(failed.value).replace("UNAVAILABLE", "")
        assert "is the server running" not in str(failed.value)


def test_a_reset_before_the_handshake_leaves_no_socket_open() -> None:
    """A server that is killed as it accepts is an OSError, and the connection is closed."""
    with socket.create_server((LOOPBACK, 0)) as server:
        connected = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()  # with a reset
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ResourceWarning)
        with pytest.raises(ConnectionError):
            shown_chain(connected, "localhost")
        gc.collect()
    assert [str(each.message) for each in warned] == []
