"""Opens a folder of certificates: makes what is missing, uses what exists, renews what must be.

Three rules make every crash harmless: a file is replaced atomically; a key is written before its
certificate; a certificate that is missing or has a flaw (see `renewal`) is signed for the key that
is there. So the next opening completes whatever a crash leaves, and an existing CA certificate
changes only if a wrong clock dated it; its key stays.

Nothing is signed for a key that is not its certificate's: an upstream server overwrites
client-key.pem with each node's key, and signing would make that node an administrator. A new pair
is made, and the old files are kept under other names.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from nc.certificate_files import FolderPaths
from nc.files import OS_FILES, Files
from nc.pki import renewal
from nc.pki.authority import CertificateAuthority, self_signed
from nc.pki.certificates import ADMIN, AuthorityKind, subject
from nc.pki.chain import path_of
from nc.pki.errors import FolderUnusable, KeyMissing
from nc.pki.names import general_names
from nc.pki.pem import PrivateKey, PublicKey, public_key_of
from nc.pki.store import Made, Store
from nc.pki.trial import require_usable

AUTHORITY_WARNING: Final = timedelta(days=180)
"""How early the end of a CA is announced: every node must join again then."""

SIGNED_ANEW: Final = (
    "signed anew with the same key: it was missing; what a CA made here has signed stays valid"
)

MISDATED: Final = "signed anew with the same key, since a wrong clock had dated it"


@dataclass(frozen=True, slots=True)
class PkiFolder:
    """A complete folder.

    Attributes:
        made: what this opening wrote, in order; empty if the folder was complete.
        warnings: for the operator, a sentence each.
    """

    authority: CertificateAuthority
    paths: FolderPaths
    made: tuple[Made, ...]
    warnings: tuple[str, ...]


def open_folder(
    path: Path,
    kind: AuthorityKind,
    server_names: Iterable[str],
    now: datetime,
    next_serial: Callable[[], int],
    *,
    may_found: bool = True,
    files: Files = OS_FILES,
) -> PkiFolder:
    """Open a folder of certificates; it is made (0700) if it is missing.

    The server certificate has at least `server_names`, IP addresses and DNS names. `now` is aware,
    in UTC. `next_serial` gives serial numbers: positive, at most 159 bits, never given before.
    Without `may_found` a CA that is missing is an error, and none is made in its place.

    Raises:
        PkiError: with the file and the remedy.
    """
    required = general_names(server_names)
    with Store.opened(path, files) as store:
        opening = _Opening(store, kind, now, next_serial)
        authority = opening.open_authority(may_found=may_found)
        opening.open_server(authority, required)
        opening.open_client(authority)
        warnings = (*opening.warnings, *store.key_warnings())
        return PkiFolder(authority, store.paths, tuple(store.made), warnings)


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A server's or client's certificate and key, and the certificate's flaws."""

    chain: tuple[x509.Certificate, ...]
    key: PublicKey
    flaws: list[renewal.Flaw]


