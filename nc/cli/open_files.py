"""The limit of open files, which bounds the connections of a server."""

import resource

from structlog.typing import FilteringBoundLogger

from nc import log_events

# Each connection is an open file: 65,536 are enough for 30,000 nodes and their callers. A fleet of
# moderate size uses up fewer than 4096.
ENOUGH_FILES = 65_536
FEW_FILES = 4096


def allow_open_files(log: FilteringBoundLogger) -> None:
    """Raise the limit of open files, since each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    if soft != resource.RLIM_INFINITY and soft < FEW_FILES:
        log.warning(
            log_events.SERVER_FD_LIMIT_LOW,
            message=f"at most {soft} files may be open, and each connection is one; "
            "raise the limit (ulimit -n, or LimitNOFILE= for systemd)",
        )
