"""Write the golden log of this version: a log with every kind of event, and its export.

`just golden` runs it. It drives the replica with a clock of its own, so that a day passes at once,
and uses the program to repair a damaged log, and to export it.
"""

import asyncio
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import eventlog
from nc.domain.administrators import (
    AddAdministrator,
    InstallAdministrator,
    RevokeAdministrator,
)
from nc.domain.assignments import AssignAddress
from nc.domain.decide import Command
from nc.domain.events import Certificate, Event, pb
from nc.domain.invitations import (
    ForgetInvitations,
    InviteReplica,
    RedeemInvitation,
    RemoveReplica,
)
from nc.domain.leadership import DropUnowned, LoseReplica, StandForElection
from nc.domain.links import AcceptLink, DropLink, HandOverAddress
from nc.domain.litekube_import import ImportedNode, ImportedToken, ImportLitekube
from nc.domain.nodes import (
    ExpireNodes,
    Expiry,
    ForgetUnregistered,
    SetExpiries,
    TakeBackNode,
    Unregister,
)
from nc.domain.profile import Facts
from nc.domain.replica_addresses import BindReplicaAddress
from nc.domain.replicas import StartReplica, StopReplica
from nc.domain.terms import Terms
from nc.domain.tokens import ForgetExpiredTokens, IssueToken, RedeemToken, RevokeToken
from nc.domain.updates import RenewCertificates, ReportFacts, UpdateNode
from nc.history.events import history
from nc.replica.appends import LocalLog
from nc.replica.replica import Origin, Replica
from nc.secrets import TokenIds

VERSION = version("litekube-network-controller")
KEY = bytes(range(32))  # of a log that holds nothing secret
IDS = TokenIds(KEY)
LASTING, BRIEF = IDS.id_of("1a" * 8), IDS.id_of("b1" * 8)
ALPHA, BETA, GAMMA, DELTA = (IDS.id_of(name * 8) for name in ("a1", "be", "ca", "de"))
LIMITED, EPSILON, ZETA = (IDS.id_of(name * 8) for name in ("11", "e0", "2e"))
ADMIN = "certificate:admin:75b753c15e86ca23"

KINDS = {field.name for field in Event.DESCRIPTOR.oneofs_by_name["kind"].fields}

START_MS = 1_795_161_600_000  # 2026-11-20, 08:00 UTC
MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
SEGMENT_SIZE_BYTES = 4096
DIGEST_EVENTS = 8
PROGRAM = Path(sys.executable).with_name("network-controller")


class Clock:
    def __init__(self) -> None:
        self.now_ms = START_MS

    def now_ns(self) -> int:
        return self.now_ms * 1_000_000

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


