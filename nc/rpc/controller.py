"""What each call does: from a request and its caller to an answer, or an error with the reason.

Queries read the state as it is, and run in any thread: they take the state once, and it never
changes. Commands go through the replica and are durable before the answer. Codes, status and
logging are the edge's (`nc.rpc.edge`).
"""

import base64
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from nc.clock import Clock, now_ms, now_utc
from nc.contract import (
    LARGEST_EXPIRY_S,
    OK,
    SERVER_FAULT,
    SERVER_NODE_TOKEN,
    SUCCESS_MESSAGE,
    WIRE_STATES,
)
from nc.domain import errors, nodes, tokens
from nc.domain.decide import Command
from nc.domain.events import Certificate, Event
from nc.domain.events import pb as events_pb
from nc.domain.fsm import ConnectionState
from nc.domain.links import link_of
from nc.domain.state import State
from nc.pb import network_controller_pb2 as pb
from nc.pb import sensor_pb2
from nc.pki.authority import CertificateAuthority, IssuedCertificate
from nc.pki.certificates import LEAF_LIFETIME, NODE_ORGANIZATION, milliseconds
from nc.replica.batch import Origin
from nc.replica.replica import Replica
from nc.rpc.api import Authorities, Call, Endpoints
from nc.rpc.callers import CallerKind
from nc.rpc.permissions import require_imported, require_self
from nc.secrets import LONGEST_TOKEN, Secrets, TokenIds, is_well_formed, new_serial, new_token

# Tokens of nodes whose ids are kept, some 200 bytes each.
_ASKED_TOKENS = 16_384

# How much of its request a greeting repeats.
_GREETING_CHARACTERS = 256


