"""`network-controller` with a bug about links planted: `python broken_server.py BUG serve …`.

Each bug is a function that replaces something of the server's; its name says what is wrong.
"""

import base64
import json
import sys
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from types import SimpleNamespace
from typing import Any

from nc.cli.main import main
from nc.domain import decide, links, nodes
from nc.domain.events import Event, pb
from nc.domain.nodes import ExpireNodes
from nc.hub import admission
from nc.hub.hub import Hub
from nc.hub.recorder import LinkRecorder
from nc.net import wire
from nc.server.own_changes import OwnChanges
from tests.testing.deaf_hub import deaf_to

BUGS: dict[str, Callable[[], None]] = {}


def _bug(plant: Callable[[], None]) -> Callable[[], None]:
    BUGS[plant.__name__.replace("_", " ")] = plant
    return plant


def _replace(owner: Any, name: str, value: Any) -> None:
    """Plant it, for as long as this process lives."""
    setattr(owner, name, value)


@_bug
def a_late_drop_hurts_the_newer_link() -> None:
    """The end of a link that was taken over is recorded once more, and of whichever there is."""

    def careless(now: Any, command: links.DropLink) -> list[Event]:
        return links.drop(now, command.node_id, command.reason)

    def once_more(self: Any, events: Iterable[Event]) -> None:
        for event in events:
            link = self.sessions.get(event.state_changed.link_id)
            if link is not None and event.state_changed.to_state == pb.CONNECTION_STATE_IDLE:
                self._drop(link, wire.SUPERSEDED, pb.STATE_CHANGE_REASON_LINK_CLOSED)

    _replace(links, "decide_drop", careless)
    _replace(Hub, "follow", once_more)


@_bug
def a_closed_link_is_never_dropped() -> None:
    """The log does not learn of it."""

    async def silent(_self: Any, _link: Any, _reason: Any) -> None:
        pass

    _replace(LinkRecorder, "end", silent)


@_bug
def another_address_is_handed_over() -> None:
    """The node is given the even address beside its own."""

    def beside(address: str, prefix_length: int) -> bytes:
        interface = f"{IPv4Address(address) + 1}/{prefix_length}"
        payload = base64.b64encode(interface.encode()).decode()
        return json.dumps({"connectionState": 2, "payload": payload}).encode()

    _replace(wire, "answer", beside)


@_bug
def a_takeover_does_not_end_the_older_link() -> None:
    """It is superseded in the log, and lives on."""
    _replace(Hub, "follow", deaf_to(pb.STATE_CHANGE_REASON_LINK_SUPERSEDED))


@_bug
def an_unregistered_node_keeps_its_link() -> None:
    """The node is gone, and its link lives on."""
    _replace(Hub, "follow", deaf_to(pb.STATE_CHANGE_REASON_UNREGISTERED))


@_bug
def an_expired_node_keeps_its_link() -> None:
    """The sweep looks at tokens only."""
    submit = OwnChanges.submit

    async def lazy(self: Any, command: Any, method: str) -> None:
        if not isinstance(command, ExpireNodes):
            await submit(self, command, method)

    _replace(OwnChanges, "submit", lazy)


@_bug
def the_handshake_is_not_recorded() -> None:
    """The node is given its address, and stays INIT."""

    async def forgetful(self: Any, link: Any) -> None:
        state = self._replica.state
        if not state.addresses.address_of(link.node_id):
            await hand_over(self, link)

    hand_over = LinkRecorder.hand_over
    _replace(LinkRecorder, "hand_over", forgetful)


@_bug
def an_expired_node_is_let_in_until_the_sweep() -> None:
    """Neither the admission nor the decision checks the node's expiry."""

    def lenient(known: Any, gone: Any, node_id: str, _: int) -> None:
        nodes.require_node(known, gone, node_id)

    _replace(admission, "require_live", lenient)
    _replace(decide, "nodes", SimpleNamespace(**vars(nodes) | {"require_live": lenient}))


if __name__ == "__main__":
    BUGS[sys.argv.pop(1)]()
    main()
