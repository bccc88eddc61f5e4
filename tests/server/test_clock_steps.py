"""Clock steps of a server: at its start, while it runs and at its stop, from ±1 s to ±20 years.

After each, once the clock is right, an administrator and a node's first connection are served, and
nothing was forgotten by the wrong time.
"""

import asyncio
import re
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from nc.clock import RELEASED_AT, now_ms, now_utc
from nc.clock_watch import ClockWatch
from nc.domain.tokens import EXPIRED_TOKEN_RETENTION_MS
from nc.pb import network_controller_pb2 as pb
from nc.pki.certificates import AUTHORITY_LIFETIME
from nc.pki.errors import AuthorityExpired, ClockImplausible
from nc.server import tasks
from nc.server.installation import Tuning
from nc.server.tasks import Sweep
from tests.support.clock_steps import STEPS_S
from tests.support.whole_server import (
    LOOPBACK,
    PATIENCE_S,
    Lines,
    MovableClock,
    WholeServer,
    admin,
    running,
    until,
)

AUTHORITY_LIFETIME_MS = AUTHORITY_LIFETIME // timedelta(milliseconds=1)
OFTEN = Tuning(sweep_interval_s=0.01)


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits a second for the server to look at its clock."""
    monkeypatch.setattr(tasks, "LOOK_INTERVAL_S", 0.01)


async def shown(server: WholeServer) -> x509.Certificate:
    """The certificate that the bootstrap port shows to a new connection."""
    port = server.endpoints.bootstrap_port
    pem = await asyncio.to_thread(ssl.get_server_certificate, (LOOPBACK, port))
    return x509.load_pem_x509_certificate(pem.encode())


def is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    """At both ends."""
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc


async def assert_serves(server: WholeServer) -> None:
    """By the real clock, TLS accepts both sides, and a machine can join."""
    async with admin(server) as client:
        issued = await client.call("GetBootStrapToken", pb.GetBootStrapTokenRequest(expireTime=9))
        answer = await client.call(
            "GetToken", pb.GetTokenRequest(bootStrapToken=issued.bootStrapToken)
        )
    assert answer.code == "200"


async def issue_token(server: WholeServer, minutes: int) -> None:
    """A bootstrap token, as an administrator orders it."""
    async with admin(server) as client:
        request = pb.GetBootStrapTokenRequest(expireTime=minutes)
        assert (await client.call("GetBootStrapToken", request)).code == "200"


async def start_and_stop(data_dir: Path, clock: MovableClock) -> None:
    """One life of a server."""
    async with running(data_dir, clock):
        pass


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("step_s", STEPS_S)
async def test_a_wrong_clock_at_the_start_is_refused_or_survived(
    tmp_path: Path, step_s: int, is_first: bool
) -> None:
    """The first start or a later one: with the right clock the next start serves."""
    clock = MovableClock()
    if not is_first:
        await start_and_stop(tmp_path / "data", clock)
    clock.stepped_ms = step_s * 1000
    is_after_the_ca = not is_first and step_s * 1000 > AUTHORITY_LIFETIME_MS
    if now_utc(clock) < RELEASED_AT or is_after_the_ca:
        with pytest.raises(
            AuthorityExpired if is_after_the_ca else ClockImplausible, match="clock"
        ):
            await start_and_stop(tmp_path / "data", clock)
    else:
        await start_and_stop(tmp_path / "data", clock)
    clock.stepped_ms = 0
    async with running(tmp_path / "data", clock) as server:
        await assert_serves(server)


@pytest.mark.parametrize("step_s", STEPS_S)
async def test_a_step_while_it_runs_is_survived(tmp_path: Path, step_s: int) -> None:
    """There and back: what was dated meanwhile is signed anew, and no token is forgotten."""
    clock, lines = MovableClock(), Lines()
    async with running(tmp_path / "data", clock, lines, tuning=OFTEN) as server:
        await issue_token(server, minutes=365 * 24 * 60)
        tokens = server.replica.state.tokens
        clock.stepped_ms = step_s * 1000
        await until(lambda: len(lines.named("clock.stepped")) == 1)
        clock.stepped_ms = 0
        await until(lambda: len(lines.named("clock.stepped")) == 2)
        async with asyncio.timeout(PATIENCE_S):
            while not is_valid(await shown(server), now_utc(clock)):
                pass
        assert server.replica.state.tokens == tokens
        await assert_serves(server)


@pytest.mark.parametrize("step_s", STEPS_S)
async def test_a_step_before_the_stop_is_survived(tmp_path: Path, step_s: int) -> None:
    """The stop is clean, and the next start serves."""
    clock, lines = MovableClock(), Lines()
    async with running(tmp_path / "data", clock, lines):
        clock.stepped_ms = step_s * 1000
    assert lines.named("server.stopped")
    clock.stepped_ms = 0
    async with running(tmp_path / "data", clock) as server:
        await assert_serves(server)


async def test_a_first_start_with_the_clock_ahead_serves_once_it_is_set(tmp_path: Path) -> None:
    """The CA itself is signed anew while the server runs; its hash stays."""
    clock = MovableClock()
    clock.stepped_ms = 10 * 86_400_000
    async with running(tmp_path / "data", clock) as server:
        key = server.certificates.grpc.authority.certificate.public_key()
        clock.stepped_ms = 0
        async with asyncio.timeout(PATIENCE_S):
            while not is_valid(await shown(server), now_utc(clock)):
                pass
        authority = server.certificates.grpc.authority
        assert is_valid(authority.certificate, now_utc(clock))
        assert authority.certificate.public_key() == key
        await assert_serves(server)


async def test_a_first_start_in_1970_leaves_nothing_behind(tmp_path: Path) -> None:
    """It names both dates and what to do, and the next start is the first one."""
    clock = MovableClock()
    clock.stepped_ms = 60_000 - now_ms(clock)
    with pytest.raises(ClockImplausible, match=r"says 1970-01-01.*set the clock, or wait for NTP"):
        await start_and_stop(tmp_path / "data", clock)
    assert not list((tmp_path / "data").rglob("*.pem"))
    clock.stepped_ms = 0
    async with running(tmp_path / "data", clock) as server:
        await assert_serves(server)


@pytest.mark.parametrize("is_at_start", [True, False])
async def test_nothing_is_forgotten_by_a_clock_that_has_just_jumped(
    tmp_path: Path, is_at_start: bool
) -> None:
    """Only when it has been steady for ten minutes, after a start or a step, is the token gone."""
    clock = MovableClock()
    async with running(tmp_path / "data", clock, tuning=Tuning(sweep_interval_s=3600.0)) as server:
        await issue_token(server, minutes=1)
        if not is_at_start:
            sweep = Sweep(server.replica, server.server.submit, clock).sweep
            clock.ahead_ms += 700_000
            await sweep()
        clock.stepped_ms = EXPIRED_TOKEN_RETENTION_MS + 60_000
        if is_at_start:
            sweep = Sweep(server.replica, server.server.submit, clock).sweep
        await sweep()
        clock.ahead_ms += 599_000
        await sweep()
        assert len(server.replica.state.tokens) == 1
        clock.ahead_ms += 2000
        await sweep()
        assert not server.replica.state.tokens


@pytest.mark.parametrize("step_s", STEPS_S)
def test_a_watch_sees_each_step_once(step_s: int) -> None:
    """And doubts the clock for a minute after a step forward, never after one back."""
    clock = MovableClock()
    watch = ClockWatch(clock)
    clock.ahead_ms += 3_600_000
    assert watch.look() == 0
    clock.stepped_ms += step_s * 1000
    assert watch.look() == pytest.approx(step_s, abs=0.1)
    assert watch.look() == 0
    assert watch.is_steady == (step_s < 0)
    clock.ahead_ms += 61_000
    assert watch.is_steady


def test_a_release_knows_its_date() -> None:
    """It is not in the future, where no server would start."""
    assert now_utc(MovableClock()) >= RELEASED_AT


def test_a_release_bumps_its_date() -> None:
    """The date is of the last two months before the newest version in the changelog."""
    text = (Path(__file__).parents[2] / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \d\S* . (\d{4}-\d\d-\d\d)$", text, re.MULTILINE)
    newest = datetime.fromisoformat(versions[0]).replace(tzinfo=UTC)
    assert timedelta(0) <= newest - RELEASED_AT <= timedelta(days=60)
