"""Errors of certificates and keys, one class for each kind, each with a remedy.

An error names a file, never its content: no text here can carry a key.
"""

from pathlib import Path

from nc.errors import OperatorError


class PkiError(OperatorError):
    """A certificate, a key or their folder cannot be used.

    Attributes:
        path: the file or folder; None if there is none.
        problem: what is wrong, without the path.
    """

    def __init__(self, path: Path | None, problem: str, remedy: str) -> None:
        where = "" if path is None else f"{path}: "
        super().__init__(f"{where}{problem}", remedy=remedy)
        self.path = path
        self.problem = problem


class InvalidName(PkiError):
    """A server name or a certificate subject is not one that a certificate can carry."""


class CertificateUnreadable(PkiError):
    """A file holds no certificate that can be read, or a damaged one."""


class KeyUnreadable(PkiError):
    """A file holds no usable private key: garbage, encrypted, or neither EC nor RSA."""


class KeyMissing(PkiError):
    """A CA certificate is there and its private key is not, so nothing can be signed."""


class KeyMismatch(PkiError):
    """The CA's private key and its certificate do not belong together."""


class NotAnAuthority(PkiError):
    """The certificate given as a CA is not allowed to sign certificates."""


class AuthorityExpired(PkiError):
    """The CA has expired: no client accepts what it would sign now."""


class AuthorityNotYetValid(PkiError):
    """The clock is before the start of the CA's validity."""


class ClockImplausible(PkiError):
    """The clock says a time before this release: what is signed now would end too early."""


class FolderUnusable(PkiError):
    """The operating system refuses to read or write the folder or one of its files."""