class Life:
    """One start of a server on the log, without its ports."""

    def __init__(self, folder: Path, network: str, clock: Clock, requests: "count[int]") -> None:
        self._log = eventlog.open(folder, segment_size_bytes=SEGMENT_SIZE_BYTES)
        self._clock = clock
        self._requests = requests
        self._network = network
        self.replica = Replica(LocalLog(self._log, clock), clock)
        self.replica.digests.interval_events = DIGEST_EVENTS

    async def start(self) -> None:
        self.replica.start()
        start = StartReplica("golden", VERSION, self._network, IDS.key_check)
        await self.do(start, "system", "start")

    async def do(self, command: Command, actor: str, method: str) -> None:
        origin = Origin(actor, method, f"{next(self._requests):020x}")
        await self.replica.submit(command, origin)
        self._clock.now_ms += MINUTE_MS

    async def stop(self) -> None:
        """End as a server does that is asked to."""
        await self.do(StopReplica("golden"), "system", "stop")
        await self.end()

    async def end(self) -> None:
        """End without an event, as in a crash."""
        await self.replica.stop()
        self._log.close()

    async def register(self, node_id: str, token_id: str) -> None:
        until_ms = self._clock.now_ms + 365 * DAY_MS
        certificates = tuple(
            Certificate(authority=authority, serial=node_id[:20], not_after_ms=until_ms)
            for authority in (pb.CERTIFICATE_AUTHORITY_GRPC, pb.CERTIFICATE_AUTHORITY_NETWORK)
        )
        command = RedeemToken(token_id, node_id, certificates, self._clock.now_ms)
        await self.do(command, f"bootstrap:{token_id}", "GetToken")

    async def accept(self, node_id: str, link_id: str) -> None:
        await self.do(
            AcceptLink(node_id, link_id, self._clock.now_ms, reclaim_after_ms=0),
            f"link:{node_id}",
            "link",
        )

    async def connect(self, node_id: str, link_id: str) -> None:
        await self.accept(node_id, link_id)
        command = HandOverAddress(node_id, link_id, self._clock.now_ms, reclaim_after_ms=0)
        await self.do(command, f"link:{node_id}", "link")

    async def drop(self, node_id: str, link_id: str, reason: pb.StateChangeReason) -> None:
        await self.do(DropLink(node_id, link_id, reason), f"link:{node_id}", "link")

    async def expire_at(self, node_id: str, expires_at_ms: int) -> None:
        command = SetExpiries((Expiry(node_id, expires_at_ms),), self._clock.now_ms)
        await self.do(command, ADMIN, "UpdateSensorExpireTime")

    async def sweep(self) -> None:
        await self.do(ExpireNodes(self._clock.now_ms), "system", "sweep")
        tokens = tuple(sorted(self.replica.state.tokens))
        await self.do(ForgetExpiredTokens(tokens, self._clock.now_ms), "system", "sweep")
        gone = tuple(sorted(self.replica.state.unregistered))
        await self.do(ForgetUnregistered(gone, self._clock.now_ms), "system", "sweep")


async def first_life(folder: Path, clock: Clock, requests: "count[int]") -> None:
    """Every end that a link can have, an address that is reclaimed, a crash at the end."""
    life = Life(folder, "10.1.1.1/29", clock, requests)  # addresses for two nodes
    await life.start()
    await life.do(IssueToken(LASTING, -1, clock.now_ms), ADMIN, "GetBootStrapToken")
    await life.do(IssueToken(BRIEF, 10, clock.now_ms), ADMIN, "GetBootStrapToken")
    await life.register(ALPHA, BRIEF)
    for node_id in (BETA, GAMMA, DELTA):
        await life.register(node_id, LASTING)
    await life.connect(ALPHA, "a1")
    await life.connect(ALPHA, "a2")
    await life.drop(ALPHA, "a2", pb.STATE_CHANGE_REASON_LINK_CLOSED)
    await life.connect(BETA, "b1")
    await life.connect(GAMMA, "c1")  # and takes the address of ALPHA
    await life.drop(GAMMA, "c1", pb.STATE_CHANGE_REASON_LINK_SILENT)
    await life.accept(DELTA, "d1")
    await life.drop(DELTA, "d1", pb.STATE_CHANGE_REASON_LINK_REFUSED)
    await life.expire_at(BETA, clock.now_ms + MINUTE_MS)
    clock.now_ms += DAY_MS
    await life.sweep()
    await life.expire_at(BETA, 0)
    await life.connect(BETA, "b2")
    await life.end()


async def second_life(folder: Path, clock: Clock, requests: "count[int]") -> None:
    """In another network; a node is unregistered while it is connected."""
    life = Life(folder, "10.2.0.1/24", clock, requests)
    await life.start()
    await life.connect(BETA, "b3")
    await life.connect(GAMMA, "c2")
    await life.do(Unregister(GAMMA, clock.now_ms + DAY_MS), ADMIN, "UnRegister")
    await life.stop()


