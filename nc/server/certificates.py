"""The certificates of a running server: both folders opened, used by the ports, and renewed."""

import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from cryptography import x509
from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.certificate_files import FolderPaths
from nc.clock import Clock, now_utc
from nc.data_folder import DataFolder
from nc.domain.administrators import InstallAdministrator
from nc.domain.events import Certificate
from nc.domain.events import pb as events_pb
from nc.files import OS_FILES, replace_file
from nc.permissions import check_secret, folder_warnings
from nc.pki.certificates import AuthorityKind, milliseconds
from nc.pki.errors import PkiError
from nc.pki.folder import PkiFolder, open_folder
from nc.pki.identity import read_peer
from nc.pki.names import server_names
from nc.pki.pem import certificate_pem, load_certificates, public_key_of
from nc.pki.renewal import RENEW_BEFORE, require_plausible
from nc.pki.store import RENEWAL
from nc.pki.trial import anchored
from nc.rpc.admin.server import CertificateFacts
from nc.rpc.api import Authorities
from nc.rpc.servers import Credentials
from nc.secrets import Secrets, new_serial
from nc.server.settings import ServerSettings

# Of TLS 1.2; those of TLS 1.3 are all like these. No CBC, which OpenSSL's own choice still has.
_LINK_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"


def authority_folders(settings: ServerSettings, folder: DataFolder) -> tuple[Path, Path]:
    """Where the certificates of the control port and of the link are."""
    return (
        settings.grpc_cert_dir or folder.grpc_pki,
        settings.network_cert_dir or folder.network_pki,
    )


class Certificates:
    """Both folders of certificates, and the TLS identities of the ports.

    Attributes:
        made: what was made or renewed, and why.
        authorities: of both folders.

    Raises:
        PkiError, InvalidName: something in a folder, or the advertised name, cannot be used.
    """

    def __init__(
        self,
        settings: ServerSettings,
        folder: DataFolder,
        clock: Clock,
        secrets: Secrets,
        *,
        may_found: bool,
    ) -> None:
        self._clock = clock
        self._secrets = secrets
        self._names = server_names(settings.advertise, settings.network.server_address)
        self._grpc_path, self._network_path = authority_folders(settings, folder)
        self._tls_dir = settings.tls_dir
        self.made: list[tuple[Path, str]] = []
        self.warnings: list[str] = []
        self.grpc, self.network = self._open(may_found=may_found)
        self.authorities = Authorities(self.grpc.authority, self.network.authority)
        client_ca = self.grpc.authority.certificate_pem
        self.control = Credentials(*self._server_files(), client_ca_pem=client_ca)
        self.bootstrap = Credentials(*self._files_with_authority(), client_ca_pem=None)
        self.internal = Credentials(*self._files_with_authority(), client_ca_pem=None)
        self.link = self._link_context()
        self._shown = self._read_shown()
        self._is_in_use = True  # what was made

    @property
    def admin_fingerprint(self) -> str:
        """The fingerprint of the certificate that is an admin's whatever its subject says."""
        return read_peer(self.grpc.paths.client.read_bytes()).fingerprint_sha256

    def installed(self) -> InstallAdministrator:
        """The administrator's certificate of the folder, to be recorded."""
        pem = self.grpc.paths.client.read_bytes()
        peer = read_peer(pem)
        certificate = Certificate(
            authority=events_pb.CERTIFICATE_AUTHORITY_GRPC,
            serial=f"{peer.serial:x}",
            not_after_ms=peer.not_after_ms,
        )
        is_renewal = pem.startswith(RENEWAL)
        return InstallAdministrator(peer.common_name, certificate, is_renewal=is_renewal)

    def installed_serial(self) -> str:
        """The serial of that certificate as it is on disk; "" if it cannot be read."""
        try:
            return str(self.installed().certificate.serial)
        except (OSError, PkiError):
            return ""

    def facts(self) -> list[CertificateFacts]:
        """What the files hold now; those that cannot be read are left out."""
        return [
            fact
            for name, pki in (("grpc", self.grpc), ("network", self.network))
            for fact in _facts(name, pki)
        ]

    def renew(self) -> None:
        """Renew what is near its end, and use what is on disk in every later handshake.

        Raises:
            PkiError: a folder cannot be used any more; the old certificates stay.
            OSError: a file cannot be read now; the next call goes on from here.
        """
        if self._is_in_use:
            self.made.clear()
        self.warnings.clear()
        for pki in (self.grpc, self.network):
            _check_unchanged(pki)
        self._is_in_use = False
        self.grpc, self.network = self._open(may_found=False)
        shown = self._read_shown()
        if self.made or shown != self._shown:
            client_ca = self.grpc.authority.certificate_pem
            self.control.replace(*self._server_files(), client_ca_pem=client_ca)
            self.bootstrap.replace(*self._files_with_authority(), client_ca_pem=None)
            self.internal.replace(*self._files_with_authority(), client_ca_pem=None)
            self.authorities.grpc = self.grpc.authority
            self.authorities.network = self.network.authority
            self.link = self._link_context()
            self._shown = shown
        self._is_in_use = True

    def report(self, log: FilteringBoundLogger) -> None:
        """Log what was made, and each warning."""
        for path, reason in self.made:
            log.info(log_events.CERTIFICATE_MADE, path=str(path), reason=reason)
        for warning in self.warnings:
            log.warning(log_events.CERTIFICATE_WARNING, message=warning)

    def _open(self, *, may_found: bool) -> tuple[PkiFolder, PkiFolder]:
        now = now_utc(self._clock)
        require_plausible(now)
        opened = []
        for path, kind in (
            (self._grpc_path, AuthorityKind.GRPC),
            (self._network_path, AuthorityKind.NETWORK),
        ):
            self.warnings += folder_warnings(path)
            for secret in FolderPaths.within(path).secrets():
                check_secret(secret)
            pki = open_folder(
                path,
                kind,
                self._names,
                now,
                lambda: new_serial(self._secrets),
                may_found=may_found,
            )
            self.made += ((path / made.name, made.reason) for made in pki.made)
            self.warnings += pki.warnings
            opened.append(pki)
        grpc, network = opened
        self._copy_for_admin_client(grpc)
        return grpc, network

    def _read_shown(self) -> list[bytes]:
        """The certificates that the ports show, as the files have them."""
        return [pki.paths.server.read_bytes() for pki in (self.grpc, self.network)]

    def _server_files(self) -> tuple[bytes, bytes]:
        """Key and chain, with an intermediate CA in it: a client may trust its root alone."""
        authority = self.grpc.authority
        above = [authority.certificate] if authority.is_intermediate else []
        return self.grpc.paths.server_key.read_bytes(), _chain(self.grpc, above)

    def _files_with_authority(self) -> tuple[bytes, bytes]:
        """Key and chain with the CA at its end, for machines that know the CA by its hash alone."""
        authority = self.grpc.authority
        above = (authority.certificate, *authority.issuers)
        return self.grpc.paths.server_key.read_bytes(), _chain(self.grpc, above)

    def _link_context(self) -> ssl.SSLContext:
        paths, authority = self.network.paths, self.network.authority
        context = anchored(ssl.PROTOCOL_TLS_SERVER, authority.certificate_pem)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        # OpenSSL sends what of the chain it finds here, and so an intermediate CA.
        context.load_cert_chain(paths.server, paths.server_key)
        context.set_ciphers(_LINK_CIPHERS)
        # A link lasts; resuming a session would save little, and verify no certificate. TLS 1.2 can
        # resume without tickets, which `ssl` cannot forbid: so admission looks at the dates, too.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
        return context

    def _copy_for_admin_client(self, grpc: PkiFolder) -> None:
        """Copy the admin's files to where an admin client looks (configuration key `tlsDir`)."""
        if self._tls_dir is None:
            return
        folder = self._tls_dir / "grpc"
        paths = grpc.paths
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for source, name, mode in (
                (paths.ca, "ca.crt", 0o644),
                (paths.client, "client.crt", 0o644),
                (paths.client_key, "client.key", 0o600),
            ):
                replace_file(OS_FILES, folder / name, source.read_bytes(), mode)
        except OSError as error:
            self.warnings.append(
                f"tlsDir {self._tls_dir} cannot be written: {error.strerror}; the admin's files "
                "are not copied there: make it writable, or choose another"
            )


