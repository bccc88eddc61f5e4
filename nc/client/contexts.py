"""Which server, and the certificates for it: given, of a data folder, or a named context.

Contexts are kept in one file for a user, as kubectl keeps its own:

    current: prod
    contexts:
      prod:
        server: 192.0.2.7
        port: 6440
        bootstrap_port: 6439
        ca: prod/ca.pem            # relative to the file's folder
        certificate: prod/client.pem
        key: prod/client-key.pem
      test:
        data_dir: /srv/test        # instead of the three files
        plaintext: false

It holds paths, no keys. Keys that are absent have their usual values.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

from nc.certificate_files import FolderPaths
from nc.client.arguments import check_fields, checked
from nc.client.pem_files import read_pair, read_trusted
from nc.client.tls import ClientTls
from nc.contract import DEFAULT_BOOTSTRAP_PORT, DEFAULT_GRPC_PORT
from nc.data_folder import DataFolder, data_dir_variable, default_data_dir, home
from nc.errors import ConfigError
from nc.files import OS_FILES, replace_file
from nc.small_files import read_small

LOOPBACK: Final = "127.0.0.1"
CONTEXT_VARIABLE: Final = "NC_CONTEXT"
CONFIG_VARIABLE: Final = "XDG_CONFIG_HOME"

_FILE: Final = "contexts.yml"
_MODE: Final = 0o600
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_LAST_PORT: Final = 65_535
_TEXTS: Final = ("server", "ca", "certificate", "key", "data_dir")
_NUMBERS: Final = ("port", "bootstrap_port")
_KEYS: Final = (*_TEXTS, *_NUMBERS, "plaintext")


class ContextError(ConfigError):
    """There is no such context, or the file of contexts cannot be used."""


@dataclass(frozen=True, slots=True)
class Context:
    """A server's address, and the files of certificates to trust and to present there.

    Attributes:
        port, bootstrap_port: its control port and its bootstrap port.
        plaintext: the server runs with --plaintext; no file is read.
        name: of a named context; empty: it has none.
    """

    host: str = LOOPBACK
    port: int = DEFAULT_GRPC_PORT
    ca: Path = Path()
    certificate: Path = Path()
    key: Path = Path()
    bootstrap_port: int = DEFAULT_BOOTSTRAP_PORT
    plaintext: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        """Raises TypeError, ValueError: a field is wrong; a path may be a text."""
        check_fields(self)
        for name, port in (("port", self.port), ("bootstrap_port", self.bootstrap_port)):
            if not 0 <= port <= _LAST_PORT:
                raise ValueError(f"{name} is {port}: expected 0 to {_LAST_PORT}")

    @classmethod
    @checked
    def of_data_dir(
        cls, data_dir: Path | str, host: str = LOOPBACK, port: int = DEFAULT_GRPC_PORT
    ) -> "Context":
        """With the certificates that a server has left in its data folder."""
        return cls.of_certificates(DataFolder(Path(data_dir)).grpc_pki, host, port)

    @classmethod
    @checked
    def of_certificates(
        cls, folder: Path | str, host: str = LOOPBACK, port: int = DEFAULT_GRPC_PORT
    ) -> "Context":
        """With `ca.pem`, `client.pem` and `client-key.pem` of a folder."""
        paths = FolderPaths.within(Path(folder))
        return cls(host, port, paths.ca, paths.client, paths.client_key)

    @classmethod
    @checked
    def named(cls, name: str) -> "Context":
        """One of the user's contexts.

        Raises:
            ContextError: there is none of this name.
        """
        return Contexts.load().get(name)

    @classmethod
    def current(cls) -> "Context":
        """What `ncadm` uses without options.

        The context that NC_CONTEXT names; the data folder that NC_DATA_DIR names; the context that
        was chosen last (`ncadm contexts use`); the usual data folder: the first of these that there
        is.
        """
        if name := os.environ.get(CONTEXT_VARIABLE):
            return cls.named(name)
        if (folder := data_dir_variable()) is not None:
            return cls.of_data_dir(folder)
        contexts = Contexts.load()
        if contexts.current:
            return contexts.get(contexts.current)
        return cls.of_data_dir(default_data_dir())

    def tls(self) -> ClientTls | None:
        """The certificates, read; None in plain text.

        Raises:
            UnusableFile, OpenToOthers: they are none, or other users may read the key.
        """
        if self.plaintext:
            return None
        return ClientTls(read_trusted(self.ca), *read_pair(self.key, self.certificate))


@dataclass(frozen=True, slots=True)
class Contexts:
    """A user's contexts, as the file has them.

    Attributes:
        current: the one that is used when none is named; empty: none.
        entries: the keys of each, by its name.
    """

    path: Path
    current: str = ""
    entries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls) -> Self:
        """Read the file; no contexts without one.

        Raises:
            ContextError: it cannot be read, or is not what it should be.
        """
        path = config_folder() / _FILE
        try:
            text = read_small(path)
        except (FileNotFoundError, NotADirectoryError):
            return cls(path)
        except OSError as error:
            raise ContextError(
                f"{path} cannot be read: {error.strerror}", remedy="check what it is"
            ) from error
        with _explained(path):
            return cls(path, *_checked(_parsed(text)))

    def get(self, name: str) -> Context:
        entry = self.entries.get(name)
        if entry is None:
            there = ", ".join(self.entries) or "none"
            raise ContextError(
                f"there is no context {name!r}, but: {there}",
                remedy="make one with ncadm contexts add",
            )
        return self._context(name, entry)

    def _context(self, name: str, entry: Mapping[str, Any]) -> Context:
        context = Context()
        if "data_dir" in entry:
            context = Context.of_data_dir(self._path(entry["data_dir"]))
        files = {
            key: self._path(entry[key]) for key in ("ca", "certificate", "key") if key in entry
        }
        return replace(
            context,
            host=entry.get("server", context.host),
            port=entry.get("port", context.port),
            bootstrap_port=entry.get("bootstrap_port", context.bootstrap_port),
            plaintext=entry.get("plaintext", False),
            name=name,
            **files,
        )

    def _path(self, text: str) -> Path:
        path = Path(text)
        with suppress(RuntimeError):  # no such user as in ~name
            path = path.expanduser()
        return self.path.parent / path

    def all(self) -> list[Context]:
        return [self._context(name, entry) for name, entry in self.entries.items()]

    def with_entry(self, name: str, entry: Mapping[str, Any]) -> "Contexts":
        """With one more, or another one of this name.

        Raises:
            ContextError: the name cannot be one.
        """
        if not _NAME.fullmatch(name):
            raise ContextError(
                f"{name!r} cannot be a context's name: use letters, digits, and ._- after the first"
            )
        return replace(self, entries={**self.entries, name: entry})

    def without(self, name: str) -> "Contexts":
        self.get(name)
        entries = {each: entry for each, entry in self.entries.items() if each != name}
        return replace(self, entries=entries, current="" if self.current == name else self.current)

    def using(self, name: str) -> "Contexts":
        self.get(name)
        return replace(self, current=name)

    def save(self) -> None:
        """Write the file, for its owner only.

        Raises:
            ContextError: it cannot be written; the old one is still there.
        """
        import yaml  # noqa: PLC0415 - most calls need none

        content = {
            "current": self.current,
            "contexts": {name: dict(entry) for name, entry in self.entries.items()},
        }
        text = yaml.safe_dump(content, sort_keys=False)
        try:
            OS_FILES.make_folder(self.path.parent)
            replace_file(OS_FILES, self.path.resolve(), text.encode(), _MODE)
        except OSError as error:
            raise ContextError(
                f"{self.path} cannot be written: {error.strerror}",
                remedy=f"name another folder with {CONFIG_VARIABLE}",
            ) from error


def config_folder() -> Path:
    """Where a user's contexts are."""
    folder = os.environ.get(CONFIG_VARIABLE)
    return (Path(folder) if folder else home() / ".config") / "network-controller"


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ContextError(
            f"{path}: {error}", remedy="correct it, or move it away and add the contexts again"
        ) from error


