"""TLS as a client: the CA that it trusts, and the certificate that it presents."""

import os
import ssl
from dataclasses import dataclass, field
from typing import Any


class _ClosingSocket(ssl.SSLSocket):
    """Closed by a reset before its handshake, too, where `wrap_socket` leaves it open."""

    def recv(self, *arguments: Any) -> bytes:
        try:
            return super().recv(*arguments)
        except ConnectionError:
            self.close()
            raise


@dataclass(frozen=True, slots=True)
class ClientTls:
    """PEM files. Without a CA no server is trusted; without a key no certificate is presented."""

    ca_pem: bytes
    key_pem: bytes | None = field(default=None, repr=False)
    certificate_pem: bytes | None = field(default=None, repr=False)

    def context(self) -> ssl.SSLContext:
        """A context for sockets; gRPC takes the PEM itself.

        Raises:
            ssl.SSLError: this is no PEM, or the key is not the certificate's.
        """
        # Not the default context: from Python 3.13 on it refuses CAs that exist in the field.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.sslsocket_class = _ClosingSocket
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an intermediate CA may be trusted
        if self.ca_pem:
            context.load_verify_locations(cadata=self.ca_pem.decode("ascii", "ignore"))
        if self.key_pem is not None and self.certificate_pem is not None:
            # `ssl` reads keys from files only; this one is in memory.
            with os.fdopen(os.memfd_create("client.pem"), "wb") as file:
                file.write(self.certificate_pem + b"\n" + self.key_pem)
                file.flush()
                context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
        return context
