"""The data of a simulated server, opened as by a real one, also while parts of it are gone."""

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Final

import eventlog
from eventlog import EventLog
from eventlog.copies import FolderCopy
from eventlog.testing import SimulatedDisk
from nc.clock import Clock, now_utc
from nc.pki.renewal import require_plausible
from nc.server import first_start
from nc.server.first_start import AuthorityFiles, Listing

FOLDER: Final = Path("/log")
_SEGMENT_BYTES: Final = 8192  # so that a life fills several
_SHARED_LOG_ID: Final = bytes(16)
_SECRET_KEY: Final = Path("/secret.key")
_AUTHORITIES: Final = (Path("/grpc"), Path("/network"))


class Part(Enum):
    """A part of the server's data; each may be a volume of its own."""

    LOG = "the log"
    SECRET_KEY = "the secret key"  # noqa: S105 - a file's name
    CERTIFICATES = "the certificates"


class Data:
    """A log on a disk, a key, and certificates.

    Attributes:
        disk: has the log; another one, which is empty, while the log is gone.
        lost: what is gone.
    """

    def __init__(self) -> None:
        self.disk = SimulatedDisk()
        self.lost: frozenset[Part] = frozenset()
        self._away: SimulatedDisk | None = None
        self._log_id = ""  # of the first start that came so far

    def lose(self, parts: tuple[Part, ...]) -> None:
        self.lost = frozenset(parts)
        if Part.LOG in self.lost:
            self._away, self.disk = self.disk, SimulatedDisk()

    def put_back(self) -> None:
        self.lost = frozenset()
        if self._away is not None:
            self.disk, self._away = self._away, None

    def open(self, clock: Clock, random_bytes: Callable[[int], bytes]) -> EventLog:
        """Open the log; the first start makes it.

        Raises:
            DataLost: a part is missing.
            PkiError: the clock is before this release.
            LogError, PowerLoss: the log cannot be opened.
        """
        there = self._list()
        first_start.decide(there)
        log = eventlog.open(
            FOLDER,
            now_ns=clock.now_ns,
            random_bytes=random_bytes,
            disk=self.disk,
            segment_size_bytes=_SEGMENT_BYTES,
        )
        first_start.check(there, log.log_id.hex(), log_is_empty=log.last_seq == 0)
        require_plausible(now_utc(clock))
        self._log_id = self._log_id or log.log_id.hex()
        return log

    def open_copy(self, clock: Clock, random_bytes: Callable[[int], bytes]) -> FolderCopy:
        """Open the copy of a log that servers share; raises LogError, PowerLoss."""
        return FolderCopy(
            FOLDER,
            _SHARED_LOG_ID,
            "the shared log",
            now_ns=clock.now_ns,
            random_bytes=random_bytes,
            disk=self.disk,
            segment_size_bytes=_SEGMENT_BYTES,
        )

    def _list(self) -> Listing:
        """As `first_start.look` lists real folders."""
        has_key = bool(self._log_id) and Part.SECRET_KEY not in self.lost
        has_authorities = bool(self._log_id) and Part.CERTIFICATES not in self.lost
        mark = self._log_id if has_authorities else None
        return Listing(
            log=FOLDER,
            secret_key=_SECRET_KEY,
            segments=any(path.suffix == ".seg" for path, _ in self.disk.files()),
            has_secret_key=has_key,
            traces=(_SECRET_KEY,) if has_key else (),
            authorities=tuple(
                AuthorityFiles(path, has_authorities, has_authorities, mark)
                for path in _AUTHORITIES
            ),
        )
