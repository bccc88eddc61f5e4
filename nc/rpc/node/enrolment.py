"""nc.node.v1: a machine becomes a node with a key of its own, and has its certificates renewed.

    Enrol   bootstrap token, attempt, request ──▶ node token, certificates
    Renew   node token, request with its key  ──▶ certificates

A node token follows from the attempt and the bootstrap token, so that a repeated attempt is
answered with the same node although the log knows no token. What must not change hands is checked
by the domain: an attempt's node, and a node's certificates, are for the key that came first.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from cryptography import x509

from nc.clock import Clock, now_ms, now_utc
from nc.domain import errors, nodes, tokens
from nc.domain.events import Certificate
from nc.domain.events import pb as events_pb
from nc.domain.names import require_name
from nc.domain.profile import Facts
from nc.domain.updates import RenewCertificates, require_key
from nc.pb.node.v1 import node_pb2 as pb
from nc.pki.authority import CertificateAuthority
from nc.pki.certificates import NODE_ORGANIZATION, milliseconds, subject
from nc.pki.pem import PublicKey, certificate_pem, key_sha256
from nc.pki.requests import requested_key
from nc.replica.batch import Origin
from nc.replica.replica import Replica
from nc.rpc.api import Authorities, Call, Endpoints
from nc.rpc.callers import CallerKind
from nc.rpc.node.errors import AttemptMalformed, CredentialRefused
from nc.secrets import Secrets, TokenIds, is_id, is_well_formed, new_serial

# Bootstrap tokens that are refused for these reasons admit nobody any more.
_OVER: Final = (
    errors.BootstrapTokenUnknown,
    errors.BootstrapTokenMalformed,
    errors.BootstrapTokenExpired,
    errors.BootstrapTokenRevoked,
    errors.BootstrapTokenUsedUp,
)


class _Attempt(NamedTuple):
    token_id: str
    node_token: str
    node_id: str


class _Signed(NamedTuple):
    recorded: tuple[Certificate, ...]
    message: pb.Certificates


class EnrolmentService:
    """The operations of the service; the errors are the domain's, and those of `errors`.

    Args:
        lifetime: of the certificates.
        max_nodes: how many nodes the server allows in all; 0: any number.
    """

    def __init__(
        self,
        replica: Replica,
        authorities: Authorities,
        endpoints: Callable[[], Endpoints],
        token_ids: TokenIds,
        clock: Clock,
        secrets: Secrets,
        *,
        lifetime: timedelta,
        max_nodes: int,
    ) -> None:
        self._replica = replica
        self._authorities = authorities
        self._endpoints = endpoints
        self._token_ids = token_ids
        self._clock = clock
        self._secrets = secrets
        self._lifetime = lifetime
        self._max_nodes = max_nodes

    def check_enrol(self, request: pb.EnrolRequest, call: Call) -> None:
        """Look at the bootstrap token of a request; in any thread.

        Raises:
            AttemptMalformed: the attempt is none, whatever the token is.
            DomainError: the token is refused, and the attempt has no node.
        """
        state = self._replica.state
        attempt = self._attempt(request)
        call.means(state, attempt.node_id)
        if attempt.node_id in state.nodes or attempt.node_id in state.unregistered:
            return  # whoever knows the attempt had a good token: the decision says what follows
        try:
            if not request.bootstrap_token:
                raise errors.BootstrapTokenEmpty
            if attempt.token_id not in state.tokens and not is_well_formed(request.bootstrap_token):
                raise errors.BootstrapTokenMalformed
            tokens.require_live(state.tokens, attempt.token_id, now_ms(self._clock))
        except _OVER as error:
            raise CredentialRefused(error) from None
        except errors.TokenNodesReached:
            return  # it is no wrong token

    async def enrol(self, request: pb.EnrolRequest, call: Call) -> pb.EnrolResponse:
        """Redeem a bootstrap token; for an attempt that has its node, sign certificates anew.

        Raises:
            NodeNameInvalid, RequestUnusable: the request is not in order.
            NotTheNodesKey: the attempt was made with another key.
            CredentialRefused: the token admits nobody any more, or the node was unregistered.
            TokenNodesReached, NodesReached: there are as many nodes as may be.
        """
        if request.name:
            require_name(request.name)
        key = requested_key(request.csr_pem)
        token_id, node_token, node_id = self._attempt(request)
        signed = self._sign(node_id, key)
        command = tokens.RedeemToken(
            token_id,
            node_id,
            signed.recorded,
            now_ms(self._clock),
            name=request.name,
            facts=_facts(request.facts),
            key_sha256=key_sha256(key),
            attempt_id=self._token_ids.id_of(request.attempt),
            max_nodes=self._max_nodes,
        )
        try:
            await self._replica.submit(command, _origin(call, f"bootstrap:{token_id}"))
        except _OVER as error:
            raise CredentialRefused(error) from None
        except errors.NodeUnknown as error:
            raise CredentialRefused(error) from None
        call.means(self._replica.state, node_id)
        endpoints = self._endpoints()
        return pb.EnrolResponse(
            node_token=node_token,
            node_id=node_id,
            name=self._name_of(node_id),
            certificates=signed.message,
            link=pb.Endpoint(host=endpoints.advertised, port=endpoints.link_port),
            control=pb.Endpoint(host=endpoints.overlay_address, port=endpoints.control_port),
            bootstrap=pb.Endpoint(host=endpoints.advertised, port=endpoints.bootstrap_port),
            links=_links(endpoints),
        )

    def check_renew(self, request: pb.RenewRequest, call: Call) -> None:
        """Look at the node token of a request; in any thread.

        Raises:
            NodeTokenEmpty, NodeUnknown, CredentialRefused: it is no node's.
        """
        self._node(request.node_token, call)

    async def renew(self, request: pb.RenewRequest, call: Call) -> pb.RenewResponse:
        """Sign certificates anew for a node's key, also when the old ones have ended.

        Raises:
            NodeNameInvalid, RequestUnusable: the request is not in order.
            CredentialRefused: the node was unregistered.
            NodeTokenEmpty, NodeUnknown, NodeExpired: the node token is refused now.
            NodeKeyUnknown, NotTheNodesKey: there are none for this key.
        """
        if request.name:
            require_name(request.name)
        node_id, node = self._node(request.node_token, call)
        key = requested_key(request.csr_pem)
        require_key(node, key_sha256(key))  # before anything is signed
        signed = self._sign(node_id, key)
        command = RenewCertificates(
            *(node_id, signed.recorded, key_sha256(key), now_ms(self._clock)),
            facts=_facts(request.facts),
            name=request.name,
        )
        try:
            await self._replica.submit(command, _origin(call, f"node:{node_id}"))
        except errors.NodeUnknown as error:
            raise _refused(error) from None
        endpoints = self._endpoints()
        return pb.RenewResponse(
            certificates=signed.message,
            node_id=node_id,
            name=self._name_of(node_id),
            link=pb.Endpoint(host=endpoints.advertised, port=endpoints.link_port),
            bootstrap=pb.Endpoint(host=endpoints.advertised, port=endpoints.bootstrap_port),
            links=_links(endpoints),
        )

    def _attempt(self, request: pb.EnrolRequest) -> _Attempt:
        """What follows from an attempt and its bootstrap token, whether or not it is good."""
        if not is_id(request.attempt):
            raise AttemptMalformed
        token_id = self._token_ids.id_of(request.bootstrap_token)
        node_token = self._token_ids.node_token_of(request.attempt, token_id)
        return _Attempt(token_id, node_token, self._token_ids.id_of(node_token))

    def _node(self, token: str, call: Call) -> tuple[str, nodes.Node]:
        """The id of the node with this token, and the node, expired or not."""
        if not token:
            raise errors.NodeTokenEmpty
        state, node_id = self._replica.state, self._token_ids.id_of(token)
        call.means(state, node_id)
        try:
            node = nodes.require_node(state.nodes, state.unregistered, node_id)
        except errors.NodeUnknown as error:
            raise _refused(error) from None
        return node_id, node

    def _name_of(self, node_id: str) -> str:
        """The node's name; "" if it was unregistered meanwhile."""
        node = self._replica.state.nodes.get(node_id)
        return "" if node is None else node.profile.name

    def _sign(self, node_id: str, key: PublicKey) -> _Signed:
        """Certificates from both CAs for a node's key.

        Raises:
            AuthorityExpired, AuthorityNotYetValid: a CA cannot sign now.
        """
        now, authorities = now_utc(self._clock), self._authorities
        grpc = self._certificate(authorities.grpc, node_id, key, now)
        network = self._certificate(authorities.network, node_id, key, now)
        recorded = (
            _recorded(events_pb.CERTIFICATE_AUTHORITY_GRPC, grpc),
            _recorded(events_pb.CERTIFICATE_AUTHORITY_NETWORK, network),
        )
        message = pb.Certificates(
            grpc_ca_pem=authorities.grpc.chain_pem.decode(),
            grpc_certificate_pem=certificate_pem(grpc).decode(),
            network_ca_pem=authorities.network.chain_pem.decode(),
            network_certificate_pem=certificate_pem(network).decode(),
            lifetime_s=int(
                (min(grpc.not_valid_after_utc, network.not_valid_after_utc) - now).total_seconds()
            ),
        )
        return _Signed(recorded, message)

    def _certificate(
        self, authority: CertificateAuthority, node_id: str, key: PublicKey, now: datetime
    ) -> x509.Certificate:
        name = subject(node_id, NODE_ORGANIZATION)
        return authority.sign_client(name, key, now, new_serial(self._secrets), self._lifetime)


def _refused(error: errors.NodeUnknown) -> errors.DomainError:
    """A node that was unregistered is gone for good; one that is unknown may be taken back."""
    return CredentialRefused(error) if error.was_unregistered else error


def _origin(call: Call, without_certificate: str) -> Origin:
    """Who makes a change: whose certificate it is, or what else the caller has shown."""
    is_unknown = call.caller.kind in {CallerKind.ANONYMOUS, CallerKind.UNRESTRICTED}
    actor = without_certificate if is_unknown else call.caller.actor
    return Origin(actor, call.method, call.request_id)


def _links(endpoints: Endpoints) -> list[pb.Endpoint]:
    return [pb.Endpoint(host=host, port=port) for host, port in endpoints.links()]


def _facts(told: pb.Facts) -> Facts:
    return Facts(told.hostname, told.os, told.architecture, told.agent_version)


def _recorded(
    authority: events_pb.CertificateAuthority, certificate: x509.Certificate
) -> Certificate:
    return Certificate(
        authority=authority,
        serial=f"{certificate.serial_number:x}",
        not_after_ms=milliseconds(certificate.not_valid_after_utc),
    )
