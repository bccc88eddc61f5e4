"""Whom folders and secrets are open to: what is refused, and what is warned of.

A folder that every user may write into is refused, since another user could put keys or a log
there; so is one that belongs to another user, unless root runs this, which gives that user what
it makes. A secret that every user may read is refused. The same for a group is a warning.
"""

import os
import pwd
import stat
from pathlib import Path

from nc.errors import OperatorError


class OpenToOthers(OperatorError):
    """Other users may write or read what only one user should."""


def folder_warnings(path: Path) -> list[str]:
    """Warnings about a folder that this process is to make files in; none if there is no folder.

    Raises:
        OpenToOthers: it must not be used like this.
    """
    try:
        found = path.stat()
    except OSError:
        return []
    mode, warnings = stat.S_IMODE(found.st_mode), []
    if mode & stat.S_IWOTH:
        raise OpenToOthers(
            f"{path}: with mode {mode:04o} every user may put files there, also keys and events of "
            "their own",
            remedy=f"run chmod o-w {path}, and look through what is in it",
        )
    if mode & stat.S_IWGRP:
        warnings.append(
            f"{path}: with mode {mode:04o} its group may put files there; run chmod g-w {path}, "
            "unless only this service is in that group"
        )
    if found.st_uid not in (os.geteuid(), 0):
        owner, user = _name(found.st_uid), _name(os.geteuid())
        if os.geteuid() != 0:
            raise OpenToOthers(
                f"{path} belongs to {owner}, and this runs as {user}: {owner} could not use what "
                "it makes there",
                remedy=f"run it as {owner}, or give {user} the folder with chown -R {user} {path}",
            )
        warnings.append(
            f"{path} belongs to {owner}, and this runs as root: {owner} gets what it makes there"
        )
    return warnings


def check_secret(path: Path) -> None:
    """Refuse a private key, or another secret, that every user may read or change.

    Raises:
        OpenToOthers: they may.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return  # reading it says why
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise OpenToOthers(
            f"{path}: with mode {mode:04o} every user may read or change this secret",
            remedy=f"run chmod 600 {path}; and if another user may have read it, replace it",
        )


def forbid_core_dumps() -> None:
    """Keep the process's memory, which holds keys, out of core files and from other processes."""
    import ctypes  # noqa: PLC0415 - only what runs for long needs it

    pr_set_dumpable = 4  # linux/prctl.h
    ctypes.CDLL(None).prctl(pr_set_dumpable, 0, 0, 0, 0)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
