"""Requests of nc.admin.v1 that are refused for what is in them: a table, and the call itself.

What a short reference means depends on how many ids begin with it. A target whose ids begin alike
(`ALIKE`) shows that; the others have none that begins so, as far as chance allows.
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from nc.testing.contract.administration import ROLES, AdminCall, NodeCall
from nc.testing.contract.model import Model
from nc.testing.contract.operations import TokenOf
from nc.testing.contract.values import ADMIN, VIEWER, Moment, Refused

ALIKE: Final = "5eed"

_MOST_LABELS: Final = 32
_LONGEST_NOTE: Final = 1024


class Request(NamedTuple):
    method: str
    fields: dict[str, Any]
    reason: str  # why it is refused
    is_of_a_node: bool = False  # which is in the field `node`, and has to be there


# By what is wrong with them.
MISTAKES: Final = {
    "label": Request("Nodes.Update", {"set_labels": {"-": "a"}}, "RequestInvalid", True),
    "many labels": Request(
        "Nodes.Update",
        {"set_labels": {f"key-{number}": "" for number in range(_MOST_LABELS + 1)}},
        "RequestInvalid",
        is_of_a_node=True,
    ),
    "note": Request("Nodes.Update", {"note": "x" * (_LONGEST_NOTE + 1)}, "RequestInvalid", True),
    "control character": Request("Nodes.Update", {"note": "\x1b[2J"}, "RequestInvalid", True),
    "expiry": Request("Nodes.SetExpiry", {"node": "any", "expires_at_ms": -1}, "RequestInvalid"),
    "label of a token": Request("BootstrapTokens.Issue", {"label": "x" * 64}, "RequestInvalid"),
    "label of a token's nodes": Request(
        "BootstrapTokens.Issue", {"node_labels": {"": ""}}, "RequestInvalid"
    ),
    "prefix": Request("BootstrapTokens.Issue", {"node_name_prefix": "-"}, "RequestInvalid"),
    "lifetime": Request("BootstrapTokens.Issue", {"lifetime_s": 2**40}, "LifetimeTooLong"),
    "name": Request(
        "Administrators.Issue", {"name": "no name", "role": ROLES[VIEWER]}, "RequestInvalid"
    ),
    "role": Request("Administrators.Issue", {"name": "eve"}, "RequestInvalid"),
    "certificate request": Request(
        "Administrators.Issue",
        {"name": "eve", "role": ROLES[VIEWER], "csr_pem": "none"},
        "RequestInvalid",
    ),
    "lifetime of an invitation": Request("Replicas.Invite", {"lifetime_s": -1}, "RequestInvalid"),
    "event": Request("Events.Read", {"from_seq": 2**40}, "OutOfLog"),
}


@dataclass(frozen=True, slots=True)
class AskWrongly(AdminCall):
    mistake: str
    node: str = ""
    caller: str = ADMIN

    @property
    def _request(self) -> Request:
        return MISTAKES[self.mistake]

    @property
    def method(self) -> str:  # type: ignore[override]  # one class for all of the table
        return self._request.method

    def fields(self, token: TokenOf) -> dict[str, Any]:
        named = {"node": token(self.node)} if self._request.is_of_a_node else {}
        return {**self._request.fields, **named}

    def change(self, model: Model, _now: Moment) -> None:
        if self._request.is_of_a_node:
            NodeCall(self.node).require(model)
        raise Refused(self._request.reason)


class _Meaning(NamedTuple):
    method: str
    field: str
    unknown: str  # the reasons of refusals
    ambiguous: str


_MEANINGS: Final = {
    "node": _Meaning("Nodes.Get", "node", "NodeReferenceUnknown", "NodeReferenceAmbiguous"),
    "token": _Meaning(
        "BootstrapTokens.Revoke", "token", "TokenReferenceUnknown", "TokenReferenceAmbiguous"
    ),
    "invitation": _Meaning("Replicas.Remove", "replica", "ReplicaUnknown", "ReplicaAmbiguous"),
}


@dataclass(frozen=True, slots=True)
class MeanByPrefix(AdminCall):
    """A call about what has an id that begins with `ALIKE`; done if that is one thing."""

    what: str  # node, token or invitation
    caller: str = ADMIN

    @property
    def method(self) -> str:  # type: ignore[override]  # one class for all of the table
        return _MEANINGS[self.what].method

    @property
    def reads(self) -> bool:  # type: ignore[override]  # one class for all of the table
        return self.what == "node"

    def fields(self, _token: TokenOf) -> dict[str, Any]:
        return {_MEANINGS[self.what].field: ALIKE}

    def change(self, model: Model, now: Moment) -> None:
        meaning = _MEANINGS[self.what]
        known = {"node": model.nodes, "token": model.tokens, "invitation": model.invitations}
        meant = [*known[self.what]]
        count = len(meant)
        if count <= 1 and self.what != "invitation":
            count += model.choose([0, 1, 2])  # those of calls that were never answered
        if not count:
            raise Refused(meaning.unknown)
        if count > 1:
            raise Refused(meaning.ambiguous)
        if self.what == "token":
            for token in meant:
                model.revoke(token, now)
        elif self.what == "invitation":
            model.withdraw(*meant)
