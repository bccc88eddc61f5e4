"""Becoming a node: redeem the bootstrap token, and keep what the server answers."""

from nc.agent.addresses import KnownAddresses
from nc.agent.enrolment import Enrolled, Invitation, TokenRefused, redeem
from nc.agent.state import NodeIdentity, StateFolder, digest_of
from nc.secrets import SystemSecrets


async def enrol(folder: StateFolder, invited: Invitation) -> NodeIdentity:
    """Register this machine as a node, and keep it in the folder instead of the one before.

    A later call repeats the attempt of one that had no answer.

    Raises:
        ServerUnreachable: trying again may succeed.
        NotOurServer, TokenRefused: it will not.
        StateFolderError: the folder cannot be used.
    """
    node, _ = await join(folder, invited)
    return node


async def join(folder: StateFolder, invited: Invitation) -> tuple[NodeIdentity, Enrolled]:
    """As `enrol`; the node as it is kept, and what was answered."""
    folder.require_room()  # else the server would register a node that cannot be kept
    attempt = folder.attempt_with(digest_of(invited.token), SystemSecrets())
    try:
        answer = await redeem(invited, attempt)
    except TokenRefused:
        folder.attempt.forget()
        raise
    node = NodeIdentity(
        answer.node_token,
        answer.host,
        answer.port,
        certificates=None,  # `keep` sets it
        joined_with=digest_of(invited.text),
    )
    kept = folder.keep(node, None if invited.plaintext else answer.certificates)
    folder.attempt.forget()
    # The address where the token was redeemed works from here, whatever the server advertises.
    known = KnownAddresses(folder.addresses, (kept.host, kept.port))
    others = ((host, kept.port) for host, _ in invited.places)
    first = ((kept.host, kept.port), (answer.redeemed_at, kept.port))
    # Of several servers the one that has answered: another may have decided, and say its own.
    answering = tuple(link for link in answer.links if link[0] == answer.redeemed_at)
    known.joined(digest_of(invited.token), (*answering, *first, *answer.links, *others))
    return kept, answer
