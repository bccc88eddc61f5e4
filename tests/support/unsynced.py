"""No test waits for a disk to sync: what the kernel was given is read back with or without it.

What a loss of power takes is proved on simulated disks (`eventlog.testing`, `test_pki_crash.py`);
that a program syncs, and what it does where that fails, by strace in processes that this does not
reach (`test_log_real_disks.py`, `test_e2e_disk_failures.py`).
"""

import os
from typing import Any


def skip_syncs() -> None:
    """Let this process, and what it forks, sync nothing."""
    for name in ("fsync", "fdatasync"):
        setattr(os, name, _sync_nothing)


def are_syncs_skipped() -> bool:
    return os.fsync is _sync_nothing


def _sync_nothing(fd: Any, /) -> None:
    os.fstat(fd if isinstance(fd, int) else fd.fileno())  # what is no descriptor is still an error
