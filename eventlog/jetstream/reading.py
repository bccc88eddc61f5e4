"""Reading a log in a stream from ordinary code: a thread keeps a copy of it up to date."""

import asyncio
import threading
from pathlib import Path

from eventlog.jetstream import JetStreamLog, StreamAddress
from eventlog.jetstream import open as open_stream


class KeptCopy:
    """A copy in a folder of all that a stream holds, to which is added what comes.

    Args:
        address: of the stream.
        folder: of the copy, which is made if it is missing.

    Raises:
        LogError: as `eventlog.jetstream.open`.
    """

    def __init__(self, address: StreamAddress, folder: Path) -> None:
        self._address = address
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="eventlog-copy", daemon=True
        )
        self._thread.start()
        self._log: JetStreamLog | None = None
        try:
            self._log = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        except BaseException:
            self.close()
            raise

    async def _open(self) -> JetStreamLog:
        return await open_stream(self._address, self._folder, only_reads=True)

    def close(self) -> None:
        """Stop adding to the copy. Idempotent."""
        if self._log is not None:
            asyncio.run_coroutine_threadsafe(self._log.close(), self._loop).result()
            self._log = None
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
