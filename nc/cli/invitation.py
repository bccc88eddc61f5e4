"""The invitation to join that a command line, a file or the environment gives."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer

from nc.agent.enrolment import Invitation
from nc.cli.options import value_of
from nc.cli.pasted import JoinLine, read_ca_cert_hash, read_join_line
from nc.cli.token_args import BOOTSTRAP_TOKEN_VARIABLE, secret_text

InvitationArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[TOKEN@IP:PORT[,IP:PORT…]]",
        help="As ncadm tokens issue prints it; IP:PORT alone with --token-file or "
        f"{BOOTSTRAP_TOKEN_VARIABLE}. Of several servers of a network, the first that answers is "
        "joined. A machine that has joined needs none.",
    ),
]

ImportedOption = Annotated[
    bool,
    typer.Option(
        "--imported",
        help="The token is the node token of a machine that was imported from an upstream server: "
        "it stays that node, with its name or --name, and gets certificates of its own.",
    ),
]

_EXPECTED: Final = "expected TOKEN@IP:PORT, as ncadm tokens issue prints it"


class InvitationKind(NamedTuple):
    """What the options say of an invitation, beside the token and the CA."""

    is_plaintext: bool
    proxy: str | None
    is_imported: bool
    name: str


def invitation_of(
    argument: str | None, token_file: Path | None, ca_cert_hash: str | None, kind: InvitationKind
) -> Invitation | None:
    """What was given; None: nothing was.

    Raises:
        typer.BadParameter: it is not usable; the message does not repeat the token.
    """
    read = partial(_read, is_node=kind.is_imported)
    line = _given(argument, token_file, read)
    pin = _checked_hash(ca_cert_hash) or line.ca_cert_hash
    is_plaintext = kind.is_plaintext or line.is_plaintext
    if pin is not None and is_plaintext:
        raise typer.BadParameter(
            "--ca-cert-hash cannot be checked without TLS (--plaintext): drop one of the two"
        )
    if line == JoinLine():
        return None
    if line.token is None or line.place is None:
        missing = "the token" if line.token is None else "the address"
        raise typer.BadParameter(f"{missing} is missing: {_EXPECTED}")
    host, port = line.place.host, line.place.port
    others = tuple((place.host, place.port) for place in line.others)
    return Invitation(
        *(line.token, host, port, pin, is_plaintext, kind.proxy, others),
        name=kind.name,
        is_imported=kind.is_imported,
    )


def _given(
    argument: str | None, token_file: Path | None, read: Callable[[str], JoinLine]
) -> JoinLine:
    """The argument's parts; those that it lacks, from the file or the environment."""
    if argument in {None, "-"}:
        text = secret_text(argument, token_file, BOOTSTRAP_TOKEN_VARIABLE, "the argument")
        return JoinLine() if text is None else read(text)
    first = read(str(argument))
    if first.token is not None:
        secret_text(argument, token_file, "", "the argument")
        return first
    text = secret_text(None, token_file, BOOTSTRAP_TOKEN_VARIABLE, "the argument")
    if text is None:
        return first
    second = read(text)
    return second._replace(place=first.place, others=first.others)


def _read(text: str, *, is_node: bool) -> JoinLine:
    try:
        return read_join_line(text, is_node=is_node)
    except ValueError as error:
        raise typer.BadParameter(f"{_EXPECTED}: {error}") from None


def _checked_hash(text: str | None) -> str | None:
    with value_of("--ca-cert-hash"):
        return None if text is None else read_ca_cert_hash(text)


def without_invitation(words: list[str], argument: str | None) -> list[str]:
    """A command line that resumes what this one has begun: nothing in it gives a token."""
    kept: list[str] = []
    before = ""
    for word in words:
        is_token = word == argument or word.startswith("--token-file=")
        if not (is_token or "--token-file" in (word, before)):
            kept.append(word)
        before = word
    return kept
