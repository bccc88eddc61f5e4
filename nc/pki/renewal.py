"""When a certificate must be signed anew, and what is wrong with a clock. Pure.

    flaw                                           works today
    its file is missing                            no
    it was signed by another CA than the folder's  no
    it does not match the key file beside it       no
    its extended key usage is for something else   no
    it has ended                                   no
    it is not valid yet: a clock was ahead         no
    a required server name is missing              no
    it ends within 30 days                         yes

Only certificates are renewed, for the key that is there.

A CA made here is signed anew, with its key, if it is not valid yet or ended before this release:
the clock was wrong when it was made. Nothing is signed by a clock that is before this release.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from nc.clock import RELEASED_AT
from nc.pki.certificates import leaf_end
from nc.pki.errors import ClockImplausible
from nc.pki.pem import UNREADABLE, PublicKey
from nc.text import duration_text

RENEW_BEFORE = timedelta(days=30)
"""How early: a server that restarts once a month never serves an expired certificate."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One reason to sign a certificate anew.

    Attributes:
        text: what is wrong, behind "renewed: ".
        works_today: clients still accept the certificate.
        is_foreign: the certificate, or its key, came from elsewhere.
    """

    text: str
    works_today: bool = False
    is_foreign: bool = False


MISSING = Flaw("it was missing")


def flaws(
    chain: Sequence[x509.Certificate],
    key: PublicKey,
    authority: x509.Certificate,
    usage: ObjectIdentifier,
    now: datetime,
) -> list[Flaw]:
    """The flaws of a server's or client's certificate.

    Args:
        chain: the leaf, then any intermediate certificates from its file.
        key: the public half of the key file beside it.
        authority: the CA that peers trust.
        usage: what the leaf is for, one of `ExtendedKeyUsageOID`.
        now: the current time, aware, in UTC.
    """
    leaf = chain[0]
    found = []
    if not issued_by(chain, authority):
        found.append(Flaw("it was signed by another CA than ca.pem", is_foreign=True))
    if leaf.public_key() != key:
        found.append(Flaw("it did not match its private key", is_foreign=True))
    if not _is_for(leaf, usage):
        found.append(Flaw("its extended key usage was for something else"))
    start, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if now < start:
        found.append(Flaw(f"it was valid from {start:%Y-%m-%d %H:%M} UTC on only"))
    if end <= now:
        found.append(Flaw(f"it ended on {end:%Y-%m-%d}"))
    # Towards the CA's own end a new leaf would end no later, and renewing would never stop.
    elif end - now <= RENEW_BEFORE and end < leaf_end(authority.not_valid_after_utc, now):
        found.append(Flaw(f"it was to end on {end:%Y-%m-%d}", works_today=True))
    return found


def validity_problem(certificate: x509.Certificate, now: datetime) -> str:
    """What is wrong with a certificate's dates by this machine's clock; "" if nothing is."""
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if start <= now < end:
        return ""
    if now < start:
        apart = duration_text((start - now).total_seconds())
        cause = (
            f"this machine's clock is at least {apart} behind, or the clock of the machine that "
            "signed it was ahead; set the one that is wrong, or wait for NTP"
        )
    else:
        apart = duration_text((now - end).total_seconds())
        cause = (
            f"it ended {apart} ago, or this machine's clock is at least so far ahead; "
            "if the clock is wrong, set it or wait for NTP"
        )
    return (
        f"is valid from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC, and this machine's "
        f"clock says {now:%Y-%m-%d %H:%M} UTC: {cause}"
    )


def require_plausible(now: datetime) -> None:
    """Check the clock before anything is signed.

    Raises:
        ClockImplausible: it is before this release.
    """
    if now < RELEASED_AT:
        raise ClockImplausible(
            None,
            f"this machine's clock says {now:%Y-%m-%d %H:%M} UTC, which is before this release "
            f"({RELEASED_AT:%Y-%m-%d}), so no certificate can be made",
            "set the clock, or wait for NTP",
        )


def has_wrong_dates(authority: x509.Certificate, now: datetime) -> bool:
    """Whether the clock was wrong when this CA was made: not valid yet, or ended before us."""
    return now < authority.not_valid_before_utc or authority.not_valid_after_utc < RELEASED_AT


def names_of(leaf: x509.Certificate) -> tuple[x509.GeneralName, ...]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(names)


def missing_names(
    present: Sequence[x509.GeneralName], required: Sequence[x509.GeneralName]
) -> tuple[x509.GeneralName, ...]:
    """The required names that are not present; the case of DNS names does not matter."""
    known = {_folded(name) for name in present}
    return tuple(name for name in required if _folded(name) not in known)


def flaws_of_names(missing: Sequence[x509.GeneralName]) -> list[Flaw]:
    listed = " and ".join(str(name.value) for name in missing)
    return [Flaw(f"it did not name {listed}")] if missing else []


def issued_by(chain: Sequence[x509.Certificate], authority: x509.Certificate) -> bool:
    """Whether each certificate was signed by the next, and the last by the authority."""
    try:
        for certificate, issuer in pairwise((*chain, authority)):
            certificate.verify_directly_issued_by(issuer)
    except (*UNREADABLE, InvalidSignature):
        return False
    return True


def _is_for(leaf: x509.Certificate, usage: ObjectIdentifier) -> bool:
    try:
        usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True  # for anything (RFC 5280, 4.2.1.12)
    return usage in usages or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages


def _folded(name: x509.GeneralName) -> x509.GeneralName:
    return x509.DNSName(name.value.lower()) if isinstance(name, x509.DNSName) else name
