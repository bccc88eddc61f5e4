"""Renewal where the node's files cannot be read for a moment."""

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from nc.agent import renewal
from nc.agent.addresses import KnownAddresses
from nc.agent.node_files import NodeFiles, RenewedCertificates, Terms
from nc.agent.renewal import Renewal, RenewalFailed, RenewalRequest
from nc.clock import SystemClock
from nc.secrets import SystemSecrets
from tests.support.whole_server import Lines

TERMS = Terms(6440, 1)


def _once(error: Exception | None) -> Callable[[], Terms | None]:
    """Gives the terms, but not at the first time: it fails, or they are not there."""
    first = [error]

    def terms() -> Terms | None:
        if not first:
            return TERMS
        error = first.pop()
        if error is not None:
            raise error
        return None

    return terms


async def _asked(
    monkeypatch: pytest.MonkeyPatch, terms: Callable[[], Terms | None], *answers: Exception
) -> bool:
    """Whether a server was asked once more than there are answers."""
    monkeypatch.setattr(renewal, "FIRST_REFUSED_S", 0.001)
    key, asked, left = ec.generate_private_key(ec.SECP256R1()), asyncio.Event(), [*answers]

    async def ask(_request: RenewalRequest) -> RenewedCertificates:
        if left:
            raise left.pop(0)
        asked.set()
        raise RenewalFailed("no server there")

    files: Any = SimpleNamespace(
        terms=terms, key=lambda: key, ends_ms=lambda: 0, authority_pem=lambda: b""
    )
    log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[Lines()])
    settings: Any = SimpleNamespace(proxy=None)
    parts: Any = {"clock": SystemClock(), "secrets": SystemSecrets(), "log": log}
    known = KnownAddresses(None, ("127.0.0.1", 1))
    renewing = Renewal("0" * 16, files, known, settings, **parts, ask=ask)
    running = asyncio.create_task(renewing.run(lambda: None))
    asking = asyncio.create_task(asked.wait())
    await asyncio.wait([running, asking], return_when=asyncio.FIRST_COMPLETED)
    for task in (running, asking):
        task.cancel()
    return asked.is_set()


async def test_files_that_cannot_be_read_for_a_moment_end_no_renewals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As while the disk has an error: it is tried again, as after any other failure."""
    readable = [True, False, False, False]
    assert await _asked(monkeypatch, lambda: TERMS if not readable or readable.pop(0) else None)
    assert await _asked(monkeypatch, _once(OSError(errno.EIO, "Input/output error")))


async def test_an_answer_that_nobody_foresaw_ends_no_renewals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As of the process that asks, where the program was replaced by another version."""
    assert await _asked(monkeypatch, lambda: TERMS, KeyError("is_final"), TypeError("pems"))


async def test_a_node_whose_key_the_server_made_asks_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There are no terms, and there will be none."""
    assert not await _asked(monkeypatch, _once(None))


def test_terms_that_cannot_be_read_are_not_taken_for_none(tmp_path: Path) -> None:
    """Else an agent that starts just then would run on without ever renewing."""
    (tmp_path / "renewal.json").mkdir()  # whatever the reason is
    files = NodeFiles(tmp_path / "network")
    assert files.may_renew
    with pytest.raises(OSError, match="regular file"):
        files.terms()
    assert not NodeFiles(tmp_path / "renewal.json" / "network").may_renew