async def third_life(folder: Path, clock: Clock, requests: "count[int]") -> None:
    """After the repair: enough events for a digest, and a clean end."""
    life = Life(folder, "10.2.0.1/24", clock, requests)
    await life.start()
    for number in range(3):
        await life.connect(DELTA, f"d{2 + number}")
    clock.now_ms += 2 * DAY_MS
    await life.sweep()  # GAMMA is forgotten
    shown = Certificate(
        authority=pb.CERTIFICATE_AUTHORITY_NETWORK,
        serial=GAMMA[:20],
        not_after_ms=clock.now_ms + 365 * DAY_MS,
    )
    await life.do(TakeBackNode(GAMMA, shown), ADMIN, "TakeBack")
    await life.stop()


async def members_life(folder: Path, clock: Clock, requests: "count[int]") -> None:
    """A further replica is invited, comes, and is removed; the invitation is forgotten."""
    life = Life(folder, "10.2.0.1/24", clock, requests)
    await life.start()
    code_id, attempt_id = IDS.id_of("44" * 12), IDS.id_of("45" * 16)
    invite = InviteReplica(code_id, clock.now_ms)
    await life.do(invite, ADMIN, "nc.admin.v1.Replicas/Invite")
    redeem = RedeemInvitation(code_id, "third", "192.0.2.8", attempt_id, clock.now_ms)
    await life.do(redeem, f"invitation:{code_id}", "nc.replica.v1.Joining/Redeem")
    start = StartReplica("third", VERSION, "10.2.0.1/24", IDS.key_check, session="third")
    await life.do(start, "system", "start")
    await life.do(RemoveReplica("third", "golden"), ADMIN, "nc.admin.v1.Replicas/Remove")
    clock.now_ms += 2 * DAY_MS
    await life.do(ForgetInvitations(clock.now_ms), "system", "sweep")
    await life.stop()


async def replicas_life(folder: Path, clock: Clock, requests: "count[int]") -> None:
    """One replica leads, and another is lost with the link that it holds."""
    life = Life(folder, "10.2.0.1/24", clock, requests)
    await life.start()
    for name in ("first", "second"):
        start = StartReplica(name, VERSION, "10.2.0.1/24", IDS.key_check, session=name)
        await life.do(start, "system", "start")
    await life.do(StandForElection("first", 1, "192.0.2.1:6440"), "system", "election")
    accept = AcceptLink(DELTA, "d0", clock.now_ms, session="second", reclaim_after_ms=0)
    await life.do(accept, f"link:{DELTA}", "link")
    for name in ("first", "second"):
        await life.do(BindReplicaAddress(name), "system", "addresses")
    await life.do(LoseReplica("second"), "system", "losses")
    await life.do(DropUnowned(10), "system", "losses")
    await life.do(StopReplica("first", "first"), "system", "stop")
    await life.stop()


