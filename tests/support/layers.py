"""Which package may import which: the table, and what in the code breaks it.

Imports are read from the syntax tree. Those inside functions and under `if TYPE_CHECKING` count for
the table; for cycles only those count that run when a module is imported.
"""

import ast
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter

from tests.support.source_laws import Source

GROUND = "ground"  # the modules that lie directly in nc/

# Each package, and what it may import beside itself. nc.cli and nc.testing come last: they may
# import everything above them, and nothing imports them.
LAYERS: dict[str, frozenset[str]] = {
    "eventlog": frozenset(),
    "pb": frozenset(),
    GROUND: frozenset({"pb"}),
    "domain": frozenset({"pb", GROUND}),
    "replica": frozenset({"eventlog", "pb", "domain", GROUND}),
    "history": frozenset({"eventlog", "pb", "domain", GROUND}),
    "pki": frozenset({GROUND}),
    "net": frozenset({GROUND}),
    "client": frozenset({"pb", "pki", "net", GROUND}),
    "agent": frozenset({"pb", "pki", "net", "client", GROUND}),
    "rpc": frozenset({"eventlog", "pb", "domain", "replica", "history", "pki", "net", GROUND}),
    "hub": frozenset({"domain", "replica", "pki", "net", GROUND}),
    "metrics": frozenset({"eventlog", "domain", "replica", "net", "rpc", "hub", GROUND}),
    "console": frozenset({"pb", "domain", "history", "client", GROUND}),
    "server": frozenset(
        {
            *("eventlog", "pb", "domain", "replica", "history", "pki", "net", "rpc", "hub"),
            *("metrics", GROUND),
        }
    ),
}
LAYERS["testing"] = frozenset(LAYERS)
LAYERS["cli"] = frozenset(LAYERS)


def package_of(module: str, modules: Iterable[str]) -> str:
    """The package of the table that a module lies in.

    Args:
        module: its dotted name, which may end in a name that the module defines.
        modules: the dotted names of all modules and packages.
    """
    first, *rest = module.split(".")
    if first == "eventlog":
        return first
    is_package = any(name.startswith(f"nc.{rest[0]}.") for name in modules) if rest else False
    return rest[0] if is_package else GROUND


def module_name(path: str) -> str:
    """`nc/hub/hub.py` as `nc.hub.hub`."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def breaches(sources: Iterable[Source]) -> list[str]:
    """Each import that the table does not allow: file, line and what is imported."""
    sources = list(sources)
    modules = {module_name(source.path) for source in sources} | {"nc.pb.events_pb2"}
    found = []
    for source in sources:
        here = package_of(module_name(source.path), modules)
        for line, _, full in source.imports():
            if full.partition(".")[0] not in ("nc", "eventlog") or full == "nc":
                continue
            there = package_of(full, modules)
            if there != here and there not in LAYERS[here]:
                found.append(f"{source.path}:{line} {full}: {here} must not import {there}")
    return found


def cycle(sources: Iterable[Source]) -> list[str]:
    """A cycle among the imports that run when a module is imported; [] without one."""
    by_name = {module_name(source.path): source for source in sources}
    graph = {name: set(_imported(source, by_name)) - {name} for name, source in by_name.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _imported(source: Source, modules: dict[str, Source]) -> Iterator[str]:
    for node in _at_import(source.tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name in modules:
                yield name
            elif name.rpartition(".")[0] in modules:
                yield name.rpartition(".")[0]


def _at_import(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the module is imported: no bodies of functions, no TYPE_CHECKING."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _at_import(child)
