"""Renewal while the server's clock is ahead, and once it is right again; in virtual time."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from nc.agent import renewal
from nc.agent.addresses import KnownAddresses
from nc.agent.link_errors import RetryLater
from nc.agent.node_files import RenewedCertificates, Terms
from nc.agent.renewal import Renewal, RenewalRequest
from nc.clock import now_ms, now_utc
from nc.secrets import SystemSecrets
from nc.testing.simulation.loop import SimulatedLoop
from tests.agent.simulated_year import Clock
from tests.support.whole_server import Lines

LIFETIME_S = 30 * 24 * 3600
FIVE_MINUTES = 300


async def _renewals(monkeypatch: Any, *, ahead_s: int, hours: int) -> list[float]:
    """When certificates were renewed, in seconds after the server's clock was set right.

    The first time it was ahead; links are refused from then on, every five minutes.
    """
    monkeypatch.setattr(renewal, "require_fitting", lambda *_: None)
    loop, key = asyncio.get_running_loop(), ec.generate_private_key(ec.SECP256R1())
    here, server, times = Clock(), Clock(), []
    server.offset_s, ends_ms = ahead_s, [now_ms(here) + LIFETIME_S * 1000]

    async def ask(_request: RenewalRequest) -> RenewedCertificates:
        times.append(loop.time())
        ends_ms[0] = now_ms(server) + LIFETIME_S * 1000
        return RenewedCertificates("", "", "", "", Terms(6439, LIFETIME_S))

    files: Any = SimpleNamespace(
        terms=lambda: Terms(6439, LIFETIME_S),
        key=lambda: key,
        ends_ms=lambda: ends_ms[0],
        authority_pem=lambda: b"",
        replace=lambda _renewed: None,
    )
    log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[Lines()])
    parts: Any = {"clock": here, "secrets": SystemSecrets(), "log": log}
    known, settings = KnownAddresses(None, ("127.0.0.1", 1)), SimpleNamespace(proxy=None)
    one = Renewal("0" * 16, files, known, settings, **parts, ask=ask)  # type: ignore[arg-type]
    running = asyncio.create_task(one.run(lambda: None))
    one.link_failed(RetryLater("it has ended"))
    await asyncio.sleep(FIVE_MINUTES)
    assert len(times) == 1
    one.link_failed(RetryLater("it has ended"))
    await asyncio.sleep(FIVE_MINUTES)
    server.offset_s, right_at = 0, loop.time()
    for _ in range(hours * 3600 // FIVE_MINUTES):
        refused = RetryLater("it is not valid yet")
        refused.server_time = now_utc(server)
        one.link_failed(refused)
        await asyncio.sleep(FIVE_MINUTES)
    running.cancel()
    return [at_s - right_at for at_s in times[1:]]


def _play(monkeypatch: Any, **how: int) -> list[float]:
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(_renewals(monkeypatch, **how))


def test_what_a_clock_that_was_ahead_has_signed_is_soon_replaced(monkeypatch: Any) -> None:
    """A server whose clock was two months ahead for ten minutes keeps nobody out for half a day."""
    ahead_s = int(timedelta(days=60).total_seconds())
    (again_s,) = _play(monkeypatch, ahead_s=ahead_s, hours=13)
    assert again_s < 2 * FIVE_MINUTES


def test_a_refusal_for_another_reason_waits_for_longer(monkeypatch: Any) -> None:
    """A renewal that would change nothing is not asked for again and again."""
    assert _play(monkeypatch, ahead_s=0, hours=13) == []
    (again_s,) = _play(monkeypatch, ahead_s=0, hours=16)
    assert 13 * 3600 < again_s < 15 * 3600
