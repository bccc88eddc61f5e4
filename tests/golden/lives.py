"""The lives that the golden log is made of: together they have every kind of event.

Each continues the log where the one before it ended.
"""

from itertools import count
from pathlib import Path

from nc.domain.administrators import AddAdministrator, InstallAdministrator, RevokeAdministrator
from nc.domain.assignments import AssignAddress
from nc.domain.events import Certificate, pb
from nc.domain.invitations import ForgetInvitations, InviteReplica, RedeemInvitation, RemoveReplica
from nc.domain.leadership import DropUnowned, LoseReplica, StandForElection
from nc.domain.links import AcceptLink
from nc.domain.litekube_import import ImportedNode, ImportedToken, ImportLitekube
from nc.domain.nodes import TakeBackNode, Unregister
from nc.domain.profile import Facts
from nc.domain.replica_addresses import BindReplicaAddress
from nc.domain.replicas import StartReplica, StopReplica
from nc.domain.terms import Terms
from nc.domain.tokens import IssueToken, RedeemToken, RevokeToken
from nc.domain.updates import RenewCertificates, ReportFacts, UpdateNode
from tests.golden.life import (
    ADMIN,
    ALPHA,
    BETA,
    BRIEF,
    DAY_MS,
    DELTA,
    EPSILON,
    GAMMA,
    IDS,
    LASTING,
    LIMITED,
    MINUTE_MS,
    START_MS,
    VERSION,
    ZETA,
    Clock,
    Life,
)


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
