"""Who is let in to the servers: TLS with certificates, and credentials."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eventlog import LogUnavailable, jetstream
from eventlog.jetstream import StreamAddress, connection
from tests.support.nats_identities import write_certificates, write_credentials
from tests.support.nats_servers import address_of, nats_server
from tests.support.whole_server import until

pytestmark = [  # as that fixture says
    pytest.mark.usefixtures("forgotten_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


async def appended(address: str, folder: Path) -> None:
    """Make the stream, and append to it."""
    await jetstream.make(address, replicas=1)
    log = await jetstream.open(address, folder)
    assert await log.append(b"x", 1, 0) == 1
    await log.close()


async def refused(address: str, folder: Path, reason: str) -> str:
    """It is not opened, for this reason, and not since nobody answers; what is said."""
    with pytest.raises(LogUnavailable, match=reason) as why:
        await jetstream.open(address, folder)
    assert why.type is LogUnavailable
    return str(why.value)


NOT_IN = "no server of NATS lets this program in"


@contextlib.asynccontextmanager
async def _breaking_off() -> AsyncIterator[int]:
    """The port of what asks for TLS, and does not speak it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"tls_required":true,"max_payload":1048576}\r\n')
        await reader.read(1024)
        writer.write(b"no TLS\r\n")
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        server.close()


async def test_over_tls_with_a_certificate(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a client with a certificate of the CA is let in, and only to a server with one.

    The end of a connection is nothing to be warned of, whichever end ends it, also the second time;
    and the next one is made with the certificates that are there by then.
    """
    pki = tmp_path / "pki"
    write_certificates(pki)
    settings = (
        f'tls {{ cert_file: "{pki}/server.pem", key_file: "{pki}/server-key.pem", '
        f'ca_file: "{pki}/ca.pem", verify: true }}'
    )
    with nats_server(tmp_path / "nats", extra=settings) as server:

        def address(ca: str, client: str) -> str:
            files = f"&ca={pki}/{ca}.pem&cert={pki}/{client}.pem&key={pki}/{client}-key.pem"
            return address_of(server, stream="L", more=files)

        await appended(address("ca", "client"), tmp_path / "copy")
        assert [record.getMessage() for record in caplog.records] == []
        for other, why in (
            (address("ca", "stranger"), "may not know the CA of .*stranger.pem"),
            (address("other", "client"), "other.pem is not the CA that signed it"),
            (address_of(server, stream="L"), "name the CA that signed it, with ca=FILE"),
            (
                address_of(server, stream="L", more=f"&ca={pki}/ca.pem"),
                "add cert=FILE&key=FILE to the address",
            ),
        ):
            await refused(other, tmp_path / "no", f"{NOT_IN}: .*{why}")
        async with _breaking_off() as port:  # the next server is tried
            monkeypatch.setattr("nats.aio.client.shuffle", lambda _servers: None)
            both = address("ca", "client").replace("tls://", f"tls://127.0.0.1:{port},")
            await connection.disconnect(await connection.connect(StreamAddress.parse(both)))
        mixed = address("ca", "client").replace("client-key", "stranger-key")
        await refused(mixed, tmp_path / "no", "are no certificate with its key")
        await refused(address("ca", "missing"), tmp_path / "no", "missing.pem cannot be read")
        log = await jetstream.open(address("ca", "client"), tmp_path / "copy")
        caplog.clear()
        for seq in (1, 2):
            server.stop()
            await until(lambda: not log.client.is_connected)
            shutil.rmtree(pki)
            write_certificates(pki)  # others, which are used from now on
            server.start(server.monitor)
            assert await log.append(b"x", 1, seq) == seq + 1
        await log.close()
        assert [record.getMessage() for record in caplog.records] == []


async def test_with_credentials(tmp_path: Path) -> None:
    """A file with a JWT and a seed lets in; another account's, a damaged one, or none does not."""
    settings = write_credentials(tmp_path)
    with nats_server(tmp_path / "nats", extra=settings) as server:

        def address(name: str) -> str:
            return address_of(server, stream="L", more=f"&creds={tmp_path}/{name}.creds")

        await appended(address("user"), tmp_path / "copy")
        await refused(address("stranger"), tmp_path / "no", NOT_IN)
        await refused(address_of(server, stream="L"), tmp_path / "no", NOT_IN)
        await refused(address("none"), tmp_path / "no", "the credentials cannot be read")
        good = (tmp_path / "user.creds").read_text()
        (tmp_path / "cut.creds").write_text(good[: good.index("USER NKEY")])
        await refused(address("cut"), tmp_path / "no", "no credentials: expected")
        seed = good.split("SEED-----\n")[1].split("\n")[0]
        (tmp_path / "bad.creds").write_text(good.replace(seed, seed[:-8] + "AAAAAAAA"))
        said = await refused(
            address("bad"), tmp_path / "no", "the seed in the credentials is damaged"
        )
        assert seed[:20] not in said
