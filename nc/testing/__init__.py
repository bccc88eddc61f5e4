"""The property-based harness: it holds any network controller to the laws of the contract.

    report = search(Remote("192.0.2.7", 6440, tls), examples=50)
    report.require()

`contract` has what is asked, the model of what should happen, and the laws, which are checked on a
history; `targets` what can be driven; `simulation` a whole cluster; `search` draws trials from a
seed, and makes smaller what breaks a law. docs/how-to/harness.md has examples.
"""

from nc.testing.contract.enrolment import CheckAsUpstream, Enrol, OpenLinkWith, Renew
from nc.testing.contract.happenings import Crash, Restart, Wait
from nc.testing.contract.history import (
    Answer,
    CertificateSet,
    History,
    LogView,
    Observation,
    Secret,
    Sighting,
    Step,
)
from nc.testing.contract.judgement import Breach, Judgement, LawBroken, judge
from nc.testing.contract.knowledge import Observed
from nc.testing.contract.laws import CLUSTER_LAWS, LAWS, Evidence, Law
from nc.testing.contract.model import Model
from nc.testing.contract.operations import (
    SERVER_NODE,
    CheckHealth,
    CheckState,
    CloseLink,
    Facts,
    GetAddress,
    Handshake,
    IssueToken,
    OpenLink,
    Operation,
    Port,
    Redeem,
    SetExpiries,
    Sweep,
    Unregister,
)
from nc.testing.contract.values import ADMIN, UPSTREAM, Limits, Moment, Refused, Told, old
from nc.testing.targets.in_process import InProcess
from nc.testing.targets.remote import Remote
from nc.testing.targets.server_process import ServerProcess
from nc.testing.targets.target import Ability, Mortal, Reply, Request, ServerGone, Target

__all__ = [
    "ADMIN",
    "CLUSTER_LAWS",
    "LAWS",
    "SERVER_NODE",
    "UPSTREAM",
    "Ability",
    "Answer",
    "Breach",
    "CertificateSet",
    "CheckAsUpstream",
    "CheckHealth",
    "CheckState",
    "CloseLink",
    "Crash",
    "Enrol",
    "Evidence",
    "Facts",
    "GetAddress",
    "Handshake",
    "History",
    "InProcess",
    "IssueToken",
    "Judgement",
    "Law",
    "LawBroken",
    "Limits",
    "LogView",
    "Model",
    "Moment",
    "Mortal",
    "Observation",
    "Observed",
    "OpenLink",
    "OpenLinkWith",
    "Operation",
    "Port",
    "Redeem",
    "Refused",
    "Remote",
    "Renew",
    "Reply",
    "Request",
    "Restart",
    "Secret",
    "ServerGone",
    "ServerProcess",
    "SetExpiries",
    "Sighting",
    "Step",
    "Sweep",
    "Target",
    "Told",
    "Unregister",
    "Wait",
    "judge",
    "old",
]
