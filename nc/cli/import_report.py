"""What `import-litekube` prints: what was imported, or would be, and what was left out."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from nc.server.litekube.importing import Outcome
from nc.server.litekube.plan import LeftOut
from nc.text import expiry_text

_ID_DIGITS: Final = 8  # of an id, in tables


def import_json(outcome: Outcome, *, is_dry_run: bool) -> dict[str, Any]:
    names = {
        event.node_registered.node_id: event.node_registered.name
        for event in outcome.events
        if event.HasField("node_registered")
    }
    has_ids = outcome.ids_are_final
    return {
        "dry_run": is_dry_run,
        "refused": None if outcome.refusal is None else str(outcome.refusal),
        "network": str(outcome.network),
        "nodes": [
            {
                "row": row,
                "node_id": node.node_id if has_ids else None,
                "name": names.get(node.node_id) if has_ids else None,
                "address": node.address,
            }
            for row, node in outcome.plan.nodes
        ],
        "tokens": [
            {
                "row": row,
                "token_id": token.token_id if has_ids else None,
                "expires_at_ms": token.expires_at_ms,
            }
            for row, token in outcome.plan.tokens
        ],
        "left_out": [_left_out_json(each) for each in outcome.plan.left_out],
        "notes": [_left_out_json(each) for each in outcome.plan.notes],
        "warnings": list(outcome.warnings),
    }


def _left_out_json(each: LeftOut) -> dict[str, Any]:
    row = {"table": each.table, "row": each.row, "reason": each.reason}
    return {**row, "is_problem": each.is_problem}


def import_lines(outcome: Outcome, data_dir: Path, command: str) -> Iterator[str]:
    plan = outcome.plan
    addresses = sum(bool(node.address) for _, node in plan.nodes)
    yield (
        f"imported {len(plan.nodes)} nodes, {addresses} of them with an address, and "
        f"{len(plan.tokens)} bootstrap tokens into {data_dir}"
    )
    yield from _left_out_lines(outcome)
    yield "start the server with:"
    yield f"  {command}"


def dry_run_lines(outcome: Outcome) -> Iterator[str]:
    plan = outcome.plan
    yield f"network {outcome.network}: {len(plan.nodes)} nodes, {len(plan.tokens)} bootstrap tokens"

    def shown(an_id: str) -> str:
        return an_id[:_ID_DIGITS] if outcome.ids_are_final else "new"

    nodes = [(row, shown(node.node_id), node.address or "none") for row, node in plan.nodes]
    yield from _table(("row", "node", "address"), nodes)
    tokens = [
        (row, shown(token.token_id), expiry_text(token.expires_at_ms)) for row, token in plan.tokens
    ]
    yield from _table(("row", "token", "expires"), tokens)
    yield from _left_out_lines(outcome)
    yield "nothing was changed"


def _left_out_lines(outcome: Outcome) -> Iterator[str]:
    plan = outcome.plan
    if plan.left_out:
        yield "left out:"
        yield from (f"  {each}" for each in plan.left_out)
    yield from map(str, plan.notes)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        return
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        yield "  " + "  ".join(map(str.ljust, row, widths)).rstrip()
