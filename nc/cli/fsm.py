"""`network-controller fsm`: the state machine as a diagram, drawn from the table itself."""

from collections.abc import Iterator

import typer

from nc.domain.fsm import TRANSITIONS, ConnectionState


def fsm() -> None:
    """Print the state machine of a connection as a Mermaid diagram.

    Example: network-controller fsm > fsm.mmd
    """
    typer.echo("\n".join(diagram()))


def diagram() -> Iterator[str]:
    yield "stateDiagram-v2"
    yield f"    [*] --> {ConnectionState.IDLE.name}"
    for move in TRANSITIONS:
        yield f"    {move.source.name} --> {move.destination.name}: {move.trigger.value}"