async def operators_life(folder: Path, clock: Clock, requests: "count[int]") -> None:
    """After the crash, what operators do with tokens, nodes, addresses and administrators."""
    life = Life(folder, "10.2.0.1/24", clock, requests)
    await life.start()
    for serial in ("75b753c15e86ca23", "86c8"):  # the second replaces the first
        await life.do(
            InstallAdministrator("admin", admin_certificate(serial), is_renewal=False),
            "system",
            "start",
        )
    eve = AddAdministrator("eve", pb.ADMINISTRATOR_ROLE_VIEWER, admin_certificate("e4e"))
    await life.do(eve, ADMIN, "nc.admin.v1.Administrators/Issue")
    revoke = RevokeAdministrator("e4e", clock.now_ms)
    await life.do(revoke, ADMIN, "nc.admin.v1.Administrators/Revoke")
    terms = Terms("edge", 9, 3, (("role", "edge"),), "edge-")
    issue = IssueToken(LIMITED, 0, clock.now_ms, 3600, terms)
    await life.do(issue, ADMIN, "nc.admin.v1.BootstrapTokens/Issue")
    facts = Facts("web1.example", "linux", "x86_64", "0.3.0", "192.0.2.9")
    key, until_ms = EPSILON * 2, clock.now_ms + 30 * DAY_MS
    certificate = Certificate(
        authority=pb.CERTIFICATE_AUTHORITY_GRPC, serial="e1", not_after_ms=until_ms
    )
    redeem = RedeemToken(
        LIMITED, EPSILON, (certificate,), clock.now_ms, "", facts, key, IDS.id_of("attempt")
    )
    await life.do(redeem, f"bootstrap:{LIMITED}", "nc.node.v1.Enrolment/Enrol")
    renew = RenewCertificates(EPSILON, (certificate,), key, clock.now_ms)
    await life.do(renew, f"link:{EPSILON}", "nc.node.v1.Enrolment/Renew")
    await life.connect(EPSILON, "e1")
    report = ReportFacts(EPSILON, "e1", facts._replace(agent_version="0.3.1"))
    await life.do(report, f"link:{EPSILON}", "link")
    update = UpdateNode(EPSILON, "shop", {"zone": "a"}, ("role",), "in the cellar")
    await life.do(update, ADMIN, "nc.admin.v1.Nodes/Update")
    await life.do(AssignAddress(EPSILON, "10.2.0.77"), ADMIN, "nc.admin.v1.Nodes/AssignAddress")
    await life.do(RevokeToken(LIMITED), ADMIN, "nc.admin.v1.BootstrapTokens/Revoke")
    database = ImportLitekube(
        "da7a" * 16, (ImportedToken(IDS.id_of("22" * 8), 0),), (ImportedNode(ZETA, "10.2.0.99"),)
    )
    await life.do(database, "import:litekube", "import-litekube")
    await life.stop()


def admin_certificate(serial: str) -> Certificate:
    return Certificate(
        authority=pb.CERTIFICATE_AUTHORITY_GRPC, serial=serial, not_after_ms=START_MS + 999 * DAY_MS
    )


def damage(folder: Path) -> None:
    """Change a byte of the last record that holds an event, and remove the snapshots behind it."""
    for snapshot in folder.glob("*.snap*"):
        snapshot.unlink()
    newest = max(folder.glob("*.seg"))
    data = bytearray(newest.read_bytes())
    data[data.rindex(b"golden")] ^= 1
    newest.write_bytes(data)


def remove_allocated_space(folder: Path) -> None:
    """Shorten the segment that `log repair` allocated: its end is zeros."""
    for segment in folder.glob("*.seg"):
        data = segment.read_bytes()
        blocks = max(1, -(-len(data.rstrip(b"\0")) // SEGMENT_SIZE_BYTES))
        segment.write_bytes(data[: blocks * SEGMENT_SIZE_BYTES])


def kinds_in(folder: Path) -> set[str]:
    return {str(each.event.WhichOneof("kind")) for each in history(eventlog.LogReader(folder))}


def run(*arguments: str) -> None:
    subprocess.run([PROGRAM, *arguments], check=True)


def write(target: Path) -> None:
    """Write `log`, the folder, and `export.zip`, its export.

    Ends the program if a kind of event is missing.
    """
    clock, requests = Clock(), count(1)
    with TemporaryDirectory() as data_dir:
        folder = Path(data_dir, "log")
        asyncio.run(first_life(folder, clock, requests))
        asyncio.run(operators_life(folder, clock, requests))
        asyncio.run(members_life(folder, clock, requests))
        asyncio.run(replicas_life(folder, clock, requests))
        asyncio.run(second_life(folder, clock, requests))
        damage(folder)
        run("log", "repair", "--log", str(folder), "--apply", "--yes")
        clock.now_ms = time.time_ns() // 1_000_000  # `log repair` has the machine's clock
        asyncio.run(third_life(folder, clock, requests))
        if missing := KINDS - kinds_in(folder):
            sys.exit(f"no event of the kind {', '.join(sorted(missing))}: add it to {__file__}")
        shutil.copytree(folder, target / "log")
        remove_allocated_space(target / "log")
        export = str(target / "export.zip")
        run("log", "export", "--log", str(folder), "--format", "binary", "--out", export)


if __name__ == "__main__":
    write(Path(__file__).parent / VERSION)