class Controller:
    """The operations behind LiteKube's services.

    Args:
        authorities: sign what GetToken hands out.
        endpoints: asked for with each answer, since ports are known only once they are bound.
        max_nodes: how many nodes may be registered; 0: any number.
    """

    def __init__(
        self,
        replica: Replica,
        authorities: Authorities,
        endpoints: Callable[[], Endpoints],
        token_ids: TokenIds,
        clock: Clock,
        secrets: Secrets,
        max_nodes: int = 0,
    ) -> None:
        self._replica = replica
        self._authorities = authorities
        self._endpoints = endpoints
        self._token_ids, self._clock, self._secrets = token_ids, clock, secrets
        # Nodes ask about themselves again and again. Only here: the time of an answer that does not
        # say whether it knows a token must not say so either.
        self._asked_id_of = lru_cache(_ASKED_TOKENS)(token_ids.id_of)
        self._max_nodes = max_nodes

    def hello_world(self, request: pb.HelloWorldRequest, _call: Call) -> bytes:
        greeting = f"hello {request.hello_text[:_GREETING_CHARACTERS]}"
        return pb.HelloWorldResponse(thanks_text=greeting).SerializeToString()

    def health_check(self, _request: pb.HealthCheckRequest, _call: Call) -> bytes:
        code = OK if self._replica.takes_changes else SERVER_FAULT
        return pb.HealthCheckResponse(code=code).SerializeToString()

    async def get_bootstrap_token(
        self, request: pb.GetBootStrapTokenRequest, call: Call
    ) -> pb.GetBootStrapTokenResponse:
        """Issue a bootstrap token.

        Raises:
            LifetimeTooLong: more than ten years.
        """
        token = new_token(self._secrets)
        command = tokens.IssueToken(
            self._token_ids.id_of(token), request.expireTime, now_ms(self._clock)
        )
        await self._submit(command, call)
        endpoints = self._endpoints()
        return pb.GetBootStrapTokenResponse(
            code=OK,
            message=SUCCESS_MESSAGE,
            bootStrapToken=token,
            cloudIp=endpoints.advertised,
            port=str(endpoints.bootstrap_port),
        )

    async def get_token(self, request: pb.GetTokenRequest, call: Call) -> pb.GetTokenResponse:
        """Redeem a bootstrap token: register a node, and give it its token and certificates.

        Raises:
            BootstrapTokenEmpty, …Malformed, …Unknown, …Expired, …: it cannot be redeemed.
        """
        token_id = self.live_bootstrap_token(request, call)
        node_token = new_token(self._secrets)
        node_id = self._token_ids.id_of(node_token)
        now, at_ms = now_utc(self._clock), now_ms(self._clock)
        grpc = self._issue(self._authorities.grpc, node_id, now)
        network = self._issue(self._authorities.network, node_id, now)
        certificates = (
            _certificate(events_pb.CERTIFICATE_AUTHORITY_GRPC, grpc),
            _certificate(events_pb.CERTIFICATE_AUTHORITY_NETWORK, network),
        )
        command = tokens.RedeemToken(
            token_id, node_id, certificates, at_ms, max_nodes=self._max_nodes
        )
        if call.caller.kind in {CallerKind.ANONYMOUS, CallerKind.UNRESTRICTED}:
            actor = f"bootstrap:{token_id}"
        else:
            actor = call.caller.actor
        await self._replica.submit(command, Origin(actor, call.method, call.request_id))
        call.means(self._replica.state, node_id)
        endpoints = self._endpoints()
        return pb.GetTokenResponse(
            code=OK,
            message=SUCCESS_MESSAGE,
            token=node_token,
            networkServerIp=endpoints.advertised,
            networkServerPort=str(endpoints.link_port),
            GrpcServerIp=endpoints.overlay_address,
            GrpcServerPort=str(endpoints.control_port),
            GrpcCaCert=_ca_base64(self._authorities.grpc.chain_pem),
            GrpcClientKey=_base64(grpc.key_pem),
            GrpcClientCert=_base64(grpc.certificate_pem),
            NetworkCaCert=_ca_base64(self._authorities.network.chain_pem),
            NetworkClientKey=_base64(network.key_pem),
            NetworkClientCert=_base64(network.certificate_pem),
        )

    def check_conn_state(self, request: pb.CheckConnStateRequest, call: Call) -> bytes:
        """The state of a node's link, and its address.

        Raises:
            NodeTokenEmpty, NodeUnknown, NodeExpired: the token is refused.
        """
        token = request.token
        if token == SERVER_NODE_TOKEN:
            return _conn_state(ConnectionState.CONNECTED.name, self._endpoints().overlay_address)
        state = self._replica.state
        node_id = self._live_node(token, state, call)
        link = link_of(state.links, node_id).state
        return _conn_state(link._name_, state.addresses.address_of(node_id))

    def get_registered_ip(self, request: pb.GetRegistedIpRequest, call: Call) -> bytes:
        """The address that a node holds.

        Raises:
            NodeTokenEmpty, NodeUnknown, NodeExpired: the token is refused.
        """
        if request.token == SERVER_NODE_TOKEN:
            return _registered_ip(self._endpoints().overlay_address)
        state = self._replica.state
        node_id = self._live_node(request.token, state, call)
        return _registered_ip(state.addresses.address_of(node_id))

    async def unregister(self, request: pb.UnRegisterRequest, call: Call) -> pb.UnRegisterResponse:
        """Remove a node for good; an expired one, too.

        Raises:
            PermissionDenied: a node tries to remove another.
            NodeTokenEmpty, NodeUnknown, ServerNodeFixed: there is nothing to remove.
        """
        if not request.token:
            raise errors.NodeTokenEmpty
        if request.token == SERVER_NODE_TOKEN:
            raise errors.ServerNodeFixed
        node_id = self._token_ids.id_of(request.token)
        state = self._replica.state
        call.means(state, node_id)
        require_self(call.caller, node_id)
        require_imported(call.caller, state.nodes.get(node_id))
        # The certificates were signed before now, so they have ended by then.
        remember_until = now_utc(self._clock) + LEAF_LIFETIME
        await self._submit(nodes.Unregister(node_id, milliseconds(remember_until)), call)
        return pb.UnRegisterResponse(code=OK, message=SUCCESS_MESSAGE, result=True)

    async def update_sensor_expire_time(
        self, request: sensor_pb2.SensorExpireTimeRequest, call: Call
    ) -> sensor_pb2.SensorExpireTimeResponse:
        """Set when nodes expire, all of the list or none.

        Raises:
            ListedNodeUnknown: with the position of the token.
            ServerNodeFixed: the server is in the list.
            ExpiryTooLate: a time does not fit the API's 32 bits.
        """
        # Tokens that may be guesses are looked up before anything is waited for: the edge counts
        # wrong ones (`Method.wrong_token`).
        may_guess, state = call.caller.kind is CallerKind.INTERNAL, self._replica.state
        expiries = []
        for position, sensor in enumerate(request.sensorExpire, start=1):
            token = sensor.deviceToken.decode("utf-8", "surrogateescape")
            if token == SERVER_NODE_TOKEN:
                raise errors.ServerNodeFixed(position)
            if sensor.expireTime > LARGEST_EXPIRY_S:
                raise errors.ExpiryTooLate(position, sensor.expireTime, LARGEST_EXPIRY_S)
            node_id = self._token_ids.id_of(token)
            if may_guess and node_id not in state.nodes:
                raise errors.ListedNodeUnknown(position)
            expiries.append(nodes.Expiry(node_id, sensor.expireTime * 1000))
        call.means(state, *(each.node_id for each in expiries))
        await self._submit(nodes.SetExpiries(tuple(expiries), now_ms(self._clock)), call)
        return sensor_pb2.SensorExpireTimeResponse(code=OK, message=SUCCESS_MESSAGE)

    def live_bootstrap_token(self, request: pb.GetTokenRequest, _call: Call) -> str:
        """The id of the request's token, if it can be redeemed now; in any thread.

        A malformed token is hashed and looked up, too, so that the time that the answer takes does
        not distinguish it from an unknown one.
        """
        if not (token := request.bootStrapToken):
            raise errors.BootstrapTokenEmpty
        known = self._replica.state.tokens
        token_id = self._token_ids.id_of(token)
        if token_id not in known and not is_well_formed(token):
            raise errors.BootstrapTokenMalformed
        tokens.require_live(known, token_id, now_ms(self._clock))
        return token_id

    def _live_node(self, token: str, state: State, call: Call) -> str:
        """The id of the node with this token, if it is good now, and the caller may ask of it."""
        if not token:
            raise errors.NodeTokenEmpty
        node_id = self._asked_id_of(token[:LONGEST_TOKEN])  # of longer ones no more counts
        try:
            node = nodes.require_live(state.nodes, state.unregistered, node_id, now_ms(self._clock))
            require_imported(call.caller, node)
        except Exception:
            call.means(state, node_id)
            raise
        if node_id != call.caller.node_id:  # its line has the caller
            call.target = node_id, node.profile.name
        return node_id

    def _issue(
        self, authority: CertificateAuthority, node_id: str, now: datetime
    ) -> IssuedCertificate:
        return authority.issue_client(node_id, NODE_ORGANIZATION, now, new_serial(self._secrets))

    async def _submit(self, command: Command, call: Call) -> list[Event]:
        origin = Origin(call.caller.actor, call.method, call.request_id)
        return await self._replica.submit(command, origin)


def _certificate(
    authority: events_pb.CertificateAuthority, issued: IssuedCertificate
) -> Certificate:
    return Certificate(
        authority=authority, serial=f"{issued.serial:x}", not_after_ms=issued.not_after_ms
    )


# Answers of queries repeat: most nodes are in the same state, and ask about themselves.
@lru_cache(100_000)
def _conn_state(link_state: str, address: str) -> bytes:
    return pb.CheckConnResponse(
        code=OK, message=SUCCESS_MESSAGE, connState=WIRE_STATES[link_state], bindIp=address
    ).SerializeToString()


@lru_cache(100_000)
def _registered_ip(address: str) -> bytes:
    response = pb.GetRegistedIpResponse(code=OK, message=SUCCESS_MESSAGE, ip=address)
    return response.SerializeToString()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


# There are two CAs; each answer has both.
_ca_base64 = lru_cache(2)(_base64)
