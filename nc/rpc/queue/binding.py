"""What is used of `grpc._cython.cygrpc`; nothing else imports it."""

from importlib import import_module
from typing import Any, Final

# No stubs describe it.
cygrpc: Any = import_module("grpc._cython.cygrpc")

ReceiveMessage: Final = cygrpc.ReceiveMessageOperation
ReceiveClose: Final = cygrpc.ReceiveCloseOnServerOperation
SendInitialMetadata: Final = cygrpc.SendInitialMetadataOperation
SendMessage: Final = cygrpc.SendMessageOperation
SendStatus: Final = cygrpc.SendStatusFromServerOperation

Metadata = tuple[tuple[str, str | bytes], ...]
