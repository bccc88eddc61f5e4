"""Which files of tests take longest: they come first, so that all workers end together.

A file is the work of one worker. The order is by CPU seconds and those in which a file only waits,
from eighteen down to two; the other files take less, and follow in the order of their names.
"""

from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parents[1]

LONG: Final = (
    "hub/test_link_networks.py",
    "benchmarks/test_benchmarks.py",
    "fuzz/test_fuzz_resets.py",  # it may wait for twenty
    "testing/test_harness_targets.py",
    "console/test_console_live.py",
    "server/test_replicas.py",
    "testing/test_simulation_shared_bugs.py",
    "testing/test_field_day.py",
    "crash/test_crash_server.py",
    "cli/test_cli_imports.py",
    "eventlog/test_log_crashes.py",
    "canary/test_canary_life.py",
    "rpc/test_queue_bodies.py",
    "rpc/test_queue_hang_ups.py",
    "hub/test_link_namespaces.py",
    "cli/log/test_cli_log_player_screen.py",
    "server/test_clock_steps.py",
    "testing/test_simulation_situations.py",
    "server/test_stream_server.py",
    "history/page/test_page_look.py",
    "eventlog/test_log_lacks.py",
    "eventlog/test_jetstream_cluster.py",
    "eventlog/test_log_disbelief.py",
    "fuzz/test_fuzz_admission.py",
    "cli/test_cli_pasted.py",
    "testing/test_harness_planted_bugs.py",
    "console/test_console_actions.py",
    "testing/test_harness_kinds.py",
    "pki/test_pki_crash.py",
    "fuzz/test_fuzz_limits.py",
    "eventlog/test_log_append_failures.py",
    "cli/test_cli_demo.py",
    "cli/log/test_cli_log_player.py",
    "eventlog/test_log_repair_crashes.py",
    "cli/test_ncadm_commands.py",
    "testing/test_replicas_silent_leader.py",
    "testing/test_simulation.py",
    "testing/test_simulation_bugs.py",
    "history/page/test_page_use.py",
    "agent/test_agent.py",
    "pb/test_foreign_stubs.py",
    "cli/log/test_cli_log_replay.py",
    "history/test_binary_export.py",
    "rpc/test_queue_stalls.py",
    "server/test_supervision.py",
    "testing/test_simulation_seeds.py",
    "agent/test_renewal.py",
    "pki/test_pki_legacy.py",
    "cli/test_cli_join.py",
    "fuzz/test_fuzz_messages.py",
    "history/page/test_page_moments.py",
    "hub/test_link_ends.py",
    "cli/test_cli_join_refused.py",
    "testing/test_harness_documentation.py",
    "rpc/test_queue_held_back.py",
    "cli/test_cli_links.py",
    "e2e/test_e2e_links.py",
    "server/test_invitations.py",
    "golden/test_golden_logs.py",
    "hub/test_link_overload.py",
    "rpc/test_queue_hostile.py",
    "history/test_redaction.py",
    "cli/test_cli_check.py",
)

_PLACES: Final = {TESTS / name: place for place, name in enumerate(LONG)}


def place(file: Path) -> int:
    """Where a file of tests comes: sort by it."""
    return _PLACES.get(file, len(LONG))
