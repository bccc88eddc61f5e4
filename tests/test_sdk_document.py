"""The programs in docs/how-to/sdk.md run as printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from nc.agent.program import (
    Invitation,
    RenewalFailed,
    StateFolder,
    enrol,
    open_link,
    renew,
    state_of,
)
from nc.client import AsyncClient, Context
from nc.net.ipv4 import build_packet
from nc.pki.certificates import ca_cert_hash
from tests.support.server_process import LOOPBACK, ServerProcess

TEXT = (Path(__file__).parent.parent / "docs" / "how-to" / "sdk.md").read_text(encoding="utf-8")


def block(containing: str) -> str:
    """The one program in the document which contains a text."""
    blocks = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    (found,) = (text for text in blocks if containing in text)
    return str(found)


def test_the_example_runs_as_printed(tmp_path: Path) -> None:
    """Against a real server, in its data folder's parent; it has at most twenty lines of code."""
    program = block("with Client(context)")
    assert sum(bool(line.strip()) for line in program.splitlines()) <= 20
    with ServerProcess(tmp_path / "data") as server:
        done = subprocess.run(
            [sys.executable, "-c", program.replace("6440", str(server.control_port))],
            check=True,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
    place = f"{LOOPBACK}:{server.bootstrap_port}"
    join = rf"network-controller join [0-9a-f]{{16}}@{place} --ca-cert-hash sha256:[0-9a-f]{{64}}"
    lines = rf"{join}\n\d+ \S+ \S+ token_issued by cert.*\n"
    assert re.fullmatch(lines, done.stdout)


async def test_a_program_plays_a_node(tmp_path: Path) -> None:
    """It enrols with a token, is CONNECTED, and exchanges packets with another node like it."""
    with ServerProcess(tmp_path / "data") as server:
        context = Context.of_data_dir(server.data_dir, port=server.control_port)
        pin = ca_cert_hash(context.ca.read_bytes())
        async with AsyncClient(context) as client:
            issued = await client.tokens.issue(max_uses=2)
            invited = Invitation(issued.token, LOOPBACK, server.bootstrap_port, pin)
            folders = StateFolder(tmp_path / "a"), StateFolder(tmp_path / "b")
            a, b = [await enrol(folder, invited) for folder in folders]
            assert (folders[0].load(), folders[1].load()) == (a, b)
            async with open_link(a) as one, open_link(b) as other:
                state, address = await state_of(a, port=server.control_port)
                assert (state, address) == ("CONNECTED", str(one.interface.ip))
                packet = build_packet(one.interface.ip, other.interface.ip, b"hello")
                await one.send(packet)
                assert await other.receive() == packet
                assert (await client.nodes.get(address)).link is not None
                await _renewed(folders[0], client)


async def _renewed(folder: StateFolder, client: AsyncClient) -> None:
    """The node's certificates become others, for the same key; a node that is gone gets none."""
    node = folder.load()
    assert node is not None
    assert node.certificates is not None
    certificate, key = (node.certificates / name for name in ("client.pem", "client-key.pem"))
    before = certificate.read_bytes(), key.read_bytes()
    await renew(folder, node)
    after = certificate.read_bytes(), key.read_bytes()
    assert (before[0] != after[0], before[1] == after[1]) == (True, True)
    await client.nodes.unregister(node.token)
    with pytest.raises(RenewalFailed) as gone:
        await renew(folder, node)
    assert gone.value.is_final
