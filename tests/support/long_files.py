"""Which files of tests take longest: they come first, so that all workers end together.

A file is the work of one worker. The order is by CPU seconds, from eighteen down to two; the other
files take less, and follow in the order of their names.
"""

from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parents[1]

LONG: Final = (
    "benchmarks/test_benchmarks.py",
    "fuzz/test_fuzz_resets.py",  # it may wait for twenty
    "testing/test_simulation_shared_bugs.py",
    "console/test_console_live.py",
    "testing/test_field_day.py",
    "cli/test_cli_imports.py",
    "hub/test_link_networks.py",
    "eventlog/test_log_crashes.py",
    "testing/test_harness_targets.py",
    "hub/test_link_namespaces.py",
    "history/page/test_page_look.py",
    "eventlog/test_log_lacks.py",
    "history/page/test_page_use.py",
    "server/test_clock_steps.py",
    "testing/test_harness_planted_bugs.py",
    "crash/test_crash_server.py",
    "testing/test_simulation_situations.py",
    "cli/test_cli_demo.py",
    "eventlog/test_log_repair_crashes.py",
    "cli/test_cli_pasted.py",
    "canary/test_canary_life.py",
    "testing/test_harness_kinds.py",
    "pki/test_pki_crash.py",
    "pb/test_foreign_stubs.py",
    "console/test_console_actions.py",
    "cli/log/test_cli_log_replay.py",
    "testing/test_simulation.py",
    "history/test_redaction.py",
    "testing/test_replicas_silent_leader.py",
    "hub/test_link_churn.py",
    "testing/test_simulation_bugs.py",
    "cli/test_cli_join.py",
    "cli/test_ncadm_commands.py",
    "testing/test_simulation_seeds.py",
    "golden/test_golden_logs.py",
    "fuzz/test_fuzz_messages.py",
    "history/page/test_page_moments.py",
    "cli/test_cli_check.py",
    "test_layers.py",
    "testing/test_harness_documentation.py",
    "console/test_console_guard.py",
    "cli/test_cli_server_moves.py",
    "cli/log/test_cli_log_player.py",
    "cli/test_ncadm_past.py",
    "test_architecture.py",
)

_PLACES: Final = {TESTS / name: place for place, name in enumerate(LONG)}


def place(file: Path) -> int:
    """Where a file of tests comes: sort by it."""
    return _PLACES.get(file, len(LONG))
