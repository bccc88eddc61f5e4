"""Laws about source code, each a function from a file's text to what breaks the law in it.

They read the syntax tree alone: aliases are followed, strings and comments say nothing.
"""

import ast
import gc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import Final

ROOT: Final = Path(__file__).parents[2]

PURE_MODULES = (
    "collections",
    "contextlib",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "ipaddress",
    "bisect",
    "itertools",
    "struct",
    "typing",
    "google.protobuf",
    "re",
    "rpds",
    "transitions",
    "nc.pb",
    "nc.contract",
    "nc.durations",
    "nc.errors",
    "nc.text",
    "nc.domain",
)
IMPURE_BUILTINS = {"__import__", "breakpoint", "eval", "exec", "input", "open", "print"}

# What decides about links and packets, and what only the shells around it may know.
JUDGES = (
    *("nc/net/ipv4.py", "nc/net/wire.py", "nc/net/offload.py"),
    *("nc/hub/switch.py", "nc/hub/admission.py"),
)
IO_MODULES = (
    *("asyncio", "socket", "ssl", "os", "pathlib", "selectors", "subprocess", "threading"),
    *("uvloop", "picows", "aiofastnet", "pyroute2", "fcntl"),
    *("nc.replica", "nc.hub.hub", "nc.hub.session", "nc.hub.acceptor"),
)

# Where it would be read what time it is, or something that nobody can foresee.
CLOCKS_AND_DICE = (
    *(f"time.{name}" for name in ("time", "monotonic", "perf_counter", "clock_gettime")),
    *(f"time.{name}_ns" for name in ("time", "monotonic", "perf_counter", "clock_gettime")),
    *(f"time.{name}" for name in ("gmtime", "localtime", "ctime", "strftime")),
    *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
    "datetime.date.today",
    "os.urandom",
    "os.getrandom",
    "cryptography.x509.random_serial_number",
    "random",
    "secrets",
    "uuid",
)


@dataclass(frozen=True)
class Source:
    """One file: where it lies in the repository, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    def lies_in(self, *places: str) -> bool:
        """Whether it is one of these files, or in one of these folders."""
        return any(PurePosixPath(self.path).is_relative_to(place) for place in places)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All of the tree; it is asked for by every law."""
        return list(ast.walk(self.tree))

    def statements(self) -> Iterator[ast.AST]:
        """All of them, at any depth: a tenth of the nodes."""
        return _statements(self.tree.body)

    def imports(self) -> list[tuple[int, str, str]]:
        """Each name that is imported, wherever: the line, its own name here, and its full name."""
        return self._imports

    @cached_property
    def _imports(self) -> list[tuple[int, str, str]]:
        return list(self._find_imports())

    def _find_imports(self) -> Iterator[tuple[int, str, str]]:
        package = PurePosixPath(self.path).parent.parts
        for node in self.statements():
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield node.lineno, alias.asname or alias.name, alias.name
            elif isinstance(node, ast.ImportFrom):
                above = package[: len(package) - node.level + 1] if node.level else ()
                module = ".".join([*above, *([node.module] if node.module else [])])
                for alias in node.names:
                    yield node.lineno, alias.asname or alias.name, f"{module}.{alias.name}"

    def uses(self) -> Iterator[tuple[ast.expr, str]]:
        """Each expression that stands for something imported, with its full name."""
        known = {}
        for _, here, full in self.imports():
            bound = here.partition(".")[0]  # `import a.b` binds a
            known[bound] = full if bound == here else bound
        for node in self.nodes:
            if isinstance(node, ast.Name | ast.Attribute):
                first, *rest = _dotted(node).split(".")
                if first in known:
                    yield node, ".".join([known[first], *rest])


@cache
def sources() -> list[Source]:
    """The program's, parsed. They are kept: to look for garbage among them takes thrice as long."""
    found = [
        Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
        for folder in ("nc", "eventlog")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not path.is_relative_to(ROOT / "nc/pb")
    ]
    gc.disable()
    try:
        assert all(source.tree for source in found)
    finally:
        gc.freeze()
        gc.enable()
    return found


