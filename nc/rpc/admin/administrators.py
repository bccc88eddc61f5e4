"""nc.admin.v1.Administrators: issue, list and revoke operators' client certificates."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from nc.clock import now_utc
from nc.domain.administrators import AddAdministrator, RevokeAdministrator
from nc.domain.events import Certificate
from nc.domain.events import pb as events_pb
from nc.domain.names import require_administrator_name
from nc.domain.references import administrator_meant
from nc.durations import exact_duration
from nc.pb.admin.v1 import administrators_pb2 as pb
from nc.pki.certificates import ADMIN_ORGANIZATION, VIEWER_ORGANIZATION, milliseconds, subject
from nc.pki.pem import certificate_pem, private_key_pem
from nc.pki.requests import requested_key
from nc.rpc.admin.context import Context
from nc.rpc.admin.errors import InvalidField
from nc.rpc.admin.views import administrator_view
from nc.rpc.api import Authorities, Call
from nc.secrets import new_serial

_LIFETIME: Final = timedelta(days=365)
_LONGEST_LIFETIME: Final = timedelta(days=3650)


class _Role(NamedTuple):
    organization: str  # in the certificate's subject
    recorded: events_pb.AdministratorRole


_ROLES: Final[dict[int, _Role]] = {
    pb.ROLE_ADMIN: _Role(ADMIN_ORGANIZATION, events_pb.ADMINISTRATOR_ROLE_ADMIN),
    pb.ROLE_VIEWER: _Role(VIEWER_ORGANIZATION, events_pb.ADMINISTRATOR_ROLE_VIEWER),
}


class AdministratorsService:
    """The operations of the service; the errors are the domain's, and those of `errors`."""

    def __init__(self, context: Context, authorities: Authorities) -> None:
        self._context = context
        self._authorities = authorities

    async def issue(
        self, request: pb.IssueAdministratorRequest, call: Call
    ) -> pb.IssueAdministratorResponse:
        """Sign a certificate, for the key of a request or for a new one.

        Raises:
            RequestUnusable: no certificate can be signed for the request.
            AuthorityExpired, AuthorityNotYetValid: the CA cannot sign now.
        """
        context, authority = self._context, self._authorities.grpc
        role = _ROLES.get(request.role)
        if role is None:
            raise InvalidField("role", "expected ROLE_ADMIN or ROLE_VIEWER")
        require_administrator_name(request.name)
        lifetime = _lifetime(request.lifetime_s)
        key = None if request.csr_pem else ec.generate_private_key(ec.SECP256R1())
        public_key = requested_key(request.csr_pem) if key is None else key.public_key()
        name = subject(request.name, role.organization)
        now, serial = now_utc(context.clock), new_serial(context.secrets)
        certificate = authority.sign_client(name, public_key, now, serial, lifetime)
        recorded = _recorded(certificate, certificate.not_valid_after_utc)
        await context.submit(AddAdministrator(request.name, role.recorded, recorded), call)
        return pb.IssueAdministratorResponse(
            administrator=self._view(recorded.serial, call),
            ca_pem=authority.chain_pem.decode(),
            certificate_pem=certificate_pem(certificate).decode(),
            key_pem="" if key is None else private_key_pem(key).decode(),
        )

    async def list(
        self, request: pb.ListAdministratorsRequest, call: Call
    ) -> pb.ListAdministratorsResponse:
        """By name; those of one name by when they were issued."""
        now_ms = self._context.now_ms
        chosen = sorted(
            (each.name, each.added_at_ms, serial)
            for serial, each in self._context.state.administrators.by_serial.items()
            if request.all or each.is_good(now_ms)
        )
        views = [self._view(serial, call) for _, _, serial in chosen]
        return pb.ListAdministratorsResponse(administrators=views)

    async def revoke(self, request: pb.RevokeAdministratorRequest, call: Call) -> pb.Administrator:
        if not request.administrator:
            raise InvalidField(
                "administrator", "it is empty; give a certificate's serial, or an operator's name"
            )
        context = self._context
        serial = administrator_meant(
            context.state.administrators, request.administrator, context.now_ms
        )
        await context.submit(RevokeAdministrator(serial, context.now_ms), call)
        return self._view(serial, call)

    def _view(self, serial: str, call: Call) -> pb.Administrator:
        administrators = self._context.state.administrators
        return administrator_view(
            serial,
            administrators.by_serial[serial],
            administrators.installed,
            call.caller.serial,
        )


def _lifetime(seconds: int) -> timedelta:
    most = int(_LONGEST_LIFETIME.total_seconds())
    if not 0 <= seconds <= most:
        raise InvalidField(
            "lifetime_s",
            f"{exact_duration(seconds)} is not from one second to ten years "
            f"({exact_duration(most)}), nor 0 for one year",
        )
    return timedelta(seconds=seconds) if seconds else _LIFETIME


def _recorded(certificate: x509.Certificate, ends: datetime) -> Certificate:
    return Certificate(
        authority=events_pb.CERTIFICATE_AUTHORITY_GRPC,
        serial=f"{certificate.serial_number:x}",
        not_after_ms=milliseconds(ends),
    )
