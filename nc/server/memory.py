"""Gives memory back to the system that C libraries have freed and the C library keeps.

After a flood of TLS handshakes that is hundreds of megabytes, in the heaps of gRPC's threads.
Python's own objects are not in these heaps, so that a look through them takes about a millisecond.
"""

import ctypes
from typing import Final

from nc.server.parts import Job

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone


async def give_back() -> None:
    """Give back what is free now."""
    if _trim is not None:
        _trim(0)


GIVE_BACK: Final = Job("give_back_memory", 30.0, give_back)