def _statements(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    for node in nodes:
        yield node
        for part in ("body", "handlers", "orelse", "finalbody", "cases"):
            yield from _statements(getattr(node, part, ()))


def _dotted(node: ast.expr) -> str:
    """`a.b.c` as it is written; what is not a chain of names begins with `?`."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return "?"


def _is_in(name: str, modules: tuple[str, ...]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def log_knows_no_network_controller(source: Source) -> list[str]:
    """`eventlog` never imports `nc`: it could be used by another project."""
    if not source.lies_in("eventlog"):
        return []
    return [f"{source.path}:{n} {full}" for n, _, full in source.imports() if _is_in(full, ("nc",))]


def decisions_and_folds_are_pure(source: Source) -> list[str]:
    """`nc/domain` neither imports nor calls anything that could do I/O."""
    if not source.lies_in("nc/domain"):
        return []
    found = [
        f"{source.path}:{line} {full}"
        for line, _, full in source.imports()
        if not _is_in(full, PURE_MODULES)
    ]
    return found + [
        f"{source.path}:{node.lineno} {node.id}"
        for node in source.nodes
        if isinstance(node, ast.Name) and node.id in IMPURE_BUILTINS
    ]


def packets_are_judged_without_io(source: Source) -> list[str]:
    """What decides about links and packets knows no socket, no loop and no library for them."""
    if not source.lies_in(*JUDGES):
        return []
    return [
        f"{source.path}:{line} {full}"
        for line, _, full in source.imports()
        if _is_in(full, IO_MODULES)
    ]


def only_the_edge_knows_grpc(source: Source) -> list[str]:
    """Only `nc/rpc` and `nc/client` import gRPC, and so only they know status codes."""
    if source.lies_in("nc/rpc", "nc/client"):
        return []
    return [
        f"{source.path}:{line} {full}"
        for line, _, full in source.imports()
        if full.partition(".")[0] == "grpc" or full.startswith("grpc_")
    ]


def only_its_command_knows_the_harness(source: Source) -> list[str]:
    """Nothing but `network-controller check` imports `nc.testing`: no server carries it along."""
    if source.lies_in("nc/testing") or source.lies_in("nc/cli/check"):
        return []
    return [
        f"{source.path}:{line} {full}"
        for line, _, full in source.imports()
        if _is_in(full, ("nc.testing", "hypothesis"))
    ]


def only_the_replica_appends(source: Source) -> list[str]:
    """Of those who use a log, only `nc/replica/decide_and_append.py` calls its `append`.

    `nc/replica/local_log.py` and the simulated log of several servers are logs themselves.

    An append is told by what it is called on, which has `log` in its name, or by what it is given:
    a list's takes one argument, a log's three.
    """
    logs = ("eventlog", "nc/replica/local_log.py", "nc/testing/simulation/shared_log.py")
    allowed = ("nc/replica/decide_and_append.py", *logs)
    return [] if source.lies_in(*allowed) else appends(source)


def appends(source: Source) -> list[str]:
    """Where something is appended to an event log."""
    of_three = {
        node.func
        for node in source.nodes
        if isinstance(node, ast.Call) and len(node.args) + len(node.keywords) >= 3
    }
    return [
        f"{source.path}:{node.lineno} {_dotted(node)}"
        for node in source.nodes
        if isinstance(node, ast.Attribute)
        and node.attr == "append"
        and (node in of_three or "log" in _dotted(node.value).rpartition(".")[2].lower())
    ]


def time_and_chance_come_in_at_the_top(source: Source) -> list[str]:
    """Only `nc/clock.py` and `nc/secrets.py` ask for the time or for random values.

    `eventlog`, which cannot use those, does so in the default arguments of its door.
    """
    if source.lies_in("nc/clock.py", "nc/secrets.py"):
        return []
    allowed: set[ast.AST] = set()
    if source.lies_in("eventlog/__init__.py", "eventlog/jetstream/__init__.py"):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        functions = (node for node in source.nodes if isinstance(node, kinds))
        defaults = (d for f in functions for d in (*f.args.defaults, *f.args.kw_defaults) if d)
        allowed = {node for default in defaults for node in ast.walk(default)}
    return [
        f"{source.path}:{node.lineno} {full}"
        for node, full in source.uses()
        if _is_in(full, CLOCKS_AND_DICE) and node not in allowed
    ]
