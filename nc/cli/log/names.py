"""What people name on a command line: nodes, bootstrap tokens, addresses, moments; and so events.

A node or a token is named by its id, by a beginning of it that no other has, or by the token
itself, which is hashed at once under the server's key and shown nowhere.
"""

from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

import typer

from eventlog import LogReader
from nc.cli.entrypoint import OperationFailed
from nc.cli.log.filters import Filter, kinds_named
from nc.cli.log.source import progress_to
from nc.cli.time_args import parse_point
from nc.clock import SystemClock
from nc.contract import SERVER_NODE_TOKEN
from nc.data_folder import DataFolder
from nc.history.as_of import BaseMissing, base_of, history
from nc.history.events import Ids, Point, ids_in
from nc.history.explain import Target
from nc.secrets import SECRET_KEY_BYTES, TokenIds, is_id, is_well_formed

_NODE, _TOKEN = "node", "bootstrap token"


class Names(NamedTuple):
    """Resolves names against a log."""

    reader: LogReader
    secret_key: Path

    def node(self, text: str) -> str:
        """The id of a node."""
        return self._id(text, _NODE, self.known().nodes) if not is_id(text) else text

    def subject(self, text: str) -> Target:
        """What a story can be about."""
        if "." in text:
            return Target("address", address_named(text))
        if text == SERVER_NODE_TOKEN:
            return Target("node", text)
        known = self.known()
        found = self._id(text, f"{_NODE} or {_TOKEN}", known.nodes | known.tokens)
        return Target("node" if found in known.nodes else "token", found)

    def known(self) -> Ids:
        """Every id that the log ever named, or that it begins with."""
        with progress_to(self.reader, "looking for names") as progress:
            named = ids_in(history(self.reader, progress=progress))
        try:
            base = base_of(self.reader)
        except BaseMissing:
            return named
        return Ids(named.nodes | set(base.nodes), named.tokens | set(base.tokens))

    def _id(self, text: str, what: str, known: frozenset[str]) -> str:
        if is_well_formed(text) and (found := self._hashed(text)) in known:
            return str(found)
        matches = sorted(each for each in known if text and each.startswith(text))
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
        raise OperationFailed(
            f"no {what} in this log has that id or token; `log at` lists those that there are"
        )

    def _hashed(self, token: str) -> str | None:
        """The id of a token; None without the key, whole and readable."""
        try:
            key = self.secret_key.read_bytes()
        except OSError:
            return None
        return TokenIds(key).id_of(token) if len(key) == SECRET_KEY_BYTES else None


def names_in(reader: LogReader, data_dir: Path | None, log: Path | None) -> Names:
    """What resolves names; the key lies beside the log, or in a data folder named too."""
    if log is not None and data_dir is not None:
        home = data_dir
    else:
        is_file = log is not None and log.is_file()
        home = (log if log is not None and is_file else reader.folder).absolute().parent
    return Names(reader, DataFolder(home).secret_key)


def filter_named(
    names: Names,
    *,
    node: str | None = None,
    address: str | None = None,
    actor: str | None = None,
    kinds: list[str] | None = None,
    start: str | None = None,
    end: str | None = None,
) -> Filter:
    """Which events are asked for, as the options of a command say it."""
    first = Point() if start is None else point_named(start, "--from ")
    last = Point() if end is None else point_named(end, "--to ")
    if start is not None and first == Point():
        first = Point(seq=names.reader.last_seq + 1)
    for one, other in zip(first, last, strict=True):
        if one is not None and other is not None and one > other:
            raise typer.BadParameter(f"--from {start} is after --to {end}: exchange them")
    return Filter(
        node=None if node is None else names.node(node),
        address=None if address is None else address_named(address),
        actor=actor,
        kinds=kinds_named(kinds or ()),
        start=first,
        end=last,
    )


def address_named(text: str) -> str:
    """An overlay address, as the log has it."""
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no IPv4 address") from None


def point_named(text: str, option: str = "") -> Point:
    """A place in the log, as somebody wrote it; mistakes begin with the option's name."""
    try:
        return parse_point(text, SystemClock().now_ns() // 1_000_000_000)
    except ValueError as error:
        raise typer.BadParameter(f"{option}{error}") from None
