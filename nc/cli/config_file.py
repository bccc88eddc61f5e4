"""Configuration files as they exist in the field, of a server or of a node.

Keys and meanings are fixed (LiteKube configuration reference). Errors name line, key, and remedy.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic.alias_generators import to_camel
from yaml.composer import ComposerError
from yaml.reader import ReaderError

from nc.cli.pasted import read_node_token
from nc.contract import DEFAULT_LINK_PORT, DEFAULT_MTU
from nc.errors import ConfigError
from nc.server import setting_types as kinds
from nc.small_files import read_small
from nc.text import quoted


class _Section(BaseModel):
    """A section of a file: keys in camelCase, unknown ones refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=False
    )


class ServerSection(_Section):
    """`server:` in a file. What is absent is None: the command line or the default decides."""

    ip: kinds.ServerNames | None = None
    port: kinds.Port | None = None
    bootstrap_port: kinds.PortOrAny | None = None
    grpc_port: kinds.PortOrAny | None = None
    network_cert_dir: kinds.Folder | None = None
    grpc_cert_dir: kinds.Folder | None = None
    network_addr: kinds.NetworkAddress | None = None
    log_dir: kinds.Folder | None = None
    work_dir: kinds.Folder | None = None
    tls_dir: kinds.Folder | None = None
    debug: kinds.Switch = False
    mtu: kinds.Mtu = DEFAULT_MTU
    interconnection: kinds.Switch = True
    listen: kinds.ListenAddress | None = None
    grpc_listen: kinds.ListenAddress | None = None
    bootstrap_listen: kinds.ListenAddress | None = None
    link_listen: kinds.ListenAddress | None = None
    internal_port: kinds.Port | None = None
    internal_listen: kinds.ListenAddress | None = None
    allow_destination: kinds.Destinations = ()
    guess_rate: kinds.GuessRate | None = None
    reclaim_after: kinds.Duration | None = None
    max_nodes: kinds.NodeCount | None = None
    cluster: str | None = None
    cluster_replicas: kinds.StreamReplicas | None = None
    invite: str | None = Field(default=None, repr=False)  # a secret
    ca_cert_hash: str | None = None
    certificate_lifetime: kinds.Lifetime | None = None
    metrics_listen: kinds.MetricsListenText | None = None
    db_path: kinds.Folder | None = None  # an upstream server's database, for import-litekube


class ClientSection(_Section):
    network_cert_dir: kinds.Folder
    server_addr: kinds.ServerAddresses
    port: kinds.Port = DEFAULT_LINK_PORT
    mtu: kinds.Mtu = DEFAULT_MTU
    token: Annotated[str, AfterValidator(read_node_token)] = Field(repr=False)
    log_dir: kinds.Folder | None = None
    work_dir: kinds.Folder | None = None
    debug: kinds.Switch = False
    redirect_gateway: kinds.Switch = False
    route: kinds.Switch = True
    route_metric: kinds.Metric = 0
    proxy: kinds.Proxy | None = None


class ConfigFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    mode: Literal["server", "client"]
    server: ServerSection | None = None
    client: ClientSection | None = None
    _notes: tuple[str, ...] = PrivateAttr(())

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each key of another release."""
        return self._notes


# Keys of older and newer releases, and ours.
_OTHER_KEYS: dict[str, dict[str, str]] = {
    "server": {
        "mut": "mtu",
        "vpnAddr": "networkAddr",
        "vpnCertDir": "networkCertDir",
        "listenAddr": "listen",
        "dbPath": "dbPath",
    },
    "client": {"mut": "mtu", "vpnCertDir": "networkCertDir"},
}

_NUMBERS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}

_MAX_BYTES: Final = 64 * 1024
_MAX_DEPTH: Final = 8  # of nested values; ours have two levels
_DEEPEST_KEY: Final = 2  # `server.port`


class _NotAllowed(ComposerError):
    """It is YAML, but of a kind that no configuration needs."""


class _Loader(yaml.SafeLoader):
    """Reads numbers as the text that they are written as: a token may be of digits alone.

    Aliases are refused, since a few of them stand for gigabytes, and so is deep nesting.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 - as its base has it
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NUMBERS]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # as all of the library
        problem = None
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            problem = "aliases and anchors (* and &) are not allowed; write the value out"
        elif self._depth == _MAX_DEPTH:
            problem = "values are nested too deeply; no key takes so many levels"
        if problem is not None:
            raise _NotAllowed(None, None, problem, event.start_mark)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def load(path: Path) -> ConfigFile:
    """Read a configuration file.

    Raises:
        ConfigError: it cannot be read, or something in it is wrong; the first mistake is named.
    """
    text = _text_of(path)
    try:
        loader = _Loader(text)
        tree = loader.get_single_node()
        lines = dict(_lines(tree, path))
        content = None if tree is None else loader.construct_document(tree)
    except ReaderError as error:
        number = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{path}, line {number}: has the control character U+{error.character:04X}; remove it"
        ) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f", line {mark.line + 1}" if mark else ""
        what = "" if isinstance(error, _NotAllowed) else "is not YAML: "
        raise ConfigError(f"{path}{line}: {what}{error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path}: is not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict):
        text = "expected keys and values, beginning with `mode: server`"
        raise ConfigError(f"{path}, line 1: {text}")
    other = {"server": "client", "client": "server"}.get(str(mode := content.get("mode")))
    if other in content:
        if mode not in content:
            raise ConfigError(
                f"{path}, line {lines.get((other,), 1)}: {mode}: is missing, and {other}: is not "
                f"read with mode: {mode}; is it the other mode, or the other section?"
            )
        content = {key: value for key, value in content.items() if key != other}
    notes = tuple(_rename(content, lines, path))
    try:
        file = ConfigFile.model_validate(content)
    except ValidationError as error:
        raise ConfigError(_first_mistake(path, lines, error)) from error
    file._notes = notes  # noqa: SLF001 - this module's own
    return file


def _rename(content: dict[str, Any], lines: "dict[Location, int]", path: Path) -> Iterator[str]:
    """Replace the keys of other releases by ours, in place; yields a sentence for each.

    Raises:
        ConfigError: both are given.
    """
    for mode, others in _OTHER_KEYS.items():
        section = content.get(mode)
        if not isinstance(section, dict):
            continue
        for other in [other for other in others if other in section]:
            where = f"{path}, line {lines.get((mode, other), 1)}: {mode}.{other}"
            key, value = others[other], section.pop(other)
            if key == other:
                yield f"{where}: only import-litekube reads an upstream server's database"
                section[key] = value
                continue
            if key in section:
                raise ConfigError(f"{where}: means {key}, which is given, too; remove one")
            yield f"{where}: is {key} in this release, and is taken as that; rename it"
            section[key] = value
            lines[mode, key] = lines.get((mode, other), 1)


def _text_of(path: Path) -> str:
    try:
        data = read_small(path, _MAX_BYTES)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; check --config") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}, line {line}: is not UTF-8 text; save it as UTF-8, or check --config"
        ) from error


Location = tuple[Any, ...]


def _lines(
    node: yaml.Node | None, path: Path, location: Location = ()
) -> Iterator[tuple[Location, int]]:
    """The line of each key, for the nesting depth of our keys; lines count from 1."""
    if not isinstance(node, yaml.MappingNode) or len(location) == _DEEPEST_KEY:
        return
    seen: set[object] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):  # `? [a, b]`: refused when it is loaded
            continue
        here = (*location, key.value)
        line = key.start_mark.line + 1
        if key.value in seen:
            name = quoted(".".join(map(str, here)))[1:-1]
            raise ConfigError(f"{path}, line {line}: {name} is given twice; remove one")
        seen.add(key.value)
        yield here, line
        yield from _lines(value, path, here)


def _first_mistake(path: Path, lines: dict[Location, int], error: ValidationError) -> str:
    mistakes = error.errors(include_input=False, include_url=False)
    # a misspelled key is the reason why one is missing
    mistake = next((m for m in mistakes if m["type"] != "missing"), mistakes[0])
    location = tuple(map(str, mistake["loc"]))
    line = next(
        (lines[location[:n]] for n in range(len(location), 0, -1) if location[:n] in lines), 1
    )
    name = quoted(".".join(location))[1:-1]
    match mistake["type"]:
        case "extra_forbidden":
            problem = f"unknown key; allowed: {', '.join(_allowed(location[:-1]))}"
        case "missing" if name == "mode":
            problem = "is missing; give `mode: server` or `mode: client`"
        case "missing":
            problem = "is missing; a node cannot connect without it"
        case "model_type":
            problem = f"expected keys and values; allowed: {', '.join(_allowed(location))}"
        case _:
            problem = kinds.explain(mistake["msg"])
    return f"{path}, line {line}: {name}: {problem}"


def _allowed(section: Location) -> list[str]:
    sections: dict[str, type[BaseModel]] = {"server": ServerSection, "client": ClientSection}
    model = sections[section[0]] if section else ConfigFile
    return [field.alias or name for name, field in model.model_fields.items()]
