"""`log why`: what is told of a node, an address and a bootstrap token."""

import pytest

from tests.support.written_log import ALPHA, ALPHA_TOKEN, BETA, BOOTSTRAP_TOKEN, TOKEN, Log


@pytest.mark.parametrize("name", [ALPHA, ALPHA[:9], ALPHA_TOKEN])
def test_why_tells_an_unregistered_nodes_whole_story(log: Log, name: str) -> None:
    """From the issue of its bootstrap token to its end, the crash between, and who did it."""
    text = log("why", name)
    told = [
        f"bootstrap token {TOKEN} was issued, good for ever; by certificate:admin:75b7",
        "the node was registered with",
        "the node became INIT",
        "the node was given 10.1.1.3",
        "the node became CONNECTED",
        "its link was lost when the server started again after a crash",
        "the node became INIT",
        "the node became CONNECTED",
        "the node became IDLE: it was unregistered; by certificate:admin:75b7",
        "the node gave up 10.1.1.3",
        "the node was unregistered, for good; by certificate:admin:75b7 (UnRegister, request",
        "the node is not registered",
    ]
    place = 0
    for words in told:
        place = text.index(words, place) + 1
    assert ALPHA_TOKEN not in text


def test_why_tells_of_addresses_and_bootstrap_tokens(log: Log) -> None:
    """An address names its holders, a bootstrap token the nodes that came with it."""
    text = log("why", "10.1.1.3")
    assert f"({ALPHA}) was given 10.1.1.3" in text
    assert "10.1.1.3 is free" in text
    text = log("why", BOOTSTRAP_TOKEN)
    for node_id in (ALPHA, BETA):
        assert f"({node_id}) was registered with the bootstrap token" in text
    assert "1 node that came with it is registered" in text


@pytest.mark.parametrize("name", ["reserverd", "10.1.1.1"])
def test_why_knows_the_servers_own_node(log: Log, name: str) -> None:
    """By its token, which is no secret, or by its address: it is there without any event."""
    now = "reserverd is the server's own node: always CONNECTED, with 10.1.1.1"
    assert log("why", name).endswith(f"    now  {now}\n")
    (found,) = log("why", name, "--output", "json")
    assert (found["id"], found["events"], found["now"]) == (name, [], now)
