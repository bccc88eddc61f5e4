"""How this server is: what nc.admin.v1.Server.Status answers beyond the state."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from nc.clock import Clock, now_ms
from nc.domain.invitations import LostReplica, lost_replicas
from nc.replica.replica import Replica
from nc.rpc.admin.server import CertificateFacts, LogFacts, ServerFacts
from nc.server.parts import Parts
from nc.text import moment

_DAY_MS = 24 * 60 * 60 * 1000

# How early the end of a CA is said: every node must join again then.
_AUTHORITY_MS = 180 * _DAY_MS

# How long a certificate may be due to be renewed: that is tried several times a day.
_OVERDUE_MS = 2 * _DAY_MS


class Status:
    """Gathers what is to be told.

    Args:
        advertised: where clients reach the server.
        first_seq: the log's first event.
        failing: the jobs whose last run failed, by name, and why.
        out_of_touch_s: for how long the server is out of touch with the others; 0: it is not.
    """

    def __init__(
        self,
        parts: Parts,
        replica: Replica,
        version: str,
        advertised: Callable[[], str],
        first_seq: Callable[[], int],
        failing: Mapping[str, str],
        out_of_touch_s: Callable[[], float],
    ) -> None:
        self._parts = parts
        self._replica = replica
        self._version = version
        self._advertised = advertised
        self._first_seq = first_seq
        self._failing = failing
        self._out_of_touch_s = out_of_touch_s
        self._started_at_ms = now_ms(parts.clock)

    async def __call__(self) -> ServerFacts:
        parts, replica = self._parts, self._replica
        folder = parts.log_folder
        size_bytes, free_bytes = (0, 0)
        if folder is not None:
            size_bytes, free_bytes = await parts.run_blocking(lambda: _sizes(folder))
        certificates = await parts.run_blocking(parts.certificate_facts)
        lost = self._lost()
        out_s = self._out_of_touch_s()
        since_ms = now_ms(parts.clock) - round(out_s * 1000) if out_s else 0
        return ServerFacts(
            self._version,
            parts.name,
            self._started_at_ms,
            self._advertised(),
            LogFacts(
                "" if folder is None else str(folder),
                self._first_seq(),
                replica.state.seq,
                size_bytes,
                free_bytes,
                replica.snapshots.written_seq,
                parts.stream,
                replica.waits_for,
            ),
            certificates,
            [
                *_of_touch(since_ms),
                *self._of_log(),
                *map(_of_lost, lost),
                *of_certificates(certificates, parts.clock),
                *self._of_jobs(),
            ],
            lost,
            parts.advertised,
            since_ms,
        )

    def _lost(self) -> Sequence[LostReplica]:
        """The other servers that are lost; none if it is one that has its log to itself."""
        if self._parts.cluster is None:
            return ()
        state = self._replica.state
        return lost_replicas(state.membership, state.sessions)

    def _of_log(self) -> Iterator[str]:
        replica = self._replica
        if replica.failure is not None:
            yield (
                f"the event log cannot be written any more ({replica.failure}), so nothing can be "
                "changed; remove the cause, then restart the server"
            )
        elif problem := self._parts.log_problem():
            yield problem
        elif waits_for := replica.waits_for:
            yield waits_for
        if replica.snapshots.failure is not None:
            yield (
                f"the last snapshot could not be written ({replica.snapshots.failure}); nothing is "
                "lost, and the next start takes longer"
            )

    def _of_jobs(self) -> Iterator[str]:
        for name, problem in self._failing.items():
            yield f"{name} failed and is tried again: {problem}"


def _of_touch(since_ms: int) -> Iterator[str]:
    if since_ms:
        yield (
            f"this server is out of touch with the others since {moment(since_ms)}, so what it "
            "knows may be out of date, and it answers nothing else; mend the network, or bring the "
            "servers of NATS back, and it goes on by itself"
        )


def _of_lost(lost: LostReplica) -> str:
    since = f" since {moment(lost.since_ms)}" if lost.since_ms else ""
    return (
        f"the server {lost.id} is lost{since}: it ended without a stop, or the others hear it no "
        "more; start it or mend its network, or, if it is gone for good, ncadm replicas remove "
        f"{lost.id}"
    )


def of_certificates(certificates: Sequence[CertificateFacts], clock: Clock) -> Iterator[str]:
    now = now_ms(clock)
    for each in certificates:
        is_authority = each.kind == "ca"
        if each.not_after_ms <= now:
            yield f"{each.file} ended at {moment(each.not_after_ms)}; nobody accepts it"
        elif is_authority and each.not_after_ms - now <= _AUTHORITY_MS:
            yield (
                f"the CA in {each.file} ends at {moment(each.not_after_ms)}, and so does all that "
                "it signed; plan for a new one, with which every node must join again"
            )
        elif each.renewed_from_ms and now - each.renewed_from_ms > _OVERDUE_MS:
            yield (
                f"{each.file} ends at {moment(each.not_after_ms)} and was not renewed; see the "
                "server's log"
            )


def _sizes(folder: Path) -> tuple[int, int]:
    """The bytes of a folder's files, and the free bytes of its disk; 0 for what is not known."""
    try:
        with os.scandir(folder) as entries:
            size_bytes = sum(each.stat().st_size for each in entries if each.is_file())
        disk = os.statvfs(folder)
    except OSError:
        return 0, 0
    return size_bytes, disk.f_bavail * disk.f_frsize