def _parsed(data: bytes) -> Any:
    import yaml  # noqa: PLC0415 - most calls need none

    try:
        return yaml.safe_load(data) or {}
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise ValueError(f"it is not YAML{where}") from None


def _checked(content: Any) -> tuple[str, dict[str, dict[str, Any]]]:
    if not isinstance(content, dict) or not set(content) <= {"current", "contexts"}:
        raise ValueError("expected the keys current and contexts")
    current, entries = content.get("current") or "", content.get("contexts") or {}
    if not isinstance(current, str) or not isinstance(entries, dict):
        raise ValueError("expected a name under current, and contexts by name")  # noqa: TRY004 - of the file
    for name, entry in entries.items():
        _check_entry(str(name), entry)
    return current, {str(name): entry for name, entry in entries.items()}


def _check_entry(name: str, entry: Any) -> None:
    if not isinstance(entry, dict) or not set(entry) <= set(_KEYS):
        raise ValueError(f"context {name}: expected keys of {', '.join(_KEYS)}")
    for key, value in entry.items():
        if key in _NUMBERS and not (type(value) is int and 0 < value <= _LAST_PORT):
            raise ValueError(f"context {name}: {key}: expected a number from 1 to {_LAST_PORT}")
        if key in _TEXTS and not (isinstance(value, str) and value and "\0" not in value):
            raise ValueError(f"context {name}: {key}: expected a text")
        if key == "server" and not value.isprintable():  # folders have any names
            raise ValueError(f"context {name}: server: expected an address")
        if key == "plaintext" and not isinstance(value, bool):
            raise ValueError(f"context {name}: plaintext: expected true or false")
