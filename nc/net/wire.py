"""The link's wire format: request, handshake, frames, close codes, and their limits.

    client                                             server
      GET /ws, Upgrade: websocket, node-token: T  ───▶
      ◀───                                             101, or one sentence and 401 (no such
                                                       token), 403 (not this client's, or ended),
                                                       503 (full, or too often; try again later)
      {"connectionState":2,"payload":null}        ───▶
      ◀───       {"connectionState":2,"payload":"<base64 of '10.1.1.3/24'>"}
      one raw IPv4 packet a frame                 ◀──▶

Instead of 401 or 403 a client that does not offer `OFFLOAD` (below) gets 101 and a close frame,
1008 with the same sentence: existing clients show that, and take a status for a broken server.

Text and Binary frames mean the same; Text is what existing clients read (LiteKube link reference).
A client that offers the subprotocol `OFFLOAD` in `Sec-WebSocket-Protocol`, and is answered with
it, gets and sends Binary frames after the same handshake. Each holds one packet or more, one
behind the other, as Linux's TUN gives and takes them with IFF_VNET_HDR:

    0        1          2           4           6             8              10
    ┌────────┬──────────┬───────────┬───────────┬─────────────┬──────────────┬─────────────────┐
    │ flags  │ gso_type │ hdr_len   │ gso_size  │ csum_start  │ csum_offset  │ one IPv4 packet │
    └────────┴──────────┴───────────┴───────────┴─────────────┴──────────────┴─────────────────┘

The header is Linux's `struct virtio_net_hdr`, its numbers little-endian. The packet may be larger
than the MTU (segmentation was left to the receiver) and its checksum may be partial. It is as long
as its IPv4 header says, and the next one begins behind it. So packets that are there at the same
time share a frame, and with it what TLS, TCP and two event loops take for one.

A client that also offers `SERVERS` is told where servers are whenever that changes: a Text frame
(`servers_message`), which on a link with `OFFLOAD` is never a packet. The server answers nothing to
that offer. Such a frame may ask the node to leave: the server stops, or is cut off from the others.
The node keeps the link until another server gives it one, or the next such frame lets it stay.

A client that had an address offers it, too, as `HELD_PREFIX` with the address: a server whose log
is older than the node keeps that address for it (`nc.replica.waiting`). What it says of its machine
is in headers of their own (`nc.net.machine`).

Pure.
"""

import base64
import binascii
import contextlib
import json
import re
import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum
from ipaddress import IPv4Address, IPv4Interface
from typing import Any, Final, NamedTuple, TypeAlias

from nc.net.ipv4 import MIN_HEADER_BYTES
from nc.text import host_port

Frame: TypeAlias = "bytes | memoryview"

PATH: Final = "/ws"
PEERS_PATH: Final = "/hub"  # of another server of the same network (`nc.hub.mesh`)
REPLICA_HEADER: Final = "nc-replica"  # the session of a server, in its request and its answer
TOKEN_HEADER: Final = "node-token"  # noqa: S105 - where the token is, not a token
SUBPROTOCOL_HEADER: Final = "Sec-WebSocket-Protocol"

# Where servers are reached, the answering one first, in its answer to those that offer `OFFLOAD`:
# `HOST:PORT, …`, an IPv6 address in brackets.
ADDRESSES_HEADER: Final = "nc-addresses"
MAX_ADDRESSES: Final = 16
_ADDRESS: Final = re.compile(r"(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9._-]{1,253})):([0-9]{1,5})")
_LAST_PORT: Final = 65_535

# In a refusal by the server that decides what the log has: none knows more about a node.
LEADER_HEADER: Final = "nc-leader"
IS_LEADER: Final = "yes"

Address: TypeAlias = tuple[str, int]

OFFLOAD: Final = "nc.offload.1"
SERVERS: Final = "nc.servers.1"
HELD_PREFIX: Final = "nc.held."  # and an address that the node held; the server answers nothing
VNET_HEADER_BYTES: Final = 10
PLAIN_VNET_HEADER: Final = bytes(VNET_HEADER_BYTES)  # a whole packet, its checksums complete

# Where IPv4 says how long a packet is (RFC 791, 3.1), behind a virtio_net_hdr.
_IP_LENGTH: Final = struct.Struct(f"!{VNET_HEADER_BYTES}x2xH")

