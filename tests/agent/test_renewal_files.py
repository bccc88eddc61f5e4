"""Renewal where the node's files cannot be read for a moment."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from nc.agent import renewal
from nc.agent.addresses import KnownAddresses
from nc.agent.node_files import RenewedCertificates, Terms
from nc.agent.renewal import Renewal, RenewalFailed, RenewalRequest
from nc.clock import SystemClock
from nc.secrets import SystemSecrets
from tests.support.whole_server import Lines


async def test_files_that_cannot_be_read_for_a_moment_end_no_renewals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As while the disk has an error: it is tried again, as after any other failure."""
    monkeypatch.setattr(renewal, "FIRST_REFUSED_S", 0.001)
    terms, key, asked = Terms(6440, 1), ec.generate_private_key(ec.SECP256R1()), asyncio.Event()
    readable = [True, False, False, False]

    async def ask(_request: RenewalRequest) -> RenewedCertificates:
        asked.set()
        raise RenewalFailed("no server there")

    files: Any = SimpleNamespace(
        terms=lambda: terms if not readable or readable.pop(0) else None,
        key=lambda: key,
        ends_ms=lambda: 0,
        authority_pem=lambda: b"",
    )
    log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[Lines()])
    settings: Any = SimpleNamespace(proxy=None)
    parts: Any = {"clock": SystemClock(), "secrets": SystemSecrets(), "log": log}
    known = KnownAddresses(None, ("127.0.0.1", 1))
    renewing = Renewal("0" * 16, files, known, settings, **parts, ask=ask)
    running = asyncio.create_task(renewing.run(lambda: None))
    asking = asyncio.create_task(asked.wait())
    await asyncio.wait([running, asking], return_when=asyncio.FIRST_COMPLETED)
    assert asked.is_set()
    for task in (running, asking):
        task.cancel()
