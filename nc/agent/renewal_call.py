"""Asks a server for new certificates, in a process of its own: gRPC would take 30 MB for ever.

    agent ── RenewalRequest as JSON ──▶ stdin │ python -m nc.agent.renewal_call
          ◀── certificates, or an error ─── stdout │

No token is on a command line. The key stays in the agent: the request is signed already.
"""

import asyncio
import json
import sys
from typing import Any, Final

from nc.agent.link_errors import WITNESSES
from nc.agent.machine import this_machine
from nc.agent.node_files import RenewedCertificates, Terms
from nc.agent.renewal import RenewalFailed, RenewalRequest
from nc.permissions import forbid_core_dumps
from nc.text import printable

# More than each of some hosts takes to answer, and the process to start.
_TIMEOUT_S: Final = 120.0


async def ask_in_a_process(request: RenewalRequest) -> RenewedCertificates:
    """The server's answer.

    Raises:
        RenewalFailed: no server gives one.
        OSError: there is no process.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", __name__),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            said, errors = await process.communicate(json.dumps(request._asdict()).encode())
    except TimeoutError:
        raise RenewalFailed("the server did not answer in time") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        return _read(json.loads(said))
    except ValueError:
        last = errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
        text = f"the process that asks ended with {process.returncode}: {printable(last)}"
        raise RenewalFailed(text) from None


async def ask_here(request: RenewalRequest) -> RenewedCertificates:
    """The same in this process, for one that has loaded gRPC; raises RenewalFailed."""
    return _read(await _ask(request))


def _read(answer: dict[str, Any]) -> RenewedCertificates:
    if "error" in answer:
        raise RenewalFailed(answer["error"], is_final=answer["is_final"])
    terms = Terms(answer["bootstrap_port"], answer["lifetime_s"])
    links = tuple((host, port) for host, port in answer["links"])
    return RenewedCertificates(**answer["pems"], terms=terms, links=links)


async def _ask(request: RenewalRequest) -> dict[str, Any]:
    """What `ask_in_a_process` reads."""
    # the agent imports this module, and must not load gRPC
    from nc.client.channel import BOOTSTRAP_PORT, Channel  # noqa: PLC0415
    from nc.client.errors import CallFailed, Unauthenticated  # noqa: PLC0415 - as above
    from nc.client.tls import ClientTls  # noqa: PLC0415 - as above
    from nc.pb.node.v1.node_pb2 import Facts, RenewRequest  # noqa: PLC0415 - as above

    message = RenewRequest(
        node_token=request.node_token,
        csr_pem=request.request_pem,
        facts=Facts(**this_machine()._asdict()),
    )
    tls = ClientTls(request.authority_pem.encode())
    failed: list[CallFailed] = []
    for host in request.hosts:
        client = Channel(host, request.port, tls, BOOTSTRAP_PORT, request.proxy)
        try:
            async with client:
                answer = await client.call("Renew", message)
        except CallFailed as error:
            failed.append(error)
            continue
        given = answer.certificates
        return {
            "pems": {
                "grpc_ca": given.grpc_ca_pem,
                "grpc_certificate": given.grpc_certificate_pem,
                "network_ca": given.network_ca_pem,
                "network_certificate": given.network_certificate_pem,
            },
            "bootstrap_port": answer.bootstrap.port,
            "lifetime_s": given.lifetime_s,
            "links": [(link.host, link.port) for link in answer.links],
        }
    # two of them, or all: another may be the server that still knows the node
    refused = sum(isinstance(error, Unauthenticated) for error in failed)
    is_final = refused >= min(len(failed), WITNESSES)
    text = "; ".join(map(str, failed)) or "no address of the server is known"
    return {"error": text, "is_final": bool(failed) and is_final}


def main() -> None:
    forbid_core_dumps()
    request = RenewalRequest(**json.loads(sys.stdin.buffer.read()))
    sys.stdout.write(json.dumps(asyncio.run(_ask(request))))


if __name__ == "__main__":
    main()