# The longest frame (LiteKube link reference); with the offload subprotocol its header included.
MAX_FRAME_BYTES: Final = 64 * 1024

# The longest frame of the handshake: those of existing clients have a few dozen bytes.
MAX_HANDSHAKE_BYTES: Final = 1024

# A close frame's payload is 125 bytes at the most, two of them the code (RFC 6455, 5.5).
MAX_REASON_BYTES: Final = 123

_SERVERS_KEY: Final = "servers"
_LEAVE_KEY: Final = "leave"
_ADDRESS_STATE: Final = 2  # the only `connectionState` that the handshake knows


def addresses_text(addresses: Iterable[Address]) -> str:
    """Where the server is reached, as its header says it."""
    return ", ".join(host_port(*address) for address in addresses)


def read_addresses(text: str) -> tuple[Address, ...]:
    """What such a header says; what is no address is skipped, and so is what is too much."""
    found = (_ADDRESS.fullmatch(part.strip()) for part in text.split(",")[:MAX_ADDRESSES])
    addresses = ((match[1] or match[2], int(match[3])) for match in found if match)
    return tuple(address for address in addresses if 0 < address[1] <= _LAST_PORT)


class Told(NamedTuple):
    """What a server says of itself and the others.

    Attributes:
        servers: where they are; nothing if the frame does not say it.
        leave: the node is to go to another server, if one takes it.
    """

    servers: tuple[Address, ...] = ()
    leave: bool = False


def servers_message(addresses: Iterable[Address], *, leave: bool = False) -> bytes:
    """Where servers are, as a frame of a link says it; and whether the node is to leave."""
    message: dict[str, Any] = {_SERVERS_KEY: addresses_text(addresses)}
    if leave:
        message[_LEAVE_KEY] = True
    return json.dumps(message, separators=(",", ":")).encode()


def read_servers(frame: bytes) -> Told:
    """What such a frame says; nothing if it is another one."""
    try:
        message = json.loads(frame.decode("utf-8"))
    except (ValueError, RecursionError):
        return Told()
    text = message.get(_SERVERS_KEY) if isinstance(message, dict) else None
    if not isinstance(text, str):
        return Told()
    return Told(read_addresses(text), message.get(_LEAVE_KEY) is True)


class CloseCode(IntEnum):
    """Why a link is closed (RFC 6455, 7.4.1)."""

    NORMAL = 1000
    GOING_AWAY = 1001  # the server stops, or has to give the link up
    PROTOCOL_ERROR = 1002
    POLICY = 1008  # connecting again without a change would fail again
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    TRY_AGAIN_LATER = 1013


class Close(NamedTuple):
    code: CloseCode
    reason: str  # one sentence, never a secret


STOPPING: Final = Close(CloseCode.GOING_AWAY, "the server is shutting down")
SERVER_LOST: Final = Close(CloseCode.GOING_AWAY, "the others took this server for lost")
SERVER_STARTED: Final = Close(CloseCode.GOING_AWAY, "the log has another start of this server")
REASSIGNED: Final = Close(CloseCode.GOING_AWAY, "the node has another address from now on")
UNREGISTERED: Final = Close(CloseCode.POLICY, "the node was unregistered")
EXPIRED: Final = Close(CloseCode.POLICY, "the node token expired")
CERTIFICATE_ENDED: Final = Close(
    CloseCode.POLICY, "the node's certificate has ended; renew it, or join again if you cannot"
)
RESERVED_BITS: Final = Close(
    CloseCode.PROTOCOL_ERROR, "a frame has reserved bits set, and no extension was agreed"
)
SUPERSEDED: Final = Close(CloseCode.POLICY, "a newer link of this node took over")
NEWER_FAILED: Final = Close(
    CloseCode.TRY_AGAIN_LATER, "a newer link of this node failed; open another one"
)
NO_HELLO: Final = Close(CloseCode.POLICY, "no handshake came within the time for it")
BROKEN: Final = Close(CloseCode.INTERNAL_ERROR, "something is wrong with the server")
SILENT: Final = Close(CloseCode.POLICY, "nothing was heard from the node for too long")


# What is true of each link that the node has.
OF_THE_NODE: Final = (STOPPING, REASSIGNED, UNREGISTERED, EXPIRED)


