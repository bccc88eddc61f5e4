"""The stream: its configuration, which is checked at every start, and its servers'.

What a log must be able to rely on is not left to whoever made the stream: a limit by age, say, or
servers that do not sync would lose events without a word.
"""

import asyncio
import http.client
import json
import re
import urllib.request
from typing import Any, Final

import nats.js.errors
from nats.js.api import DiscardPolicy, RePublish, RetentionPolicy, StorageType, StreamConfig

from eventlog.api import MAX_PAYLOAD_BYTES
from eventlog.errors import LogError, LogUnavailable, LogUnreachable
from eventlog.jetstream.address import StreamAddress
from eventlog.jetstream.connection import FAILURES, Connection, unanswered
from eventlog.jetstream.messages import OVERHEAD_BYTES, subject_of, tail_subject_of

OLDEST_SERVER: Final = (2, 11)
_LOG_ID: Final = "eventlog.log_id"
_MOVED_TO: Final = "eventlog.moved_to"
_DUPLICATES_S: Final = 120.0
_ANSWER_S: Final = 5.0
_LEAST_PAYLOAD_BYTES: Final = 1024 * 1024

# What has to be so, by the names of JetStream's API.
_FIXED: Final[dict[str, Any]] = {
    "retention": RetentionPolicy.LIMITS,
    "storage": StorageType.FILE,
    "discard": DiscardPolicy.NEW,
    "deny_delete": True,
    "deny_purge": True,
    "allow_direct": True,
    "max_msgs": -1,
    "max_msgs_per_subject": -1,
    "max_age": 0.0,
    "duplicate_window": _DUPLICATES_S,
}


class StreamMissing(LogError):
    """The servers have no such stream."""

    text = "{address}: there is no such stream; name that of the log, or move a log there"

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


def payload_limit_of(client: Connection) -> int:
    """The largest payload of a record that the servers take, and a copy has room for."""
    return min(client.max_payload - OVERHEAD_BYTES, MAX_PAYLOAD_BYTES)


async def make_stream(
    client: Connection, address: StreamAddress, log_id: bytes, replicas: int, max_bytes: int = -1
) -> None:
    """Make the stream.

    Args:
        client: connected.
        address: names it.
        log_id: of the log in it, 16 bytes.
        replicas: how many servers keep it.
        max_bytes: it takes nothing more then; well below what the disks have. -1: no limit.

    Raises:
        LogUnavailable: the servers refuse it.
    """
    config = StreamConfig(
        name=address.stream,
        subjects=[subject_of(address.stream)],
        num_replicas=replicas,
        max_bytes=max_bytes,
        republish=RePublish(subject_of(address.stream), tail_subject_of(address.stream)),
        metadata={_LOG_ID: log_id.hex()},
        **_FIXED,
    )
    try:
        await client.jetstream(timeout=_ANSWER_S).add_stream(config)
    except FAILURES as error:
        raise unanswered(client, address, "the stream cannot be made", error) from error


async def open_stream(
    client: Connection, address: StreamAddress, allowed: str | None = None
) -> bytes:
    """Check the stream's configuration; returns the log's id.

    Args:
        client: connected.
        address: names it.
        allowed: where the log may have been moved to.

    Raises:
        StreamMissing: there is none.
        LogUnavailable: it is no log, or must not be used as it is; or no server answers.
    """
    name = str(address)
    try:
        info = await client.jetstream(timeout=_ANSWER_S).stream_info(address.stream)
    except nats.js.errors.NotFoundError:
        raise StreamMissing(name) from None
    except FAILURES as error:
        what = "the stream's configuration cannot be read"
        raise unanswered(client, address, what, error) from error
    config = info.config
    log_id = (config.metadata or {}).get(_LOG_ID, "")
    if not re.fullmatch("[0-9a-f]{32}", log_id):
        raise LogUnavailable(name, "the stream was not made for a log, as its metadata would say")
    moved_to = (config.metadata or {}).get(_MOVED_TO)
    if moved_to not in (None, allowed):
        raise LogUnavailable(name, f"the log was moved from here to {moved_to}: use it there")
    wrong = [
        f"{field} {_plain(getattr(config, field))}, expected {_plain(expected)}"
        for field, expected in _expected(address).items()
        if getattr(config, field) != expected
    ]
    if config.republish is None or config.republish.dest != tail_subject_of(address.stream):
        wrong.append(f"no republish to {tail_subject_of(address.stream)}")
    if wrong:
        raise LogUnavailable(name, f"the stream could lose events: {'; '.join(wrong)}")
    return bytes.fromhex(log_id)


