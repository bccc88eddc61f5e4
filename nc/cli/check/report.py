"""The report of a search: as a table for people, as JSON, as JUnit's XML."""

import json
import re
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.table import Table

from nc.testing import Law, LawBroken
from nc.testing.search import Report

HOLDS = "holds"
BROKEN = "BROKEN"
IDLE = "never exercised"
NO_LOG = "needs the log, which the target does not show"

_STYLES = {HOLDS: "green", BROKEN: "bold red", IDLE: "yellow", NO_LOG: "dim"}

# What XML 1.0 cannot hold; a message may be anything.
_UNPRINTABLE = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd]")


def verdict(report: Report, law: Law) -> str:
    """Whether a law holds, is broken, or was not exercised."""
    if law in {broken.breach.law for broken in report.broken}:
        return BROKEN
    if report.exercised[law]:
        return HOLDS
    shows_log = any(count for other, count in report.exercised.items() if other.needs_log)
    return NO_LOG if law.needs_log and not shows_log else IDLE


def print_report(console: Console, report: Report) -> None:
    """The table of laws, the smallest histories that break one, and the verdict."""
    table = Table(box=None, pad_edge=False)
    table.add_column("law")
    table.add_column("exercised", justify="right")
    table.add_column("verdict")
    for law in report.exercised:
        found = verdict(report, law)
        table.add_row(law.name, f"{report.exercised[law]}", f"[{_STYLES[found]}]{found}[/]")
    console.print(table)
    for broken in report.broken:
        console.print(f"\n[bold red]{BROKEN}[/]: ", end="")
        console.print(str(broken), markup=False)
    console.print(f"\n{_summary(report)}")


def _summary(report: Report) -> str:
    search = f"{report.trials} trials, {report.steps} steps, seed {report.seed}"
    idle = f"; {len(report.idle_laws)} were not exercised" if report.idle_laws else ""
    if report.is_good:
        return f"{search}: every law that was exercised holds{idle}"
    return f"{search}: {len(report.broken)} of {len(report.exercised)} laws are broken{idle}"


def as_json(report: Report, target: str) -> str:
    laws = [
        {
            "name": law.name,
            "law": law.sentence,
            "exercised": report.exercised[law],
            "verdict": verdict(report, law),
        }
        for law in report.exercised
    ]
    broken = [
        {"name": b.breach.law.name, "place": b.breach.place, "steps": str(b.history).splitlines()}
        for b in report.broken
    ]
    return json.dumps(
        {
            "target": target,
            "seed": report.seed,
            "trials": report.trials,
            "steps": report.steps,
            "holds": report.is_good,
            "laws": laws,
            "broken": broken,
        }
    )


def as_junit(report: Report, target: str) -> str:
    """A test case for each law: broken is a failure, never exercised is skipped."""
    broken = {b.breach.law: b for b in report.broken}
    suite = ET.Element(
        "testsuite",
        name=f"network-controller check {target}",
        tests=f"{len(report.exercised)}",
        failures=f"{len(broken)}",
        skipped=f"{len(report.idle_laws)}",
    )
    for law in report.exercised:
        case = ET.SubElement(suite, "testcase", classname="nc.testing.laws", name=law.name)
        if law in broken:
            _add_failure(case, broken[law])
        elif (found := verdict(report, law)) != HOLDS:
            ET.SubElement(case, "skipped", message=found)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)


def _add_failure(case: ET.Element, broken: LawBroken) -> None:
    failure = ET.SubElement(case, "failure", message=_clean(broken.breach.place))
    failure.text = _clean(str(broken))


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