class HandshakeError(Exception):
    """The other end's handshake frame is not what it should be. The text fits a close frame."""


def hello() -> bytes:
    """The client's first frame."""
    return _message(None)


def read_hello(frame: bytes) -> None:
    """Check that this is a client's first frame.

    Spaces, the order of keys, further keys and an absent or empty payload do not matter.

    Raises:
        HandshakeError: it is something else.
    """
    if _payload(frame) not in {None, ""}:
        raise HandshakeError("the first frame must have the payload null")


def answer(address: str, prefix_length: int) -> bytes:
    """The server's first frame: the node's overlay address in its network."""
    return _message(base64.b64encode(f"{address}/{prefix_length}".encode()).decode("ascii"))


def read_answer(frame: bytes) -> IPv4Interface:
    """The address and network that a server handed over.

    Raises:
        HandshakeError: this is no such answer.
    """
    payload = _payload(frame) or ""
    try:
        return IPv4Interface(base64.b64decode(payload, validate=True).decode("ascii"))
    except (ValueError, binascii.Error):
        raise HandshakeError("the server's answer holds no address") from None


def close_reason(text: str) -> str:
    """As much of a sentence as fits a close frame; the remedy, after ";", goes first."""
    if len(text.encode()) > MAX_REASON_BYTES:
        text = text.partition(";")[0]
    return text.encode()[:MAX_REASON_BYTES].decode("utf-8", "ignore")


def offers_offload(header: str | None) -> bool:
    """Whether a `Sec-WebSocket-Protocol` header names the offload subprotocol."""
    return _offers(header, OFFLOAD)


def offers_servers(header: str | None) -> bool:
    """Whether it says that the client reads where servers are."""
    return _offers(header, SERVERS) and _offers(header, OFFLOAD)


def _offers(header: str | None, name: str) -> bool:
    return header is not None and name in (one.strip() for one in header.split(","))


def subprotocols(held: IPv4Address | None, *, offload: bool = True) -> str:
    """The `Sec-WebSocket-Protocol` header of a client that may have an address; "" for none."""
    offers = [OFFLOAD, SERVERS] if offload else []
    if held is not None:
        offers.append(f"{HELD_PREFIX}{held}")
    return ", ".join(offers)


def held_address(header: str | None) -> str:
    """The address that a client says it held; "" if it says none."""
    for name in (header or "").split(","):
        text = name.strip()
        if text.startswith(HELD_PREFIX):
            with contextlib.suppress(ValueError):
                return str(IPv4Address(text.removeprefix(HELD_PREFIX)))
    return ""


def packets(frame: Frame) -> Iterator[Frame]:
    """The packets of a frame of the offload subprotocol, each behind its header.

    Where no packet begins, or not all of one is there, the rest comes as it is.
    """
    at, size = 0, len(frame)
    while size - at >= _IP_LENGTH.size:
        (packet_bytes,) = _IP_LENGTH.unpack_from(frame, at)
        end = at + VNET_HEADER_BYTES + packet_bytes
        if packet_bytes < MIN_HEADER_BYTES or end >= size:
            break
        yield frame[at:end]
        at = end
    yield frame[at:]


def _message(payload: str | None) -> bytes:
    # Byte for byte as existing implementations write it.
    message = {"connectionState": _ADDRESS_STATE, "payload": payload}
    return json.dumps(message, separators=(",", ":")).encode()


def _payload(frame: bytes) -> Any:
    """The payload of a handshake frame, whose `connectionState` is checked."""
    if len(frame) > MAX_HANDSHAKE_BYTES:
        raise HandshakeError(f"a handshake frame holds {MAX_HANDSHAKE_BYTES} bytes at the most")
    try:
        message = json.loads(frame.decode("utf-8"))
    except (ValueError, RecursionError):
        raise HandshakeError("the first frame must be JSON") from None
    if not isinstance(message, dict):
        raise HandshakeError("the first frame must be a JSON object")
    state = message.get("connectionState")
    if isinstance(state, bool) or state != _ADDRESS_STATE:
        raise HandshakeError("the first frame must have connectionState 2")
    payload = message.get("payload")
    return payload if payload is None or isinstance(payload, str) else False