@dataclass(frozen=True, slots=True)
class _Opening:
    store: Store
    kind: AuthorityKind
    now: datetime
    next_serial: Callable[[], int]
    warnings: list[str] = field(default_factory=list)

    def open_authority(self, *, may_found: bool) -> CertificateAuthority:
        """Use the CA that is there, make one, or sign a certificate for a key without one."""
        path, key_path = self.store.paths.ca, self.store.paths.ca_key
        chain, key = self.store.certificates(path), self.store.key(key_path)
        if key is None and (chain or not may_found):
            raise KeyMissing(
                key_path,
                "the CA's private key is missing, and without it no node can join",
                "put the folder back from a backup (docs/how-to/backup.md)",
            )
        reason = "made: it was missing" if key is None else SIGNED_ANEW
        key = key or self.store.new_key(key_path)
        authority, until = None, None
        if chain:
            signing, issuers = path_of(chain, key)
            authority = CertificateAuthority(signing, key, path, issuers)
        if authority and self._was_misdated(authority):
            start, end = authority.not_before, authority.not_after
            reason = f"{MISDATED}: it was valid from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d} UTC"
            authority, until = None, end  # a slow clock does not shorten a CA's life
        if authority is not None:
            require_usable(authority, self.now, self.next_serial)
        else:
            authority = self_signed(self.kind, key, self.now, self.next_serial(), path, until=until)
            self.store.write_certificate(path, authority.certificate, reason)
        self._warn_of_authority(authority, len(chain))
        return authority

    def _was_misdated(self, authority: CertificateAuthority) -> bool:
        """Whether a CA that was made here has the dates of a wrong clock."""
        certificate = authority.certificate
        ours = subject(self.kind.value)
        is_ours = certificate.subject == ours and certificate.issuer == ours
        return is_ours and renewal.has_wrong_dates(certificate, self.now)

    def open_server(
        self, authority: CertificateAuthority, required: tuple[x509.GeneralName, ...]
    ) -> None:
        """Renew the server's certificate if it has a flaw; the new one keeps all names."""
        paths = self.store.paths
        leaf = self._leaf(
            paths.server, paths.server_key, authority, ExtendedKeyUsageOID.SERVER_AUTH
        )
        present = renewal.names_of(leaf.chain[0]) if leaf.chain else ()
        missing = renewal.missing_names(present, required)
        flaws = [*leaf.flaws, *renewal.flaws_of_names(missing)] if leaf.chain else leaf.flaws
        self._renew(
            paths.server,
            flaws,
            lambda: authority.sign_server(
                (*present, *missing), leaf.key, self.now, self.next_serial()
            ),
        )

    def open_client(self, authority: CertificateAuthority) -> None:
        """Renew the admin's certificate if it has a flaw; keep its subject if this CA signed it."""
        paths = self.store.paths
        leaf = self._leaf(
            paths.client, paths.client_key, authority, ExtendedKeyUsageOID.CLIENT_AUTH
        )
        ours = leaf.chain and renewal.issued_by(leaf.chain, authority.certificate)
        name = leaf.chain[0].subject if ours else ADMIN
        self._renew(
            paths.client,
            leaf.flaws,
            lambda: authority.sign_client(name, leaf.key, self.now, self.next_serial()),
        )

    def _leaf(
        self,
        path: Path,
        key_path: Path,
        authority: CertificateAuthority,
        usage: x509.ObjectIdentifier,
    ) -> _Leaf:
        chain = self.store.certificates(path)
        certified = public_key_of(chain[0], path) if chain else None
        key = self._own_key(path, key_path, certified).public_key()
        if not chain:
            return _Leaf(chain, key, [renewal.MISSING])
        return _Leaf(chain, key, renewal.flaws(chain, key, authority.certificate, usage, self.now))

    def _own_key(self, path: Path, key_path: Path, certified: PublicKey | None) -> PrivateKey:
        """The key of a certificate; a new one if there is none, or it is another's."""
        key = self.store.key(key_path)
        if key is None:
            return self.store.new_key(key_path)
        # A server's key without a certificate is what a crash leaves; only a client's may be a
        # node's.
        if certified is None and path == self.store.paths.server:
            return key
        if certified == key.public_key():
            return key
        kept = self.store.keep(key_path)
        self.warnings.append(
            f"{key_path} was not the key of {path.name}, and may be a node's, since an upstream "
            f"server writes nodes' keys there: a new pair was made, and the old key is kept as "
            f"{kept}; use the new {path.name} and {key_path.name} from now on"
        )
        return self.store.new_key(key_path, f"made: the old one was not the key of {path.name}")

    def _renew(
        self, path: Path, flaws: list[renewal.Flaw], sign: Callable[[], x509.Certificate]
    ) -> None:
        if not flaws:
            return
        verb = "made" if flaws == [renewal.MISSING] else "renewed"
        reason = f"{verb}: {', '.join(flaw.text for flaw in flaws)}"
        is_foreign = any(flaw.is_foreign for flaw in flaws)
        is_renewal = flaws != [renewal.MISSING] and not is_foreign
        try:
            if is_foreign:
                self.store.keep(path)
            self.store.write_certificate(path, sign(), reason, is_renewal=is_renewal)
        except FolderUnusable as error:
            # A folder that cannot be written, such as a mounted secret, does not stop a server
            # whose certificate is still good for some weeks.
            if not all(flaw.works_today for flaw in flaws):
                raise
            self.warnings.append(f"{error}; until then the old certificate is used: {reason}")

    def _warn_of_authority(self, authority: CertificateAuthority, certificates: int) -> None:
        path = self.store.paths.ca
        unused = certificates - 1 - len(authority.issuers)
        if unused > 0:
            self.warnings.append(
                f"{path}: {unused} of {certificates} certificates are neither the CA nor above it, "
                "and are not used; remove them"
            )
        if not authority.has_root:
            self.warnings.append(
                f"{path}: holds an intermediate CA without its root, which programs of ours and "
                "those in Go accept, and others, such as curl and openssl, do not; append the "
                "certificates above it, up to the root"
            )
        if authority.not_after - self.now <= AUTHORITY_WARNING:
            verb = "ends" if self.now < authority.not_after else "ended"
            self.warnings.append(
                f"{path}: the CA {verb} on {authority.not_after:%Y-%m-%d}, and so does everything "
                "it signs; plan for a new one, with which every node must join again"
            )
