"""Laws about what calls are answered."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

from nc.testing.contract import operations as ops
from nc.testing.contract import values
from nc.testing.contract.administration import AdminCall
from nc.testing.contract.history import Step
from nc.testing.contract.knowledge import Observed, Phase
from nc.testing.contract.laws.law import Evidence, law
from nc.testing.contract.operations import DENIED, MISTAKE, OK, Port
from nc.testing.contract.values import ADMIN, DAY_MS


@law()
def the_server_s_own_node_is_fixed(observed: Observed) -> Iterator[Evidence]:
    """`reserverd` is CONNECTED at the server's overlay address, and cannot be removed."""
    for step in observed.history.of(ops.Query, ops.Unregister, ops.SetExpiries):
        operation: Any = step.operation
        if isinstance(operation, ops.SetExpiries):
            if any(node == ops.SERVER_NODE for node, _ in operation.expiries):
                yield Evidence(not step.is_ok, step)
        elif operation.node == ops.SERVER_NODE and isinstance(operation, ops.Unregister):
            yield Evidence(step.code == MISTAKE and not step.facts.result, step)
        elif operation.node == ops.SERVER_NODE and step.code != DENIED:
            is_connected = step.facts.state in {None, values.CONNECTED}
            yield Evidence(step.is_ok and is_connected and bool(step.facts.address), step)


@law()
def answers_do_not_differ_by_port(observed: Observed) -> Iterator[Evidence]:
    """What both ports offer, both answer alike."""
    questions = _questions(observed)
    asked = observed.history.of(ops.Redeem, ops.CheckHealth)
    for before, step in pairwise(each for each in asked if each.operation.shown in {"", ADMIN}):
        one, other = questions.get(before.number), questions.get(step.number)
        is_next = step.round == before.round + 1 and step.reason == before.reason
        if one is not None and one == other and is_next and _port(step) is not _port(before):
            yield Evidence(step.code == before.code and step.message == before.message, step)


def _questions(observed: Observed) -> dict[int, object]:
    """All that decides the answer of a step, by its number; without those where more may."""
    questions: dict[int, object] = {
        step.number: ops.CheckHealth for step in observed.history.of(ops.CheckHealth)
    }
    for step, token, phase in observed.bootstrap_tokens:  # each for another node
        if phase in _SETTLED:
            questions[step.number] = type(step.operation), token, phase
    for (step, _, phase), first in observed.repeats:
        if phase in _SETTLED and step.moment.latest_ms - first.at_ms < DAY_MS:
            again: Any = step.operation
            questions[step.number] = replace(again, port=Port.CONTROL, caller=ADMIN), phase
    return questions


# By others an answer depends on the time, which the message may tell.
_SETTLED: Final = {Phase.LIVE, Phase.UNKNOWN}


def _port(step: Step) -> Port:
    operation: Any = step.operation
    port: Port = operation.port
    return port


@law()
def who_may_call_what(observed: Observed) -> Iterator[Evidence]:
    """A node's certificate opens its own affairs, and nothing once the node is gone or expired."""
    for step, node, phase in observed.callers:
        operation: Any = step.operation
        is_anothers = isinstance(operation, ops.Unregister) and operation.node != node
        if phase in {Phase.GONE, Phase.EXPIRED} or operation.is_admins or is_anothers:
            yield Evidence(step.code == DENIED, step)
        elif phase is Phase.LIVE:
            yield Evidence(step.code != DENIED, step)
    for step in observed.history.of(
        ops.IssueToken, ops.Query, ops.Unregister, ops.SetExpiries, AdminCall
    ):
        if step.operation.shown == ADMIN:
            yield Evidence(step.code != DENIED, step)


@law()
def every_mistake_has_its_own_message(observed: Observed) -> Iterator[Evidence]:
    """Success says `ok`; an empty, a malformed, an unknown and an expired token each read apart."""
    meanings: dict[str, str] = {}
    for step in observed.history.of(ops.Call):
        if isinstance(step.operation, ops.CheckHealth):
            continue  # it has no message
        if step.is_ok:
            yield Evidence(step.message == "ok", step)
        elif step.reason.startswith("BootstrapToken"):
            yield Evidence(meanings.setdefault(step.message, step.reason) == step.reason, step)
        else:
            yield Evidence(bool(step.message), step)


@law()
def no_message_holds_a_token(observed: Observed) -> Iterator[Evidence]:
    """A message for people never contains a token or a key."""
    secrets = observed.history.secrets()
    clean: dict[str, bool] = {}  # most steps have one of few messages
    for step in observed.history.steps:
        if message := step.message:
            if message not in clean:
                clean[message] = "PRIVATE KEY" not in message and not any(
                    secret in message for secret in secrets
                )
            yield Evidence(clean[message], step)


@law()
def codes_are_the_contract_s(observed: Observed) -> Iterator[Evidence]:
    """An answer is 200 or 400, or denied; of our own APIs, a status for mistakes.

    500 and everything else is the server's own fault.
    """
    for step in observed.history.of(ops.Operation):
        refusals = {*step.operation.statuses.values()} or {MISTAKE}
        yield Evidence(step.code in {OK, DENIED, *refusals}, step)
