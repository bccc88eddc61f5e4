"""A stream on three servers: what was acknowledged stays, whichever of them fails."""

import random
from pathlib import Path

import pytest

from tests.support.nats_cluster import (
    TIMEOUT_S,
    check,
    leader_of,
    made,
    more,
    opened,
    three_servers,
    writing,
)

pytestmark = [  # as that fixture says
    pytest.mark.usefixtures("forgotten_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


async def test_the_leading_server_dies(tmp_path: Path) -> None:
    """Killed at once while it is written to: appends go on at the others, and none is lost."""
    with three_servers(tmp_path / "nats") as servers:
        address = await made(servers)
        async with writing(address, tmp_path, writers=1) as acknowledged:
            await more(acknowledged, 50)
            (await leader_of(servers)).kill()
            await more(acknowledged, 50)
        await check(address, tmp_path, acknowledged)
        log = await opened(address, tmp_path / "w0")  # although one server is down
        log.busy_after_s = TIMEOUT_S
        assert await log.append(b"last", 1, log.last_seq) == log.last_seq
        await log.close()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
async def test_faults_of_every_kind(seed: int, tmp_path: Path) -> None:
    """Kills, pauses and losses of one server at a time, with two writers, in any order."""
    pick = random.Random(seed)  # noqa: S311 - no secret
    with three_servers(tmp_path / "nats") as servers:
        address = await made(servers)
        async with writing(address, tmp_path, writers=2) as acknowledged:
            for _ in range(6):
                await more(acknowledged, 30)
                server = pick.choice(servers)
                match pick.choice(("kill", "pause", "lose")):
                    case "kill":
                        server.kill()
                        await more(acknowledged, 30)
                        server.start(server.monitor)
                    case "pause":
                        server.pause()
                        await more(acknowledged, 30)
                        server.go_on()
                    case _:
                        server.kill()
                        server.forget()
                        server.start(server.monitor)
                for each in servers:
                    each.wait()
        await check(address, tmp_path, acknowledged)
