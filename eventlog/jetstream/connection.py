"""A connection to the servers of NATS, which is made again for as long as it is wanted."""

import asyncio
import os
import ssl
from contextlib import suppress
from typing import Final, cast
from urllib.parse import ParseResult

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.transport import TcpTransport

from eventlog.errors import LogUnavailable, LogUnreachable
from eventlog.jetstream.address import StreamAddress
from eventlog.jetstream.credentials import Credentials

__all__ = ["FAILURES", "connect", "disconnect", "unanswered"]

# Everything by which the client says that a server did not answer.
FAILURES: Final = (nats.errors.Error, TimeoutError, OSError)

_CONNECT_S: Final = 2
LET_IN_S: Final = 5.0  # by any of the servers
_AGAIN_S: Final = 0.1  # before the next server is tried
_PING_S: Final = 1  # a server that does not answer two of these is left
_LAST_S: Final = 2.0  # for what is still to be sent at the end: a server that is cut off takes none


class _OverTls(asyncio.StreamReaderProtocol):
    """Closes a TLS connection when the server ends its half: TLS has no half-open connections.

    The client's own protocol asks to stay half open, and asyncio warns at each end that it cannot.
    """

    def eof_received(self) -> bool:
        super().eof_received()
        return False


class _Transport(TcpTransport):
    """The client's own, but for `_OverTls`, and for its end: a server may be cut off.

    The client waits for the end of a connection before it makes the next one. One that is closed
    waits until the other end has taken and answered everything: 30 s with TLS, without it for as
    long as TCP tries.

    Attributes:
        is_answered: whether a server has ever said something.
    """

    is_answered = False

    def __bool__(self) -> bool:
        """Also before it is connected: the client would make another one."""
        return True

    async def readline(self) -> bytes:
        line: bytes = await super().readline()  # type: ignore[no-untyped-call]
        self.is_answered = self.is_answered or bool(line)
        return line

    async def connect_tls(
        self,
        uri: str | ParseResult,
        ssl_context: ssl.SSLContext,
        buffer_size: int,
        connect_timeout: int,
    ) -> None:
        del buffer_size  # as the client's own
        plain, loop = cast("asyncio.StreamWriter", self._io_writer), asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = _OverTls(reader)
        name = uri if isinstance(uri, str) else uri.hostname
        async with asyncio.timeout(connect_timeout):
            made = await loop.start_tls(
                plain.transport, protocol, ssl_context, server_hostname=name
            )
        transport = cast("asyncio.WriteTransport", made)
        self._io_writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        self._io_reader = reader

    def close(self) -> None:
        if self._io_writer is not None:
            self._io_writer.transport.abort()


def unanswered(name: str, what: str, error: Exception) -> LogUnavailable:
    """The error to raise for one of `FAILURES`: of another kind where a server has refused."""
    answered, no_majority = nats.js.errors.APIError, nats.js.errors.ServiceUnavailableError
    is_refused = isinstance(error, answered) and not isinstance(error, no_majority)
    return (LogUnavailable if is_refused else LogUnreachable)(name, f"{what}: {error!r}")


async def connect(address: StreamAddress, name: str = "eventlog") -> Client:
    """Connect to any of the servers; later to the next one whenever that one is gone.

    Raises:
        LogUnreachable: none of them answers.
        LogUnavailable: none of them lets this program in.
    """
    problems: list[Exception] = []

    async def note(error: Exception) -> None:
        """The client tries the next server by itself; later, who asks sees what is unanswered."""
        problems[:] = [error]

    credentials = None if address.credentials is None else Credentials(address.credentials)
    context = _tls(address) if address.is_tls else None
    client = Client()
    client._transport = transport = _Transport()  # type: ignore[no-untyped-call]  # noqa: SLF001 - its only way
    try:
        async with asyncio.timeout(LET_IN_S):  # one that refuses a certificate may say nothing
            await client.connect(
                address.urls,
                name=name,
                tls=context,
                user_jwt_cb=None if credentials is None else credentials.jwt,
                signature_cb=None if credentials is None else credentials.sign,
                error_cb=note,
                connect_timeout=_CONNECT_S,
                reconnect_time_wait=_AGAIN_S,  # type: ignore[arg-type]  # it is only slept for
                max_reconnect_attempts=1,
                ping_interval=_PING_S,
                max_outstanding_pings=2,
            )
    except FAILURES as error:
        await disconnect(client)
        last = problems[0] if problems and isinstance(error, nats.errors.NoServersError) else error
        why = str(last) or type(last).__name__
        if isinstance(last, ConnectionError) and last.errno:  # asyncio has words of its own
            why = os.strerror(last.errno)
        if not transport.is_answered:
            raise LogUnreachable(str(address), f"no server of NATS answers: {why}") from error
        reason = f"no server of NATS lets this program in: {why}"
        raise LogUnavailable(str(address), reason) from error
    except BaseException:
        await disconnect(client)
        raise
    client.options["max_reconnect_attempts"] = -1  # from now on it never gives up
    client.options["dont_randomize"] = True  # and leaves a server for the next one
    return client


def _tls(address: StreamAddress) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=address.ca)
        if address.certificate is not None:
            context.load_cert_chain(address.certificate, address.key)
    except (OSError, ssl.SSLError) as error:
        reason = f"ca, cert or key cannot be used: {error}"
        raise LogUnavailable(str(address), reason) from error
    return context


async def disconnect(client: Client) -> None:
    with suppress(*FAILURES):
        async with asyncio.timeout(_LAST_S):
            await client.close()
    if client._transport is not None:  # noqa: SLF001 - the client may have left it open
        client._transport.close()  # type: ignore[no-untyped-call]  # noqa: SLF001
