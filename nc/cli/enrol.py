"""Joining, as `network-controller join` does it: again and again until the server answers."""

import asyncio
import json
import sys

import typer
from structlog.typing import FilteringBoundLogger

from nc import log_events, sd_notify
from nc.agent import joining
from nc.agent.enrolment import Invitation, ServerUnreachable
from nc.agent.state import NodeIdentity, StateFolder
from nc.backoff import delay_s
from nc.cli import structured_logs
from nc.cli.options import Output
from nc.cli.streams import silence_stdout
from nc.secrets import SystemSecrets
from nc.text import host_port, printable, wait_text


async def enrol(
    folder: StateFolder, invited: Invitation, log: FilteringBoundLogger, output: Output
) -> NodeIdentity:
    """Redeem the token, again and again until the server answers; keep and print the answer."""
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
            text = f"{error}; trying again in {wait_text(wait_s)}"
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
    server, node_id = host_port(node.host, node.port), answer.node_id or node.node_id()
    log.info(
        log_events.AGENT_JOINED,
        server=server,
        state=str(folder.path),
        node_id=node_id,
        name=answer.name or None,
    )
    structured_logs.flush()
    try:
        _print(node_id or "", answer.name, server, output)
    except OSError:  # stdout is closed, or its reader has gone: the node is kept all the same
        silence_stdout()
    return node


def _print(node_id: str, name: str, server: str, output: Output) -> None:
    if output is Output.JSON:
        typer.echo(json.dumps({"node_id": node_id, "name": name, "server": server}))
    else:
        named = name or "a node that this server gives no name"
        typer.echo(printable(f"joined {server} as {named} {node_id}".rstrip()))
    sys.stdout.flush()
