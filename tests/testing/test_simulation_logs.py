"""The log of a simulated life is kept as any other log is, and shows where a law broke."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from eventlog import LogReader
from nc.cli.network_controller import app
from nc.domain.codec.records import entries_in
from nc.testing.simulation import Plan, draw, keep_log, play
from tests.testing.simulated_clusters import BY_NAME, FEW_ACTS


@pytest.mark.parametrize("plan", [draw(3, is_shared=False), FEW_ACTS], ids=["one", "several"])
def test_a_kept_log_is_the_log(tmp_path: Path, plan: Plan) -> None:
    """It is read like any other, with the same events in it, and its digests hold."""
    chronicle = play(plan)
    keep_log(chronicle, tmp_path / "log")
    kept = LogReader(tmp_path / "log").read()
    assert chronicle.log is not None
    assert list(entries_in(kept)) == list(chronicle.log.entries)
    shown = CliRunner().invoke(app, ["log", "verify", "--log", str(tmp_path / "log")])
    assert shown.exit_code == 0, shown.output


def test_the_command_line_shows_where_a_law_broke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1, the steps, and the command that opens the log at that event, which it has."""
    BY_NAME["silence is never noticed"].plant(monkeypatch)
    monkeypatch.setattr("nc.testing.simulation.Simulation.most_shrinks", 0)
    arguments = ["check", "--target", "sim", "--examples", "20", "--keep", str(tmp_path)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    folder = tmp_path / "a-silent-link-is-ended"
    (line,) = [line for line in done.output.splitlines() if "log replay" in line]
    assert f"network-controller log replay --log {folder} --from " in line
    seq = line.rpartition(" ")[2]
    shown = CliRunner().invoke(app, ["log", "show", "--log", str(folder), "--from", seq])
    assert shown.exit_code == 0, shown.output
    assert shown.output.split()[0].lstrip("#") == seq
