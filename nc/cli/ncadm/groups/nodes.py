"""`ncadm nodes …`: the table of its commands."""

from typing import ClassVar

import typer

from nc.cli.lazy import LazyGroup
from nc.cli.options import AnyOutput, AnyOutputOption


class NodesCommands(LazyGroup):
    table: ClassVar = {
        "list": (
            "List nodes: all, or those that fit.",
            "nc.cli.ncadm.groups.nodes_shown:list_nodes",
        ),
        "show": ("Print all that is known of a node.", "nc.cli.ncadm.groups.nodes_shown:show"),
        "rename": ("Give a node another name.", "nc.cli.ncadm.groups.nodes_changed:rename"),
        "label": (
            "Set labels of a node, and remove some.",
            "nc.cli.ncadm.groups.nodes_changed:label",
        ),
        "note": ("Write a note about a node.", "nc.cli.ncadm.groups.nodes_changed:note"),
        "assign": (
            "Give a node an overlay address of your choice.",
            "nc.cli.ncadm.groups.nodes_changed:assign",
        ),
        "unregister": (
            "Remove nodes for good: those named, or all of one bootstrap token.",
            "nc.cli.ncadm.groups.nodes_changed:unregister",
        ),
        "set-expiry": ("Set when a node expires.", "nc.cli.ncadm.groups.nodes_changed:set_expiry"),
    }


app = typer.Typer(cls=NodesCommands, add_completion=False, rich_markup_mode=None)


@app.callback()
def nodes(output: AnyOutputOption = AnyOutput.TEXT) -> None:
    """List, show, rename, label and unregister nodes.

    A node is named by its id or the beginning of it, its name, its overlay address, or its token.

    Example: ncadm nodes list
    """
    del output
