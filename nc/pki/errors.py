"""What can be wrong with certificates and keys: one tree, and every error says what to do about it.

An error names a file, never its content: no text here can carry a key.
"""

from pathlib import Path

from nc.errors import OperatorError


class PkiError(OperatorError):
    """A certificate, a key or their folder cannot be used; one sentence says why and what to do.

    Attributes:
        path: the file or folder at fault, or None where the fault came from no file.
        problem: what is wrong, without the path.
        remedy: what the operator can do about it.
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
    """The CA's time is over: whatever it would sign now, nobody would accept."""


class AuthorityNotYetValid(PkiError):
    """The clock reads a moment before the CA was made, so one of the two is wrong."""


class FolderUnusable(PkiError):
    """The operating system refuses to read or write the folder or one of its files."""
