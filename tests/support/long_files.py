"""Which files of tests take longest: they come first, so that all workers end together.

A file is the work of one worker. The order is by CPU seconds, from thirty down to two; the other
files take less, and follow in the order of their names.
"""

from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parents[1]

LONG: Final = (
    "testing/test_harness_planted_bugs.py",
    "benchmarks/test_benchmarks.py",
    "testing/test_harness_targets.py",
    "testing/test_field_day.py",
    "testing/test_simulation_shared_bugs.py",
    "crash/test_crash_server.py",
    "testing/test_simulation_logs.py",
    "cli/test_cli_imports.py",
    "hub/test_link_networks.py",
    "testing/test_simulation_situations.py",
    "testing/test_simulation.py",
    "testing/test_simulation_seeds.py",
    "testing/test_simulation_bugs.py",
    "pki/test_pki_crash.py",
    "eventlog/test_log_crashes.py",
    "eventlog/test_log_lacks.py",
    "server/test_clock_steps.py",
    "hub/test_link_namespaces.py",
    "cli/log/test_cli_log_player.py",
    "testing/test_harness_links.py",
    "test_permissions.py",
    "eventlog/test_log_repair_crashes.py",
    "console/test_console_live.py",
    "history/page/test_page_look.py",
    "canary/test_canary_life.py",
    "pb/test_foreign_stubs.py",
    "net/test_plain_tun.py",
    "fuzz/test_fuzz_messages.py",
    "rpc/test_rpc_permissions.py",
    "hub/test_link_newcomers.py",
    "test_architecture.py",
    "domain/test_against_plain_model.py",
    "cli/test_cli_import_litekube.py",
    "testing/test_harness_documentation.py",
    "cli/test_cli_check.py",
    "cli/test_cli_pasted.py",
    "server/test_first_start.py",
    "e2e/test_e2e_listeners.py",
    "cli/log/test_cli_log_replay.py",
    "cli/test_cli_join.py",
    "cli/test_ncadm_commands.py",
    "golden/test_golden_logs.py",
    "cli/log/test_cli_log_streams.py",
    "history/page/test_page_use.py",
    "crash/test_crash_replica.py",
    "fuzz/test_fuzz_sockets.py",
    "test_layers.py",
    "eventlog/test_log_repair.py",
    "eventlog/test_log_disbelief.py",
    "console/test_console_actions.py",
    "console/test_console_guard.py",
    "cli/test_cli_demo.py",
    "replica/test_replica_appends.py",
    "server/test_invitations.py",
    "server/test_stream_server.py",
)

_PLACES: Final = {TESTS / name: place for place, name in enumerate(LONG)}


def place(file: Path) -> int:
    """Where a file of tests comes: sort by it."""
    return _PLACES.get(file, len(LONG))
