"""The property-based harness: anyone can hold a network controller to its laws.

    report = search(Remote("192.0.2.7", 6440, tls), examples=50)
    report.require()

A *target* is driven beside a *model* in plain dictionaries (`Trial`); what was asked and answered
is a *history*, which the *laws* are checked on (`judge`). `search` draws trials from a seed, and
shrinks what breaks a law; `machine_for` gives the Hypothesis state machine behind it. Another
target is a class with the methods of `Target`. docs/harness.md has examples.
"""

from nc.testing.certainties import Observed
from nc.testing.choices import Known
from nc.testing.expectations import Facts
from nc.testing.history import Answer, CertificateSet, History, LogView, Observation, Secret, Step
from nc.testing.judgement import Breach, Judgement, LawBroken, judge
from nc.testing.laws import LAWS, Finding, Law
from nc.testing.machine import machine_for
from nc.testing.model import Model, Moment, Refused
from nc.testing.operations import (
    ADMIN,
    SERVER_NODE,
    CheckHealth,
    CheckState,
    CloseLink,
    Crash,
    GetAddress,
    Handshake,
    IssueToken,
    OpenLink,
    Operation,
    Port,
    Redeem,
    Restart,
    SetExpiries,
    Sweep,
    Unregister,
    Wait,
)
from nc.testing.search import Report, search
from nc.testing.tally import Tally
from nc.testing.targets.in_process import InProcess
from nc.testing.targets.remote import Remote
from nc.testing.targets.server_process import ServerProcess
from nc.testing.targets.target import Ability, Mortal, Reply, Request, ServerGone, Target
from nc.testing.trial import Trial

__all__ = [
    "ADMIN",
    "LAWS",
    "SERVER_NODE",
    "Ability",
    "Answer",
    "Breach",
    "CertificateSet",
    "CheckHealth",
    "CheckState",
    "CloseLink",
    "Crash",
    "Facts",
    "Finding",
    "GetAddress",
    "Handshake",
    "History",
    "InProcess",
    "IssueToken",
    "Judgement",
    "Known",
    "Law",
    "LawBroken",
    "LogView",
    "Model",
    "Moment",
    "Mortal",
    "Observation",
    "Observed",
    "OpenLink",
    "Operation",
    "Port",
    "Redeem",
    "Refused",
    "Remote",
    "Reply",
    "Report",
    "Request",
    "Restart",
    "Secret",
    "ServerGone",
    "ServerProcess",
    "SetExpiries",
    "Step",
    "Sweep",
    "Tally",
    "Target",
    "Trial",
    "Unregister",
    "Wait",
    "judge",
    "machine_for",
    "search",
]
