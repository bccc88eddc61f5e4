"""Joining, as `network-controller join` does it: again and again until the server answers."""

import asyncio

from structlog.typing import FilteringBoundLogger

from nc import log_events, sd_notify
from nc.agent import joining
from nc.agent.enrolment import Invitation, ServerUnreachable
from nc.agent.state import NodeIdentity, StateFolder
from nc.backoff import delay_s
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
    before = folder.load()
    name = None if before is None else before.node_id()  # before its certificate is removed
    failures = 0
    while True:
        try:
            node, answer = await joining.join(folder, invited)
        except ServerUnreachable as error:
            failures += 1
            wait_s = delay_s(failures, SystemSecrets())
            text = f"{error}; trying again in {wait_s:.1f} s"
            log.warning(log_events.AGENT_DISCONNECTED, reason="NotJoined", message=text)
            sd_notify.status(f"not joined: {text}")
            await asyncio.sleep(wait_s)
        else:
            break
    if before is not None:
        log.warning(
            log_events.AGENT_REPLACED,
            message=f"this machine was {name or 'another node'}, which stays registered until it "
            "is unregistered or expires, if it has not yet; its token is kept in "
            f"{folder.node_before}, for ncadm unregister --node-token",
        )
    server = host_port(node.host, node.port)
    log.info(
        log_events.AGENT_JOINED,
        server=server,
        state=str(folder.path),
        node_id=answer.node_id or node.node_id(),
        name=answer.name or None,
    )
    return node
