"""Joining, as `network-controller join` does it: redeem the token, and keep the answer."""

import asyncio

from structlog.typing import FilteringBoundLogger

from nc import log_events, sd_notify
from nc.agent.addresses import KnownAddresses
from nc.agent.backoff import delay_s
from nc.agent.enrolment import Enrolled, Invitation, ServerUnreachable, TokenRefused, redeem
from nc.agent.state import NodeIdentity, StateFolder, digest_of
from nc.secrets import SystemSecrets
from nc.text import host_port


async def enrol(
    folder: StateFolder, invited: Invitation, log: FilteringBoundLogger
) -> NodeIdentity:
    """Redeem the token, again and again until the server answers, and keep the answer."""
    if invited.ca_cert_hash is None:
        problem = "no TLS: anyone on the network path can read the token and the answer"
        if not invited.plaintext:
            problem = "the server is not checked against a hash: any server there gets the token"
        log.warning(log_events.AGENT_INSECURE, message=problem)
    failures = 0
    while True:
        folder.require_room()  # else the server would register a node that cannot be kept
        attempt = folder.attempt_with(digest_of(invited.token), SystemSecrets())
        try:
            answer = await redeem(invited, attempt)
        except TokenRefused:
            folder.attempt.forget()
            raise
        except ServerUnreachable as error:
            failures += 1
            wait_s = delay_s(failures, SystemSecrets())
            text = f"{error}; trying again in {wait_s:.1f} s"
            log.warning(log_events.AGENT_DISCONNECTED, reason="NotJoined", message=text)
            sd_notify.status(f"not joined: {text}")
            await asyncio.sleep(wait_s)
        else:
            break
    before = folder.load()
    name = None if before is None else before.node_id()  # before its certificate is removed
    node = _remember(folder, invited, answer)
    if before is not None:
        log.warning(
            log_events.AGENT_REPLACED,
            message=f"this machine was {name or 'another node'}, which stays registered until it "
            "is unregistered or expires, if it has not yet; its token is kept in "
            f"{folder.node_before}, for ncadm unregister --node-token",
        )
    # The address where the token was redeemed works from here, whatever the server advertises.
    known = KnownAddresses(folder.addresses, (node.host, node.port))
    known.joined(digest_of(invited.token), [(node.host, node.port), (invited.host, node.port)])
    log.info(
        log_events.AGENT_JOINED,
        server=host_port(node.host, node.port),
        state=str(folder.path),
        node_id=answer.node_id or node.node_id(),
        name=answer.name or None,
    )
    return node


def _remember(folder: StateFolder, invited: Invitation, answer: Enrolled) -> NodeIdentity:
    node = NodeIdentity(
        answer.node_token,
        answer.host,
        answer.port,
        certificates=None,  # `keep` sets it
        joined_with=digest_of(invited.text),
    )
    kept = folder.keep(node, None if invited.plaintext else answer.certificates)
    folder.attempt.forget()
    return kept
