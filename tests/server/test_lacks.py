"""What a running server makes of a lack that passes, and of extras that cannot be had."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventlog import FileLog
from eventlog.lacks import refusing
from nc.pb import network_controller_pb2 as pb
from tests.support.whole_server import Lines, admin, running, until


class Lack:
    """Makes every append and probe of every log fail, while it lasts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.number: int | None = None
        for name in ("append", "probe_space", "write_sync_marker"):
            monkeypatch.setattr(FileLog, name, self._failing(getattr(FileLog, name)))

    def _failing(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def fail(log: FileLog, *arguments: Any) -> Any:
            if self.number is not None:
                with refusing(log.folder):
                    raise OSError(self.number, os.strerror(self.number))
            return method(log, *arguments)

        return fail


@pytest.mark.parametrize(
    ("number", "event"),
    [
        (errno.EMFILE, "log.lacking"),
        (errno.ENFILE, "log.lacking"),
        (errno.ENOMEM, "log.lacking"),
        (errno.EROFS, "log.lacking"),
        (errno.EDQUOT, "log.full"),
    ],
)
async def test_a_lack_refuses_and_is_over_when_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, event: str
) -> None:
    """Code 500 with a sentence and without a path, a log line at both ends, then service again."""
    lack, lines = Lack(monkeypatch), Lines()
    request = pb.GetBootStrapTokenRequest(expireTime=-1)
    async with running(tmp_path / "data", lines=lines) as server, admin(server) as client:
        lack.number = number
        refused = await client.call("GetBootStrapToken", request)
        assert (refused.code, "nothing was changed" in refused.message) == ("500", True)
        assert str(tmp_path) not in refused.message
        await until(lambda: bool(lines.named(event)))
        lack.number = None
        await until(lambda: bool(lines.named("log.writable")))
        assert (await client.call("GetBootStrapToken", request)).code == "200"


async def test_a_lack_at_the_stop_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server on a file system that is read-only by now ends in good order."""
    lack, lines = Lack(monkeypatch), Lines()
    async with running(tmp_path / "data", lines=lines):
        lack.number = errno.EROFS
        (tmp_path / "data" / "links.sock").unlink()
        (tmp_path / "data" / "links.sock").mkdir()  # so that it cannot be removed
    assert lines.named("server.stopped")
    lack.number = None
    async with running(tmp_path / "data", lines=lines):  # the next one has no report
        (line,) = lines.named("server.extra_failed")
        assert "links.sock" in line["message"]


async def test_copies_that_cannot_be_made_are_a_warning(tmp_path: Path) -> None:
    """A server whose tlsDir cannot be written starts."""
    lines = Lines()
    (tmp_path / "tls").write_text("a file")
    async with running(tmp_path / "data", lines=lines, tls_dir=tmp_path / "tls"):
        assert any("tlsDir" in line["message"] for line in lines.named("certificate.warning"))