def _facts(authority: str, pki: PkiFolder) -> Iterator[CertificateFacts]:
    ca_end = pki.authority.not_after
    for kind, path in (
        ("ca", pki.paths.ca),
        ("server", pki.paths.server),
        ("client", pki.paths.client),
    ):
        try:
            end = load_certificates(path.read_bytes(), path)[0].not_valid_after_utc
        except (OSError, PkiError):
            continue
        if kind == "ca":
            end = ca_end
        is_renewed = kind != "ca" and end < ca_end  # else a new one would end no later
        renewed_from_ms = milliseconds(end - RENEW_BEFORE) if is_renewed else 0
        yield CertificateFacts(authority, kind, str(path), milliseconds(end), renewed_from_ms)


def _chain(folder: PkiFolder, above: Iterable[x509.Certificate]) -> bytes:
    """What is in server.pem, and behind it these certificates, unless they are in it already."""
    pem = folder.paths.server.read_bytes()
    present = load_certificates(pem, folder.paths.server)
    return b"\n".join([pem, *(certificate_pem(c) for c in above if c not in present)])


def _check_unchanged(pki: PkiFolder) -> None:
    """Refuse another CA than the one that the running server and its nodes trust.

    Raises:
        PkiError: no certificate on disk has the CA's key.
    """
    path = pki.paths.ca
    remedy = "restart the server to use what is there, or put the old one back"
    try:
        present = load_certificates(path.read_bytes(), path)
    except FileNotFoundError:
        return  # opening the folder signs it anew, with the same key
    except OSError as error:
        raise PkiError(path, f"cannot be read: {error.strerror}", remedy) from error
    key = pki.authority.certificate.public_key()
    if not any(public_key_of(certificate, path) == key for certificate in present):
        raise PkiError(path, "is another CA than the one that this server runs with", remedy)
