"""The administrator aggregate: which operators' certificates are good, each known by its serial.

A certificate is good from when it is recorded until it ends or is revoked. Those that the server
installed in its own folder replace one another: the folder's newest revokes those before it, unless
the server merely renewed it. Before the log knows an installed one, as in logs of older versions,
an unknown serial is accepted.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from rpds import HashTrieMap

from nc.domain.errors import IdTaken
from nc.domain.events import AdministratorAdded, AdministratorRevoked, Certificate, Event, pb
from nc.domain.expiry import has_passed
from nc.domain.names import require_administrator_name
from nc.domain.operator_errors import AdministratorUnknown, LastAdministrator

Role = pb.AdministratorRole


class Administrator(NamedTuple):
    """One certificate of an operator."""

    name: str
    role: Role
    ends_at_ms: int
    added_at_ms: int = 0  # 0: not known
    is_installed: bool = False  # it was `client.pem` of the server's folder, and may still be
    revoked_at_ms: int | None = None  # None: it was not

    def is_good(self, now_ms: int) -> bool:
        return self.revoked_at_ms is None and not has_passed(self.ends_at_ms, now_ms)


@dataclass(frozen=True, slots=True)
class Administrators:
    by_serial: "HashTrieMap[str, Administrator]" = field(default_factory=HashTrieMap)
    installed: str = ""  # the serial of the folder's certificate; "": no start recorded it

    def accepts(self, serial: str) -> bool:
        """Whether a certificate of this serial, signed by the CA and within its dates, is good."""
        administrator = self.by_serial.get(serial)
        if administrator is None:
            return not self.installed
        return administrator.revoked_at_ms is None


@dataclass(frozen=True, slots=True)
class AddAdministrator:
    """A certificate was signed for an operator."""

    name: str
    role: Role
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class InstallAdministrator:
    """This certificate lies in the server's folder; the server renewed it, or it was made anew."""

    name: str
    certificate: Certificate
    is_renewal: bool


@dataclass(frozen=True, slots=True)
class RevokeAdministrator:
    serial: str  # hex, without leading zeros
    now_ms: int


def evolve_added(
    administrators: Administrators, at_ms: int, event: AdministratorAdded
) -> Administrators:
    serial = event.certificate.serial
    added = Administrator(
        event.name, event.role, event.certificate.not_after_ms, at_ms, event.installed
    )
    installed = serial if event.installed else administrators.installed
    return Administrators(administrators.by_serial.insert(serial, added), installed)


def evolve_revoked(
    administrators: Administrators, at_ms: int, event: AdministratorRevoked
) -> Administrators:
    administrator = administrators.by_serial.get(event.serial)
    if administrator is None:
        return administrators
    revoked = administrator._replace(revoked_at_ms=at_ms)
    by_serial = administrators.by_serial.insert(event.serial, revoked)
    return Administrators(by_serial, administrators.installed)


def decide_add(administrators: Administrators, command: AddAdministrator) -> list[Event]:
    """Record the certificate.

    Raises:
        AdministratorNameInvalid: the name is not one.
        IdTaken: another certificate has this serial.
    """
    require_administrator_name(command.name)
    if command.certificate.serial in administrators.by_serial:
        raise IdTaken
    return [_added(command.name, command.role, command.certificate, installed=False)]


def decide_install(administrators: Administrators, command: InstallAdministrator) -> list[Event]:
    """Record the folder's certificate, and revoke those that it replaces.

    No event if it is recorded, revoked, or one that was issued otherwise.
    """
    serial = command.certificate.serial
    known = administrators.by_serial.get(serial)
    if known is not None and (
        serial == administrators.installed
        or known.revoked_at_ms is not None
        or not known.is_installed
    ):
        return []
    replaced = [] if command.is_renewal else _installed(administrators, except_serial=serial)
    return [
        _added(command.name, pb.ADMINISTRATOR_ROLE_ADMIN, command.certificate, installed=True),
        *(_revoked(old, pb.ADMINISTRATOR_REVOCATION_REASON_REPLACED) for old in replaced),
    ]


def _installed(administrators: Administrators, except_serial: str) -> list[str]:
    """The serials of installed certificates that are not revoked, the oldest first."""
    return [
        serial
        for serial, each in sorted(
            administrators.by_serial.items(), key=lambda item: (item[1].added_at_ms, item[0])
        )
        if each.is_installed and each.revoked_at_ms is None and serial != except_serial
    ]


def decide_revoke(administrators: Administrators, command: RevokeAdministrator) -> list[Event]:
    """Revoke the certificate; no event if it is revoked.

    Raises:
        AdministratorUnknown: no certificate has this serial.
        LastAdministrator: no other certificate that is good has the role of an administrator.
    """
    administrator = administrators.by_serial.get(command.serial)
    if administrator is None:
        raise AdministratorUnknown
    if administrator.revoked_at_ms is not None:
        return []
    is_last = administrator.role == pb.ADMINISTRATOR_ROLE_ADMIN and not any(
        other.role == pb.ADMINISTRATOR_ROLE_ADMIN and other.is_good(command.now_ms)
        for serial, other in administrators.by_serial.items()
        if serial != command.serial
    )
    if is_last:
        raise LastAdministrator
    return [_revoked(command.serial, pb.ADMINISTRATOR_REVOCATION_REASON_REQUESTED)]


def _added(name: str, role: Role, certificate: Certificate, *, installed: bool) -> Event:
    added = AdministratorAdded(name=name, role=role, certificate=certificate, installed=installed)
    return Event(administrator_added=added)


def _revoked(serial: str, reason: pb.AdministratorRevocationReason) -> Event:
    return Event(administrator_revoked=AdministratorRevoked(serial=serial, reason=reason))
