"""The laws of the house: who may know of whom, checked on every file, each able to fail."""

from collections.abc import Callable

import pytest

from tests.support.source_laws import (
    JUDGES,
    Source,
    appends,
    decisions_and_folds_are_pure,
    log_knows_no_network_controller,
    only_its_command_knows_the_harness,
    only_the_edge_knows_grpc,
    only_the_replica_appends,
    packets_are_judged_without_io,
    sources,
    time_and_chance_come_in_at_the_top,
)

LAWS = [
    log_knows_no_network_controller,
    decisions_and_folds_are_pure,
    only_its_command_knows_the_harness,
    only_the_edge_knows_grpc,
    only_the_replica_appends,
    packets_are_judged_without_io,
    time_and_chance_come_in_at_the_top,
]


@pytest.mark.parametrize("law", LAWS)
def test_the_house_keeps_its_laws(law: Callable[[Source], list[str]]) -> None:
    """No file breaks the law."""
    assert [broken for source in sources() for broken in law(source)] == []


def test_every_folder_is_looked_at() -> None:
    """The laws are about files that are there: none holds for want of something to check."""
    paths = {source.path for source in sources()}
    assert {
        "eventlog/__init__.py",
        "nc/clock.py",
        "nc/secrets.py",
        "nc/replica/replica.py",
        "nc/domain/decide.py",
        "nc/domain/evolve.py",
        *JUDGES,
    } <= paths
    assert any(source.lies_in("nc/rpc") for source in sources())


def test_the_replica_appends_in_one_place() -> None:
    """There is one append, and the law that looks for appends sees it."""
    (timeline,) = (
        source for source in sources() if source.path == "nc/replica/decide_and_append.py"
    )
    assert len(appends(timeline)) == 1


PLANTED = [
    (log_knows_no_network_controller, "eventlog/a.py", "import nc"),
    (log_knows_no_network_controller, "eventlog/a.py", "from nc.clock import Clock"),
    (log_knows_no_network_controller, "eventlog/a.py", "def f():\n    import nc.replica as r"),
    (decisions_and_folds_are_pure, "nc/domain/a.py", "import os"),
    (decisions_and_folds_are_pure, "nc/domain/a.py", "from pathlib import Path"),
    (decisions_and_folds_are_pure, "nc/domain/a.py", "import asyncio, time"),
    (decisions_and_folds_are_pure, "nc/domain/a.py", "if x:\n    from random import choice"),
    (decisions_and_folds_are_pure, "nc/domain/a.py", "from nc.history import events"),
    (decisions_and_folds_are_pure, "nc/domain/a.py", "from nc.replica import Replica"),
    (decisions_and_folds_are_pure, "nc/domain/a.py", "from nc import clock"),
    (decisions_and_folds_are_pure, "nc/domain/a.py", "from .. import clock"),
    (decisions_and_folds_are_pure, "nc/domain/a.py", "import typing_extensions"),
    (decisions_and_folds_are_pure, "nc/domain/codec/a.py", "import eventlog"),
    (decisions_and_folds_are_pure, "nc/domain/a.py", "import structlog"),
    (decisions_and_folds_are_pure, "nc/domain/a.py", "def f():\n    open('x')"),
    (decisions_and_folds_are_pure, "nc/domain/a.py", "__import__('os')"),
    (packets_are_judged_without_io, "nc/hub/switch.py", "import asyncio"),
    (packets_are_judged_without_io, "nc/net/wire.py", "from picows import WSFrame"),
    (packets_are_judged_without_io, "nc/hub/admission.py", "from nc.replica import Replica"),
    (only_the_edge_knows_grpc, "nc/server/server.py", "import grpc"),
    (only_the_edge_knows_grpc, "nc/cli/a.py", "from grpc.aio import server"),
    (only_the_edge_knows_grpc, "nc/server/server.py", "from grpc_health.v1 import health"),
    (only_the_edge_knows_grpc, "eventlog/a.py", "import grpc_reflection.v1alpha as r"),
    (only_its_command_knows_the_harness, "nc/replica/replica.py", "from nc.testing import search"),
    (only_its_command_knows_the_harness, "nc/cli/serve.py", "import nc.testing.laws"),
    (only_its_command_knows_the_harness, "nc/domain/a.py", "def f():\n    import hypothesis"),
    (only_the_replica_appends, "nc/server/server.py", "self._log.append(payload, 1, 0)"),
    (only_the_replica_appends, "nc/cli/a.py", "eventlog.open(p).append(b, count=1, expected=0)"),
    (only_the_replica_appends, "nc/cli/a.py", "write = folder.log.append"),
    (only_the_replica_appends, "nc/rpc/a.py", "log.append(*everything)"),
    (only_the_replica_appends, "nc/rpc/a.py", "EventLog.append(x, b'', 1, 0)"),
    (time_and_chance_come_in_at_the_top, "nc/server/server.py", "import time\ntime.time()"),
    (
        time_and_chance_come_in_at_the_top,
        "nc/server/server.py",
        "import time as t\nf(t.monotonic_ns)",
    ),
    (time_and_chance_come_in_at_the_top, "nc/server/server.py", "from time import time\ntime()"),
    (
        time_and_chance_come_in_at_the_top,
        "nc/a.py",
        "from datetime import UTC, datetime\ndatetime.now(UTC)",
    ),
    (
        time_and_chance_come_in_at_the_top,
        "nc/a.py",
        "import datetime as d\nd.datetime.now(d.UTC)",
    ),
    (time_and_chance_come_in_at_the_top, "nc/a.py", "import os\nos.urandom(8)"),
    (time_and_chance_come_in_at_the_top, "nc/a.py", "import os.path\nos.urandom(8)"),
    (time_and_chance_come_in_at_the_top, "nc/a.py", "import secrets\nsecrets.token_hex()"),
    (time_and_chance_come_in_at_the_top, "nc/a.py", "from random import choice as c\nc('ab')"),
    (time_and_chance_come_in_at_the_top, "nc/a.py", "import uuid\nuuid.uuid4()"),
    (time_and_chance_come_in_at_the_top, "eventlog/a.py", "import time\ndef f(n=time.time): ..."),
    (
        time_and_chance_come_in_at_the_top,
        "eventlog/__init__.py",
        "import time\ndef f():\n    return time.time()",
    ),
]


