"""A history as one HTML file that needs nothing else: no server, no network, no other file.

The page is written by hand (`nc/history/export/page/`), and filled in here: its style,
its script, and what it shows, as JSON. It knows none of the controller's rules; a node at a moment
is what its timeline says (`nc.history.timelines`).

A certificate may hold any name, so nothing in the history may steer the page: the
JSON holds no `<`, the script shows texts as text, and the page's own policy lets the browser run
this script, use this style, and load nothing else.
"""

import json
from collections.abc import Iterable
from typing import Any, TextIO

from nc.domain.codec.records import Recorded
from nc.domain.state import State
from nc.history.export.chunks import ChunkWriter
from nc.history.export.page_files import inline_source, one_script, one_style, page_html
from nc.history.running import Running
from nc.history.timelines import changes, status_of


def write_page(history: Iterable[Recorded], base: State, out: TextIO, until_ms: int = 0) -> None:
    """Write the page.

    Args:
        history: the events, in order; read once.
        base: the state before the first of them.
        out: takes text in UTF-8.
        until_ms: when the history ends, Unix ms, if a server runs at its end: nothing else has
            happened until then. 0: with its last event.

    Raises:
        UnknownEvent: a newer version wrote one of the events.
    """
    style, script = one_style(), one_script()
    policy = (
        f"default-src 'none'; script-src {inline_source(script)}; "
        f"style-src {inline_source(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    data = _json_inside(_all_of(history, base, until_ms))
    out.write(
        page_html(
            title="Network controller log",
            head=f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            f"<style>{style}</style>",
            views="",
            scripts=f'<script type="application/json" id="data">{data}</script>\n'
            f"<script>{script}</script>",
        )
    )


def _all_of(history: Iterable[Recorded], base: State, until_ms: int) -> dict[str, Any]:
    network = str(base.addresses.network) if base.seq else ""
    tokens = [(token_id, token.terms.label) for token_id, token in sorted(base.tokens.items())]
    writer = ChunkWriter(base.seq, network, tokens)
    running = Running(base.sessions.items())
    for node_id in sorted(base.nodes):
        writer.change(node_id, status_of(base, node_id))
    for recorded, change in changes(base, history):
        writer.note(recorded)
        running.follow(recorded.event)
        if change is not None:
            writer.change(*change)
    if running:
        writer.last_until(until_ms)
    return writer.chunk()


def _json_inside(data: Any) -> str:
    """JSON that can stand in a script element: only `<` could end it, or hide its end."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
