"""`client.administrators`: operators' certificates."""

from datetime import timedelta
from typing import Final

from nc.client.arguments import checked
from nc.client.calls import Area
from nc.client.convert import convert, number_of, whole_seconds
from nc.client.types import Administrator, IssuedAdministrator, Role, RoleText
from nc.pb.admin.v1 import administrators_pb2

_ROLES: Final = administrators_pb2.DESCRIPTOR.enum_types_by_name["Role"]


class Administrators(Area):
    @checked
    async def issue(
        self,
        name: str,
        role: Role | RoleText,
        *,
        lifetime: timedelta | None = None,
        csr_pem: str = "",
    ) -> IssuedAdministrator:
        """A new certificate.

        Args:
            name: letters, digits and `.-_@`, at most 63.
            role: what it permits; as everywhere, a member's value (`"viewer"`) is taken, too.
            lifetime: None: one year.
            csr_pem: a PKCS #10 request with the key to certify; without one the server makes a key,
                sends it and does not keep it.
        """
        request = administrators_pb2.IssueAdministratorRequest(
            name=name,
            role=number_of(Role(role), _ROLES),  # type: ignore[arg-type]  # a number
            lifetime_s=0 if lifetime is None else whole_seconds("lifetime", lifetime),
            csr_pem=csr_pem,
        )
        answer = await self._calls.write("Administrators.Issue", request)
        return convert(IssuedAdministrator, answer)

    # `all` is the word of the API.
    @checked
    async def list(self, *, all: bool = False) -> tuple[Administrator, ...]:  # noqa: A002
        """The certificates that are good now; with `all`, revoked and expired ones too."""
        request = administrators_pb2.ListAdministratorsRequest(all=all)
        answer = await self._calls.read("Administrators.List", request)
        return tuple(convert(Administrator, each) for each in answer.administrators)

    @checked
    async def revoke(self, administrator: str) -> Administrator:
        """Refuse a certificate from now on, also on open connections.

        Args:
            administrator: its serial, or a name that only one good certificate has.

        Raises:
            FailedPrecondition: it is the last one that may change anything.
        """
        request = administrators_pb2.RevokeAdministratorRequest(administrator=administrator)
        return convert(Administrator, await self._calls.write("Administrators.Revoke", request))