def _expected(address: StreamAddress) -> dict[str, Any]:
    return {"subjects": [subject_of(address.stream)], **_FIXED}


def _plain(value: object) -> object:
    return getattr(value, "value", value)


async def mark_moved(client: Connection, address: StreamAddress, to: str) -> None:
    """Note in the stream that the log is somewhere else now, and seal it: it takes nothing more.

    Nobody opens it again, and a server that has it open is refused its next append.

    Raises:
        LogUnavailable: the servers refuse it.
    """
    stream = client.jetstream(timeout=_ANSWER_S)
    try:
        config = (await stream.stream_info(address.stream)).config
        config.metadata = {**(config.metadata or {}), _MOVED_TO: to}
        config.sealed = True
        await stream.update_stream(config)
    except FAILURES as error:
        raise unanswered(client, address, "the stream cannot be marked", error) from error


async def check_servers(client: Connection, address: StreamAddress) -> None:
    """Check that the servers are new enough, take large messages, and sync what they acknowledge.

    Whether they sync is on their monitoring page alone. Of several, a minority may be down.

    Raises:
        LogUnavailable: one does not, or cannot be asked.
    """
    name = str(address)
    if client.max_payload < _LEAST_PAYLOAD_BYTES:
        reason = f"max_payload is {client.max_payload}, expected {_LEAST_PAYLOAD_BYTES} or more"
        raise LogUnavailable(name, reason)
    if address.monitor is None:
        reason = "whether its servers sync is not known: add ?monitor=PORT to the address"
        raise LogUnavailable(name, reason)
    hosts = [host for host, _ in address.servers]
    pages = await asyncio.gather(
        *(asyncio.to_thread(_page, address, host) for host in hosts), return_exceptions=True
    )
    problem: BaseException | None = None
    answered = 0
    for host, page in zip(hosts, pages, strict=True):
        if isinstance(page, BaseException):
            problem = page
        else:
            _check_server(name, host, page)
            answered += 1
    if problem is not None and 2 * answered <= len(hosts):  # one that is down need not be asked
        raise problem


def _check_server(name: str, host: str, page: dict[str, Any]) -> None:
    found = str(page.get("version", ""))
    version = tuple(int(part) for part in re.findall("[0-9]+", found)[:2])
    if version < OLDEST_SERVER:
        oldest = ".".join(map(str, OLDEST_SERVER))
        raise LogUnavailable(name, f"{host} runs NATS {found}, expected {oldest} or newer")
    jetstream = page.get("jetstream", {}).get("config")
    if not jetstream:
        raise LogUnavailable(name, f"{host} has no JetStream: add jetstream to its settings")
    if not jetstream.get("sync_always", False):
        reason = (
            f"{host} loses what it acknowledged when its power fails: "
            "set sync_interval to always in its jetstream settings"
        )
        raise LogUnavailable(name, reason)


def _page(address: StreamAddress, host: str) -> dict[str, Any]:
    url = f"http://{host}:{address.monitor}/varz"
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_S) as page:
            found = json.load(page)
    except OSError as error:
        why = getattr(error, "reason", error)
        reason = f"whether {host} syncs is not known: {url} does not answer ({why})"
        raise LogUnreachable(str(address), reason) from error
    except (ValueError, http.client.HTTPException):
        found = None
    if not isinstance(found, dict) or "version" not in found:
        reason = (
            f"whether {host} syncs is not known: {url} is no monitoring page of NATS; name the "
            "port that http_port has in its settings, with monitor=PORT"
        )
        raise LogUnavailable(str(address), reason)
    return found
