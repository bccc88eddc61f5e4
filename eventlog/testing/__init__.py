"""Disks for tests of a log, or of anything else that uses a `Disk`.

    SimulatedDisk    files in memory; a crash keeps any part of what was not synced
    NoSyncDisk       real files that are never synced, for tests in which nothing crashes
    InterceptedDisk  calls a hook before each operation of another disk
    FaultyDisk       fails chosen operations of another disk

`abandon` releases a log as the end of its process does.
"""

from eventlog.testing.crash import CrashOutcome
from eventlog.testing.faulty_disk import FaultyDisk, InterceptedDisk, NoSyncDisk, abandon
from eventlog.testing.simulated_disk import PowerLoss, SimulatedDisk

__all__ = [
    "CrashOutcome",
    "FaultyDisk",
    "InterceptedDisk",
    "NoSyncDisk",
    "PowerLoss",
    "SimulatedDisk",
    "abandon",
]
