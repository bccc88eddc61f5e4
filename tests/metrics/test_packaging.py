"""The alerts and the dashboard: they do what they say, and ask for what a server has."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from nc.cli.lazy import LazyCommand
from nc.cli.ncadm.app import Commands
from tests.support.scraped import (
    PACKAGING,
    families,
    metrics_in,
    promtool,
    scrape_of_a_busy_server,
)

ALERTS = PACKAGING / "prometheus" / "alerts.yml"
ALERTS_TEST = PACKAGING / "prometheus" / "alerts_test.yml"
DASHBOARD = PACKAGING / "grafana" / "network-controller.json"


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return list(group["rules"])


def panels() -> list[dict[str, Any]]:
    return list(json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"])


def queries() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel.get("targets", ())]


def run_promtool(*arguments: str | Path) -> str:
    done = subprocess.run(
        [promtool(), *arguments], check=False, capture_output=True, text=True, timeout=120
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


async def test_every_metric_that_is_asked_for_exists(data_dir: Path) -> None:
    """Alerts and dashboard name what a server exposes."""
    exposed = {
        name
        for family in families(await scrape_of_a_busy_server(data_dir))
        for name in (
            (f"{family.name}_total",)
            if family.type == "counter"
            else (family.name, f"{family.name}_bucket")
        )
    }
    asked = metrics_in([*queries(), *(rule["expr"] for rule in rules())])
    assert asked - exposed == set()


def test_the_names_in_a_query_are_found() -> None:
    """Labels and texts are no metrics."""
    query = 'sum by (nc_x) (rate(nc_a_total{nc_y="nc_z"}[5m])) > "nc_t" + grpc_server_b'
    assert metrics_in([query]) == {"nc_a_total", "grpc_server_b"}


def test_alerts_fire_when_they_should_and_only_then() -> None:
    """`promtool test rules` says so."""
    assert run_promtool("check", "rules", ALERTS) == ""
    assert run_promtool("test", "rules", ALERTS_TEST) == ""


def test_every_alert_is_tested() -> None:
    """Each fires in one of the tests, and is quiet in another moment."""
    tests = yaml.safe_load(ALERTS_TEST.read_text(encoding="utf-8"))["tests"]
    asked = [
        (re.findall(r'alertname="(\w+)"', case["expr"])[0], bool(case["exp_samples"]))
        for test in tests
        for case in test["promql_expr_test"]
    ]
    names = {rule["alert"] for rule in rules()}
    assert {name for name, fires in asked if fires} == names
    assert {name for name, fires in asked if not fires} >= names - {"AuthorityEnding"}


def test_alerts_name_commands_that_exist() -> None:
    """`ncadm …` in a text is a command, with options that it has."""
    for rule in rules():
        for text in rule["annotations"].values():
            for words in re.findall(r"ncadm ([a-z -]+)", text):
                name, *rest = words.split()
                summary, place = Commands.table[name]
                if rest and not rest[0].startswith("-") and name == "nodes":
                    continue
                command = LazyCommand(name, summary, place).load()
                options = {option for each in command.params for option in each.opts}
                assert {word for word in rest if word.startswith("--")} <= options


def test_queries_of_the_dashboard_are_promql(tmp_path: Path) -> None:
    """As rules, with Grafana's variables filled in, Prometheus takes each."""
    filled = [query.replace("$__rate_interval", "5m") for query in queries()]
    named = [{"record": f"query:{number}", "expr": each} for number, each in enumerate(filled)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": named}]}), encoding="utf-8")
    assert run_promtool("check", "rules", path) == ""


def test_the_dashboard_has_a_place_for_each_panel() -> None:
    """Panels have ids and places of their own in a grid of 24 columns, and each has a question."""
    placed = [panel["gridPos"] for panel in panels()]
    cells = [
        (x, y)
        for at in placed
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert {x for x, _ in cells} == set(range(24))
    assert len({panel["id"] for panel in panels()}) == len(placed)
    assert all(panel["type"] == "row" or panel["targets"] for panel in panels())
    assert all("$job" in query and "$instance" in query for query in queries())