@pytest.mark.parametrize(("law", "path", "text"), PLANTED)
def test_a_planted_breach_is_found(
    law: Callable[[Source], list[str]], path: str, text: str
) -> None:
    """Each law sees what breaks it, in whichever way it is written."""
    (first, *_) = law(Source(path, text))
    assert first.startswith(f"{path}:")


INNOCENT = [
    ("nc/hub/switch.py", "import struct\nfrom nc.domain.network import Network"),
    ("nc/hub/hub.py", "import asyncio, socket"),
    ("nc/domain/a.py", "from nc.domain.state import State\nfrom nc.pb import events_pb2 as pb"),
    ("nc/domain/a.py", "from .state import State\nfrom datetime import UTC, datetime"),
    ("nc/domain/a.py", "from nc.domain.transient_map import TransientMap\nfrom rpds import Queue"),
    ("nc/rpc/a.py", "import grpc\nfrom grpc_health.v1 import health"),
    ("nc/replica/decide_and_append.py", "self._log.append(payload, count, expected)"),
    ("nc/server/server.py", "warnings.append('a log is there')\nimport asyncio\nasyncio.sleep(1)"),
    ("nc/cli/check/search.py", "from nc.testing import search"),
    ("nc/testing/a.py", "from hypothesis import strategies as st"),
    ("nc/clock.py", "import time\ntime.time_ns()"),
    ("nc/secrets.py", "import os\nos.urandom(8)"),
    (
        "nc/server/server.py",
        "from nc.secrets import new_token\nfrom nc import secrets\nsecrets.TokenIds",
    ),
    ("nc/cli/a.py", "from datetime import UTC, datetime\ndatetime.fromtimestamp(0, tz=UTC)"),
    ("eventlog/__init__.py", "import time\ndef f(*, now=time.time_ns): ..."),
    ("eventlog/a.py", "segments.append(1)\n# import nc, time.time()\nx = 'os.urandom'"),
]


@pytest.mark.parametrize(("path", "text"), INNOCENT)
def test_what_is_allowed_is_not_found(path: str, text: str) -> None:
    """No law forbids more than it says."""
    assert [broken for law in LAWS for broken in law(Source(path, text))] == []
