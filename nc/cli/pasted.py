"""Tokens and lines as people paste them: what surrounds them is cut off, what is wrong is named.

A terminal, a chat, a spreadsheet or an editor adds spaces, line ends (CR too), quotes, invisible
characters, a full stop or a comma, and capitals. No message repeats the text: it may be a secret.
"""

import ipaddress
import re
import unicodedata
from typing import Final, NamedTuple

from nc.cli.server_address import ServerAddress
from nc.contract import SERVER_NODE_TOKEN
from nc.secrets import LONGEST_TOKEN, is_code, is_id, is_well_formed
from nc.text import unwrapped

_LABELS: Final = ("node token:", "token:", "join:")
_HEX: Final = re.compile(r"[0-9a-f]+")
_PIN: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_IMPORTED: Final = re.compile(rf"[!-~]{{1,{LONGEST_TOKEN}}}")
_WHAT_IT_IS: Final = "a token is 16 digits of 0-9 and a-f"


def read_token(text: str) -> str:
    """A bootstrap or node token.

    Raises:
        ValueError: it is none; the message says what it seems to be.
    """
    token = _unlabelled(text).lower()
    if problem := doubt_of(token):
        raise ValueError(problem)
    return token


def read_node_token(text: str) -> str:
    """A node token, also of a node that was imported from an upstream server.

    Those may be any visible characters. So what may be a mistake is told by `doubt_of` once the
    server does not know the token; here only addresses and invitations are refused.

    Raises:
        ValueError: it is none.
    """
    token = _unlabelled(text)
    if not doubt_of(token.lower()):
        return token.lower()
    if not _IMPORTED.fullmatch(token) or "@" in token or _is_address(token):
        raise ValueError(_problem(token.lower()))
    return token


def doubt_of(token: str) -> str:
    """Why it may be no token; "" if it looks like one of ours."""
    is_ours = is_well_formed(token) or token == SERVER_NODE_TOKEN
    return "" if is_ours else _problem(token)


def _unlabelled(text: str) -> str:
    """Without what surrounds it, and without the word that is printed before it."""
    token = unwrapped(text)
    for label in _LABELS:
        if token.lower().startswith(label):
            token = token[len(label) :].strip()
    return token


def _problem(text: str) -> str:
    kinds = (
        (not text, "it is empty"),
        (is_id(text), "this is the id of a node or a token, as the log has it"),
        (_PIN.fullmatch(text), "this is a hash, as for --ca-cert-hash"),
        (is_code(text), "this is the code of an invitation for a server (ncadm replicas invite)"),
        ("@" in text, "this is a bootstrap token with its address (T@IP:PORT)"),
        (_is_address(text), "this is an address"),
        (_HEX.fullmatch(text), f"this has {len(text)} digits: was it copied whole?"),
    )
    what = next((what for is_it, what in kinds if is_it), "this is no token")
    return f"{what}; {_WHAT_IT_IS}"


def _is_address(text: str) -> bool:
    """Whether it is an IP address, perhaps with a prefix length or a port."""
    host = text.partition("/")[0]
    for each in (host, host.rpartition(":")[0].strip("[]")):
        try:
            ipaddress.ip_address(each)
        except ValueError:
            continue
        return True
    return False


def read_ca_cert_hash(text: str) -> str:
    """`sha256:` and 64 hex digits, which alone are taken too.

    Raises:
        ValueError: it is none.
    """
    match = _PIN.fullmatch(unwrapped(text).lower())
    if match is None:
        raise ValueError("expected sha256: and 64 hex digits, as ncadm tokens issue prints it")
    return f"sha256:{match[1]}"


class JoinLine(NamedTuple):
    """What a text says of how to join; None: it does not.

    Attributes:
        others: more places than one.
    """

    token: str | None = None
    place: ServerAddress | None = None
    ca_cert_hash: str | None = None
    is_plaintext: bool = False
    others: tuple[ServerAddress, ...] = ()


def read_join_line(text: str, *, is_node: bool = False) -> JoinLine:
    """Read `T@IP:PORT,…`, `T`, `IP:PORT,…`, or the whole of what `ncadm tokens issue` prints.

    Args:
        text: as it was pasted.
        is_node: T is the node token of an imported node, which may look like anything.

    Raises:
        ValueError: it is none of these; the message says what is wrong with it.
    """
    words = [unwrapped(word) for word in unicodedata.normalize("NFKC", text).split()]
    words = [word for word in words if word]
    if len(words) == 1:
        return _read_word(words[0], is_node=is_node)
    with_place = [word for word in words if "@" in word]
    if not with_place:
        alone = [word for word in words if is_well_formed(word.lower())]
        if not alone:
            raise ValueError("it has no TOKEN@IP:PORT")
        return JoinLine(alone[0].lower())
    return _read_word(with_place[0], is_node=is_node)._replace(
        ca_cert_hash=_pin_in(words), is_plaintext="--plaintext" in words
    )


def _read_bootstrap_token(text: str) -> str:
    """One of ours, or one that was imported: what is of digits alone is too likely a mistake."""
    try:
        return read_token(text)
    except ValueError:
        token = _unlabelled(text)
        if _HEX.fullmatch(token.lower()) or _PIN.fullmatch(token.lower()):
            raise
        return read_node_token(token)


def _read_word(word: str, *, is_node: bool) -> JoinLine:
    token, at, place = word.rpartition("@")
    if at:
        first, *others = _read_places(place)
        read = read_node_token if is_node else _read_bootstrap_token
        scheme_free = token.rpartition("://")[2]  # https://T@IP:PORT
        return JoinLine(read(scheme_free), first, others=tuple(others))
    if is_node and ":" not in word:
        return JoinLine(token=read_node_token(word))
    try:
        return JoinLine(token=read_token(word))
    except ValueError:
        if ":" not in word or _PIN.fullmatch(word.lower()):
            raise
        first, *others = _read_places(word)
        return JoinLine(place=first, others=tuple(others))


def _read_places(text: str) -> list[ServerAddress]:
    return list(dict.fromkeys(ServerAddress.parse(place or "none") for place in text.split(",")))


class ReplicaLine(NamedTuple):
    """An invitation to become a replica; the hash is None where the text has none."""

    code: str
    place: ServerAddress
    ca_cert_hash: str | None = None


def read_replica_line(text: str) -> ReplicaLine:
    """Read `CODE@IP:PORT`, or the whole of what `replicas invite` prints.

    Raises:
        ValueError: it is none; the message says what is wrong with it.
    """
    words = [unwrapped(word) for word in unicodedata.normalize("NFKC", text).split()]
    found = next((word for word in words if "@" in word), None)
    if found is None:
        is_alone = any(is_code(word.lower()) for word in words)
        raise ValueError("the address behind the code is missing" if is_alone else "it has no @")
    code, _, place = found.rpartition("@")
    code = code.rpartition("=")[2].lower()  # --invite=CODE@IP:PORT
    if is_well_formed(code):
        raise ValueError("this is a bootstrap token, with which a machine becomes a node (join)")
    if not is_code(code):
        raise ValueError("a code is 24 digits of 0-9 and a-f; was it copied whole?")
    return ReplicaLine(code, ServerAddress.parse(place or "none"), _pin_in(words))


def _pin_in(words: list[str]) -> str | None:
    for option, value in zip(words, [*words[1:], ""], strict=True):
        name, equals, attached = option.partition("=")
        if name == "--ca-cert-hash":
            return read_ca_cert_hash(attached if equals else value)
    return None
