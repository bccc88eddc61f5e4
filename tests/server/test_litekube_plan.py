"""What becomes of each row of an upstream database."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nc.domain.decide import decide
from nc.domain.evolve import evolve
from nc.domain.litekube_import import ImportLitekube
from nc.domain.network import Network
from nc.domain.replicas import StartReplica
from nc.domain.state import State
from nc.secrets import TokenIds
from nc.server.litekube.database import NODES, TOKENS, UpstreamDatabase
from nc.server.litekube.plan import Plan, TimezoneMissing, plan_import

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
IDS = TokenIds(bytes(32))

values = st.none() | st.integers() | st.floats() | st.binary(max_size=4) | st.text(max_size=20)
tokens = values | st.sampled_from(["reserverd", "a" * 16, "b" * 16, "x-Y_z.9", "t" * 64, "t" * 65])
addresses = values | st.sampled_from(
    ["", "10.1.1.3", "10.1.1.5/24", "10.1.1.4", "10.1.1.1", "10.1.1.255", "10.1.2.3", "010.1.1.3"]
)
expiries = values | st.sampled_from(
    ["-1", -1, " -1 ", "2026-06-01 00:00:00", "2027-01-01", "2020-01-01T00:00:00.123456789", "soon"]
)


def planned(
    nodes: Any = (), tokens: Any = (), network: str = "10.1.1.1/24", zone: Any = UTC
) -> Plan:
    """The plan for rows, which are numbered from 1."""
    numbered: list[tuple[Any, ...]] = [
        tuple((number, *row) for number, row in enumerate(rows, start=1))
        for rows in (nodes, tokens)
    ]
    database = UpstreamDatabase(Path("x.db"), "hash", numbered[0], numbered[1], "")
    return plan_import(database, IDS.id_of, Network.parse(network), zone, NOW)


def reasons(plan: Plan) -> dict[tuple[str, str], str]:
    return {(each.table, each.row): each.reason for each in plan.left_out}


@given(
    st.lists(st.tuples(tokens, addresses), max_size=8),
    st.lists(st.tuples(tokens, expiries), max_size=8),
)
def test_each_row_is_imported_or_said_to_be_left_out(
    nodes: list[tuple[Any, Any]], bootstrap: list[tuple[Any, Any]]
) -> None:
    """And what is planned is never refused: the domain takes all of it."""
    plan = planned(nodes, bootstrap)
    said = reasons(plan)
    imported = {row for row, _ in plan.nodes}
    for number, (token, _) in enumerate(nodes, start=1):
        is_ours = token == "reserverd"  # noqa: S105 - public
        assert is_ours != (str(number) in imported or (NODES, str(number)) in said)
    imported = {row for row, _ in plan.tokens}
    for number in range(1, len(bootstrap) + 1):
        assert (str(number) in imported) != ((TOKENS, str(number)) in said)
    started = decide(State(), StartReplica("r", "v", "10.1.1.1/24"))
    command = ImportLitekube(
        "hash", tuple(each for _, each in plan.tokens), tuple(each for _, each in plan.nodes)
    )
    events = decide(evolve(State(), started, 1), command)
    kinds = [event.WhichOneof("kind") for event in events]
    assert kinds.count("node_registered") == len(plan.nodes)
    assert kinds.count("token_issued") == len(plan.tokens)
    assert kinds.count("address_bound") == sum(bool(node.address) for _, node in plan.nodes)


@given(st.text(st.characters(categories=["L", "N", "P", "Z", "C"]), min_size=7, max_size=80))
@example("s" * 65)
@example("naïve-token")
def test_no_reason_repeats_a_token(token: str) -> None:
    """What is left out is named by its row."""
    plan = planned([(token, "10.1.1.3"), (token, "10.1.1.5")], [(token, "soon")])
    assert plan.left_out
    assert not any(token in str(each) for each in plan.left_out)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("10.1.1.4", "odd host number"),
        ("10.1.1.1", "odd host number"),
        ("10.1.1.255", "odd host number"),
        ("10.2.1.3", "not in the network 10.1.1.1/24"),
        ("fe80::1", "is not IPv4"),
        ("\x1b[31m", "is not IPv4"),
    ],
)
def test_a_node_without_a_usable_address_is_imported_without_one(address: str, reason: str) -> None:
    """Why its address cannot stay is a problem, which an operator has to allow."""
    plan = planned([("a" * 16, address)])
    assert [node.address for _, node in plan.nodes] == [""]
    (problem,) = plan.problems
    assert reason in problem.reason
    assert problem.reason.isprintable()


def test_of_two_nodes_with_one_address_the_first_keeps_it() -> None:
    """The other one is named with its row."""
    plan = planned([("a" * 16, "10.1.1.3"), ("b" * 16, "10.1.1.3/24")])
    assert [(row, node.address) for row, node in plan.nodes] == [("1", "10.1.1.3"), ("2", "")]
    assert reasons(plan) == {(NODES, "2"): "its address 10.1.1.3 is also that of row 1"}


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/New_York"])
def test_times_are_of_the_zone_that_was_named(zone: str) -> None:
    """Local times, in summer and in winter; one that names its own zone keeps it."""
    local = [datetime(2027, month, 2, 3, 4, 5) for month in (1, 7)]  # noqa: DTZ001 - local
    texts = [f"{at:%Y-%m-%d %H:%M:%S}" for at in local]
    rows = [(f"token{n}", text) for n, text in enumerate([*texts, "2027-01-01T00:00:00+02:00"])]
    plan = planned(tokens=rows, zone=ZoneInfo(zone))
    moments = [datetime.fromtimestamp(each.expires_at_ms / 1000, UTC) for _, each in plan.tokens]
    expected = [at.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for at in local]
    assert moments == [*expected, datetime(2026, 12, 31, 22, tzinfo=UTC)]


def test_a_zone_is_asked_for_where_one_is_needed() -> None:
    """Never and nothing need none."""
    assert len(planned(tokens=[("a", "-1"), ("b", None)], zone=None).tokens) == 2
    with pytest.raises(TimezoneMissing, match="--timezone"):
        planned(tokens=[("a", "2030-01-01 00:00:00")], zone=None)


def test_what_becomes_of_bootstrap_tokens() -> None:
    """-1 is never, nothing is a day, what has expired is left out and no problem."""
    plan = planned(tokens=[("a", "-1"), ("b", None), ("c", "2026-06-01 00:00:00"), ("d", "x")])
    day_ms = timedelta(days=1) // timedelta(milliseconds=1)
    assert [each.expires_at_ms for _, each in plan.tokens] == [0, NOW_MS + day_ms]
    assert [note.row for note in plan.notes] == ["2"]
    assert [(each.row, each.is_problem) for each in plan.left_out] == [("3", False), ("4", True)]
