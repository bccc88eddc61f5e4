"""SIGHUP at an agent: only a certificate that was replaced on disk begins a new link."""

from pathlib import Path
from typing import Any

import pytest
import structlog

from nc.agent.agent import Agent
from nc.agent.certificates import NodeTls
from nc.agent.settings import AgentSettings
from nc.agent.state import NodeIdentity
from nc.certificate_files import FolderPaths
from nc.clock import SystemClock
from nc.net.redirect import Redirect
from nc.pki.errors import PkiError
from nc.secrets import SystemSecrets


def certificate_of(paths: FolderPaths) -> NodeTls:
    """A stand-in: the file's bytes are the certificate."""
    anything: Any = None
    if not paths.client.exists():
        raise PkiError(paths.client, "cannot be read", "")
    contents: Any = paths.client.read_bytes()
    return NodeTls(anything, contents)


def agent_with(folder: Path) -> Agent:
    node = NodeIdentity("token", "127.0.0.1", 1, folder)
    log = structlog.wrap_logger(structlog.ReturnLogger())
    agent = Agent(
        node,
        AgentSettings(tun=False),
        Redirect(folder / "redirect.json"),
        clock=SystemClock(),
        secrets=SystemSecrets(),
        log=log,
    )
    held: Any = agent
    held.traffic.connection = object()
    held._tls = certificate_of(FolderPaths.within(folder))
    return agent


def test_only_another_certificate_begins_a_new_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same one, one that is missing for a moment, and no link at all change nothing."""
    monkeypatch.setattr("nc.agent.certificates.node_tls", certificate_of)
    path = FolderPaths.within(tmp_path).client
    path.write_bytes(b"one")
    agent = agent_with(tmp_path)
    begins_anew: Any = agent._replaced
    agent.reload()
    path.unlink()
    agent.reload()
    assert not begins_anew.is_set()
    path.write_bytes(b"two")
    agent.reload()
    assert begins_anew.is_set()
