"""Options that select events: nodes, bootstrap tokens, addresses, actors, kinds and moments.

A node or a token is named by its id, by a beginning of it that no other has, or by the token
itself, which is hashed at once under the server's key and shown nowhere; a node also by its name
or its overlay address.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Final, NamedTuple, NoReturn, Protocol

import typer

from eventlog import LogReader
from nc.cli.entrypoint import OperationFailed
from nc.cli.log.source import progress_to
from nc.cli.time_args import parse_point
from nc.cli.token_args import secret_text
from nc.clock import SystemClock
from nc.data_folder import DataFolder
from nc.history.events import Ids, Point, history, ids_in
from nc.history.fields import KIND_NAMES
from nc.history.filters import Filter
from nc.secrets import SECRET_KEY_BYTES, TokenIds, is_id, is_well_formed
from nc.small_files import read_small
from nc.text import unwrapped

NodeOption = Annotated[
    str | None,
    typer.Option(
        help="Only about this node: its id or the beginning of it, its name, the overlay address "
        "that it held last, or its token; "
        "- reads it from the standard input."
    ),
]
AddressOption = Annotated[
    str | None, typer.Option(metavar="IP", help="Only about this overlay address.")
]
ActorOption = Annotated[
    str | None,
    typer.Option(help="Only by this actor: eve, certificate:, a serial, system."),
]
KindsOption = Annotated[
    list[str] | None, typer.Option("--type", help="Only this kind; may be given repeatedly.")
]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="SEQ|TIME", help="The first event: 2026-11-20T15:00, 15:00, -2h, or now."
    ),
]
ToOption = Annotated[
    str | None, typer.Option("--to", metavar="SEQ|TIME", help="The last event, which is included.")
]

_KINDS: Final = {name.lower(): kind for kind, name in KIND_NAMES.items()}


class Naming(Protocol):
    """Knows the nodes of a log."""

    @property
    def last_seq(self) -> int: ...

    def node(self, text: str) -> str: ...


class Names(NamedTuple):
    reader: LogReader
    secret_key: Path

    @property
    def last_seq(self) -> int:
        return self.reader.last_seq

    def node(self, text: str) -> str:
        """The id of a node.

        Raises:
            OperationFailed: there is none, or there are several.
        """
        given = reference(text)
        name = given.lower()
        if is_id(name):
            return name
        known = self.known()
        if is_address(name):
            return known.holders.get(address_named(name)) or _held_by_none(name)
        return known.names.get(name) or self.resolve(given, "node", known.nodes)

    def known(self) -> Ids:
        """Every id that the log names, or that it begins with."""
        from nc.history.as_of import BaseMissing, base_of

        with progress_to(self.reader, "looking for names") as progress:
            named = ids_in(history(self.reader, progress=progress))
        try:
            base = base_of(self.reader)
        except BaseMissing:
            return named
        held = {each.address: node_id for node_id, each in base.addresses.by_node.items()}
        return Ids(
            named.nodes | set(base.nodes),
            named.tokens | set(base.tokens),
            {**base.names, **named.names},
            {**held, **named.holders},
            named.invitations | set(base.membership.invitations),
        )

    def resolve(self, text: str, what: str, known: frozenset[str]) -> str:
        """The one of the known ids that a text names.

        Raises:
            OperationFailed: there is none, or there are several.
        """
        if text and (found := self._hashed(text)) in known:
            return str(found)
        start = text.lower()
        matches = sorted(each for each in known if start and each.startswith(start))
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise OperationFailed(
                f"{len(matches)} ids begin so: name more digits of one, such as {matches[0]}"
            )
        if is_well_formed(text) and self._hashed(text) is None:
            raise OperationFailed(
                f"{self.secret_key} is missing or cannot be read, and without it no token is "
                "recognised; name the data folder that has it with --data-dir, or give the id "
                "instead of the token"
            )
        known_by = "name, id, address or token" if what == "node" else "id or token"
        raise OperationFailed(
            f"no {what} in this log has that {known_by}; `log at` lists those that there are"
        )

    def _hashed(self, token: str) -> str | None:
        """The id of a token; None without the key, whole and readable."""
        try:
            key = read_small(self.secret_key)
        except OSError:
            return None
        return TokenIds(key).id_of(token) if len(key) == SECRET_KEY_BYTES else None


def _held_by_none(address: str) -> NoReturn:
    raise OperationFailed(f"no node in this log has held {address}; `log at` lists those that do")


def names_in(reader: LogReader, data_dir: Path | None, log: str | None) -> Names:
    """Resolves names with the key beside the log, or in a data folder that is named too."""
    if log is not None and data_dir is not None:
        home = data_dir
    else:
        file = None if log is None else Path(log)
        home = (file if file and file.is_file() else reader.folder).absolute().parent
    return Names(reader, DataFolder(home).secret_key)


def filter_named(
    names: Naming,
    *,
    node: str | None = None,
    address: str | None = None,
    actor: str | None = None,
    kinds: list[str] | None = None,
    start: str | None = None,
    end: str | None = None,
) -> Filter:
    first = Point() if start is None else point_named(start, "--from ")
    last = Point() if end is None else point_named(end, "--to ")
    if start is not None and first == Point():
        first = Point(seq=names.last_seq + 1)
    for one, other in zip(first, last, strict=True):
        if one is not None and other is not None and one > other:
            raise typer.BadParameter(f"--from {start} is after --to {end}: exchange them")
    return Filter(
        node=None if node is None else names.node(node),
        address=None if address is None else address_named(address),
        actor=actor,
        kinds=_kinds_named(kinds or ()),
        start=first,
        end=last,
    )


def reference(text: str) -> str:
    """A node, token or address as it was pasted; a token is no longer visible in `ps`.

    In small letters, unless it may be an imported node's token, in which capitals count.
    """
    given = unwrapped(secret_text(text, None, "", "") or "")
    lower = given.lower()
    return lower if is_id(lower) or is_well_formed(lower) else given


def is_address(text: str) -> bool:
    """Whether it is written as an address is: `10.1.1.3`, `10.1.1.3/24`."""
    return "." in text and set(text) <= set("0123456789./")


def address_named(text: str) -> str:
    try:
        return str(IPv4Address(unwrapped(text).partition("/")[0]))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no IPv4 address") from None


def point_named(text: str, option: str = "") -> Point:
    """A place in the log; an error about it begins with the option's name."""
    try:
        return parse_point(text, SystemClock().now_ns() // 1_000_000_000)
    except ValueError as error:
        raise typer.BadParameter(f"{option}{error}") from None


def _kinds_named(texts: Iterable[str]) -> frozenset[str]:
    """The kinds of events with these names, however they are capitalised."""
    for text in texts:
        if text.lower() not in _KINDS:
            raise typer.BadParameter(
                f"--type {text!r} is no kind of event: use {', '.join(KIND_NAMES.values())}"
            )
    return frozenset(_KINDS[text.lower()] for text in texts)
