"""`network-controller join` as a person uses it, against the real server, without TUN."""

import json
import re
from pathlib import Path

from nc.pb import network_controller_pb2 as pb
from tests.support.joined_machines import (
    admin,
    agent,
    invite,
    node_id_in,
    redeemed,
    set_expiry,
    state_of,
    token_in,
)
from tests.support.server_process import ServerProcess


def test_the_printed_line_joins_and_joins_no_second_time(
    server: ServerProcess, known_by: list[str], tmp_path: Path
) -> None:
    """It connects; stopped, the node is IDLE; the same line again resumes as the same node."""
    token, state = invite(server), tmp_path / "state"
    before = redeemed(server)
    tokens, said = set(), []
    for _ in range(2):
        with agent(state, token, *known_by, "--name", "Kiosk-7") as node:
            assert node.wait_for("agent.connected")["server"] == f"127.0.0.1:{server.link_port}"
            assert state_of(server, state) == 3
            assert node.stop() == 0
        assert state_of(server, state) == -1
        tokens.add(token_in(state))
        for secret in (token.partition("@")[0], *tokens):
            assert secret not in node.said
        said += re.findall("^joined .*$", node.said, re.MULTILINE)
    assert len(tokens) == 1
    assert said == [f"joined 127.0.0.1:{server.link_port} as kiosk-7 {node_id_in(state)}"]
    assert redeemed(server) == before + 1


def test_programs_are_told_which_node_they_are(
    server: ServerProcess, known_by: list[str], tmp_path: Path
) -> None:
    """In JSON; a name that is taken gets a number, and one that cannot be a name is refused."""
    for name in ("robot", "robot-2"):
        with agent(
            tmp_path / name, invite(server), *known_by, "--output", "json", "--name", "robot"
        ) as node:
            node.wait_for("agent.connected")
            found = [line for line in node.lines() if "node_id" in line and "event" not in line]
        (told,) = found
        assert (told["name"], told["node_id"]) == (name, node_id_in(tmp_path / name))
    with agent(tmp_path / "no", invite(server), *known_by, "--name", "no name") as node:
        assert node.wait() == 1
    assert "a node's name is at most 63 characters" in node.said


def test_a_node_that_was_unregistered_joins_with_a_new_token(
    server: ServerProcess, known_by: list[str], tmp_path: Path
) -> None:
    """It stops and says so; another token makes it another node, once at a time."""
    state = tmp_path / "state"
    with agent(state, invite(server), *known_by) as node:
        node.wait_for("agent.connected")
        first = token_in(state)
        admin(server, "UnRegister", pb.UnRegisterRequest(token=first))
        assert node.wait() == 5
    assert node.said.endswith(
        "the node was unregistered (code 1008); join again with a new bootstrap token\n"
    )
    with agent(state, invite(server), *known_by) as node:
        line = node.wait_for("agent.replaced")
        node.wait_for("agent.connected")
        assert token_in(state) != first
        before = json.loads((state / "node-before.json").read_bytes())
        assert before["token"] == first
        assert str(state / "node-before.json") in line["message"]
        assert re.search(r"this machine was [0-9a-f]{32}, which stays registered", line["message"])
        assert first not in node.said
        with agent(state) as second:
            assert second.wait() == 1
        assert "another agent runs with" in second.said
        assert len(node.logged("agent.disconnected")) == 0


def test_an_expired_node_is_revived(
    server: ServerProcess, known_by: list[str], tmp_path: Path
) -> None:
    """It keeps its state and goes on trying, since an operator can give it more time."""
    state = tmp_path / "state"
    with agent(state, invite(server), *known_by) as node:
        node.wait_for("agent.connected")
        set_expiry(server, state, 1)
        assert node.wait_for("agent.disconnected")["reason"] == "RetryLater"
        assert node.stop() == 0
    set_expiry(server, state, 0)
    with agent(state) as node:
        node.wait_for("agent.connected")
