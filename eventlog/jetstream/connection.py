"""A connection to the servers of NATS, which is made again for as long as it is wanted."""

import asyncio
import re
import ssl
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, cast
from urllib.parse import ParseResult

import nats.errors
from nats.aio.client import Client
from nats.aio.transport import TcpTransport

from eventlog.errors import LogUnavailable
from eventlog.jetstream import causes
from eventlog.jetstream.address import StreamAddress
from eventlog.jetstream.causes import NotNats, Stage
from eventlog.jetstream.credentials import Credentials

# Everything by which the client says that a server did not answer.
FAILURES: Final = (nats.errors.Error, TimeoutError, OSError)

_CONNECT_S: Final = 2
LET_IN_S: Final = 5.0  # by any of the servers
_AGAIN_S: Final = 0.1  # before the next server is tried
_PING_S: Final = 1  # a server that does not answer two of these is left
_LAST_S: Final = 2.0  # for what is still to be sent at the end: a server that is cut off takes none
_SHOWN: Final = 40  # bytes of what is no greeting of NATS
_DENIED: Final = re.compile(r"permissions violation for (.+)")


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

    Args:
        address: with TLS, nothing is sent without, which the client leaves to the server; and its
            files are read for each connection, so that new ones serve from the next one on.

    Attributes:
        stage: of the connection.
    """

    def __init__(self, address: StreamAddress) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._address = address
        self.stage = Stage.CONNECTING

    def __bool__(self) -> bool:
        """Also before it is connected: the client would make another one."""
        return True

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        self.stage = Stage.CONNECTING
        await super().connect(uri, buffer_size, connect_timeout)
        self.stage = Stage.CONNECTED

    async def readline(self) -> bytes:
        """Raises NotNats, UnexpectedEOF."""
        try:
            line: bytes = await super().readline()  # type: ignore[no-untyped-call]
        except ValueError as error:  # longer than the buffer
            raise NotNats("no server of NATS listens there: its first line does not end") from error
        if not line:
            raise nats.errors.UnexpectedEOF
        if self.stage is Stage.CONNECTED:
            if not line.startswith(b"INFO "):
                said = line[:_SHOWN].decode("latin-1").strip()
                raise NotNats(f"what listens there is no server of NATS: it says {said!r}")
            self.stage = Stage.GREETED
        return line

    def write(self, payload: bytes) -> None:
        if not self._may_send:
            raise nats.errors.SecureConnWantedError
        super().write(payload)  # type: ignore[no-untyped-call]

    def writelines(self, payload: list[bytes]) -> None:
        """Send, unless TLS is missing or the connection is broken: it is called at its end, too."""
        writer = self._io_writer
        if self._may_send and writer is not None and not writer.is_closing():
            super().writelines(payload)  # type: ignore[no-untyped-call]

    @property
    def _may_send(self) -> bool:
        return self.stage is Stage.OVER_TLS or not self._address.is_tls

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
        context = _tls(self._address) if self._address.is_tls else ssl_context
        async with asyncio.timeout(connect_timeout):
            made = await loop.start_tls(plain.transport, protocol, context, server_hostname=name)
        transport = cast("asyncio.WriteTransport", made)
        self._io_writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        self._io_reader = reader
        self.stage = Stage.OVER_TLS

    def close(self) -> None:
        if self._io_writer is not None:
            self._io_writer.transport.abort()

    async def wait_closed(self) -> None:
        """It is aborted; asyncio's own wait never ends if the TLS handshake has failed."""
        await asyncio.sleep(0)


class Connection(Client):
    """The client, which never gives up, and what it was denied.

    Attributes:
        denied: what a server has said last that this user may not do; "": nothing.
        why_lost: why it was not connected again, when that was tried last.
    """

    denied = ""
    why_lost = ""

    @property
    def problem(self) -> str:
        """Why it is not connected now; "" if it is, or that is not known."""
        return "" if self.is_connected else self.why_lost

    @property
    def has_jetstream(self) -> bool:
        """Whether the server has it, for whichever accounts."""
        return bool(self._server_info.get("jetstream"))

    async def _process_err(self, err_msg: str) -> None:
        """Connect again, whatever a server says; the client's own is closed for good then.

        Such as for credentials that have ended, of which there are new ones by now.
        """
        if _DENIED.search(err_msg):
            await super()._process_err(err_msg)
        elif self.is_connected:
            error = nats.errors.Error(f"nats: {err_msg}")
            await self._process_op_err(error)
            await self._error_cb(error)

    async def _attempt_reconnect(self) -> None:
        """Try until there is a connection; the client's own ends with an error of no server."""
        while not self.is_closed:
            try:
                await super()._attempt_reconnect()
            except Exception as error:  # noqa: BLE001 - such as of credentials that cannot be read
                await self._error_cb(error)
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    async def close(self) -> None:
        """Close it, also while it connects again: that may lose a cancellation, and go on."""
        connecting = self._reconnection_task
        while connecting is not None and not connecting.done():
            connecting.cancel()
            await asyncio.wait([connecting], timeout=_AGAIN_S)
        await super().close()


def unanswered(
    client: Connection, address: StreamAddress, what: str, error: Exception
) -> LogUnavailable:
    """The error to raise for one of `FAILURES`: of another kind where a server has refused."""
    return causes.unanswered(
        address, what, error, has_jetstream=client.has_jetstream, denied=client.denied
    )


async def connect(address: StreamAddress, name: str = "eventlog") -> Connection:
    """Connect to any of the servers; later to the next one whenever that one is gone.

    Raises:
        LogUnreachable: none of them answers.
        LogUnavailable: none of them lets this program in.
    """
    problems: list[tuple[Stage, Exception]] = []

    async def note(error: Exception) -> None:
        """The client tries the next server by itself."""
        if client.is_connected:
            found = _DENIED.search(str(error))
            client.denied = found[1] if found else client.denied
        elif is_made:
            client.why_lost = causes.not_let_in(address, transport.stage, error).reason
        else:
            problems.append((transport.stage, error))

    is_made = False
    credentials = None if address.credentials is None else Credentials(address.credentials)
    context = _tls(address) if address.is_tls else None
    client = Connection()
    client._transport = transport = _Transport(address)  # noqa: SLF001 - its only way
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
        if not isinstance(error, nats.errors.NoServersError):
            problems.append((transport.stage, error))
        await disconnect(client)
        # of the one that came furthest: its server has the most to say
        stage, problem = max(problems, key=lambda each: each[0], default=(Stage.CONNECTING, error))
        raise causes.not_let_in(address, stage, problem) from error
    except BaseException:
        await disconnect(client)
        raise
    is_made = True
    client.options["max_reconnect_attempts"] = -1  # from now on it never gives up
    client.options["dont_randomize"] = True  # and leaves a server for the next one
    return client


def _tls(address: StreamAddress) -> ssl.SSLContext:
    files: Sequence[Path | None] = (address.ca, address.certificate, address.key)
    try:
        for file in files:
            if file is not None:
                file.open("rb").close()  # ssl does not say which one is missing
        context = ssl.create_default_context(cafile=address.ca)
        files = address.certificate, address.key
        if address.certificate is not None:
            context.load_cert_chain(address.certificate, address.key)
    except (ssl.SSLError, OSError) as error:
        raise LogUnavailable(str(address), causes.unusable(files, error)) from error
    return context


async def disconnect(client: Client) -> None:
    with suppress(*FAILURES):
        async with asyncio.timeout(_LAST_S):
            await client.close()
    if client._transport is not None:  # noqa: SLF001 - the client may have left it open
        client._transport.close()  # type: ignore[no-untyped-call]  # noqa: SLF001
