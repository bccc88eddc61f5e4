"""Which files of tests take longest: they come first, so that all workers end together.

A file is the work of one worker. The order is by CPU seconds and those in which a file only waits,
from twenty-five down to two; the other files take less, and follow in the order of their names.
"""

from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parents[1]

LONG: Final = (
    "benchmarks/test_benchmarks.py",
    "console/test_console_live.py",
    "server/test_clock_steps.py",
    "hub/test_link_networks.py",
    "testing/test_simulation_shared_bugs.py",
    "canary/test_canary_life.py",
    "server/test_replicas.py",
    "server/test_stream_server.py",
    "cli/log/test_cli_log_player_screen.py",
    "testing/test_field_day.py",
    "hub/test_link_namespaces.py",
    "cli/test_cli_imports.py",
    "crash/test_crash_server.py",
    "testing/test_harness_targets.py",
    "history/page/test_page_look.py",
    "console/test_console_guard.py",
    "cli/log/test_cli_log_player.py",
    "testing/test_simulation_situations.py",
    "eventlog/test_log_crashes.py",
    "agent/test_agent.py",
    "pki/test_pki_crash.py",
    "eventlog/test_log_lacks.py",
    "eventlog/test_jetstream_cluster.py",
    "history/page/test_page_use.py",
    "console/test_console_actions.py",
    "cli/test_cli_demo.py",
    "eventlog/test_jetstream_appends.py",
    "eventlog/test_jetstream_refusals.py",
    "fuzz/test_fuzz_limits.py",
    "testing/test_harness_kinds.py",
    "testing/test_harness_planted_bugs.py",
    "cli/test_cli_serve.py",
    "cli/log/test_cli_log_replay.py",
    "server/test_invitations.py",
    "server/test_supervision.py",
    "rpc/test_queue_hang_ups.py",
    "cli/test_cli_pasted.py",
    "agent/test_renewal.py",
    "rpc/test_queue_held_back.py",
    "testing/test_simulation.py",
    "cli/test_ncadm_commands.py",
    "history/page/test_page_moments.py",
    "pb/test_foreign_stubs.py",
    "e2e/test_e2e_links.py",
    "eventlog/test_log_repair_crashes.py",
    "testing/test_replicas_silent_leader.py",
    "testing/test_simulation_bugs.py",
    "cli/test_cli_check.py",
    "hub/test_link_ends.py",
    "fuzz/test_fuzz_messages.py",
    "cli/test_cli_links.py",
    "testing/test_simulation_seeds.py",
    "rpc/test_queue_bodies.py",
    "e2e/test_e2e_listeners.py",
    "e2e/test_e2e_config_file.py",
    "client/test_client_watch.py",
    "crash/test_crash_replica.py",
    "cli/test_cli_programs.py",
    "golden/test_golden_logs.py",
    "fuzz/test_fuzz_admission.py",
    "rpc/test_queue_stalls.py",
)

_PLACES: Final = {TESTS / name: place for place, name in enumerate(LONG)}


def place(file: Path) -> int:
    """Where a file of tests comes: sort by it."""
    return _PLACES.get(file, len(LONG))
