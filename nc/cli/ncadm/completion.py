"""What a shell completes beside commands and options: contexts, and what a server knows.

A shell waits for it, and shows nothing of it but the words. So a server is asked for a moment only,
and whatever fails completes nothing.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from nc.client.blocking import Client

TIMEOUT_S: Final = 1.0
_MOST: Final = 1000  # more words are no help


def complete_contexts(incomplete: str) -> list[str]:
    with contextlib.suppress(Exception):
        from nc.client.contexts import Contexts

        return [name for name in Contexts.load().entries if name.startswith(incomplete)]
    return []


def complete_kinds(incomplete: str) -> list[str]:
    from nc.history.fields import KIND_NAMES

    return [name for name in KIND_NAMES.values() if name.startswith(incomplete)]


def complete_nodes(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names; ids and addresses where they are typed."""

    def words(client: "Client") -> Iterator[str]:
        for node in client.nodes.list(text=incomplete, page_size=_MOST):
            yield from (node.name, node.id, node.address) if incomplete else (node.name or node.id,)

    return _asked(ctx, words)


def complete_tokens(ctx: typer.Context) -> list[str]:
    return _asked(ctx, lambda client: (token.id for token in client.tokens.list()))


def complete_admins(ctx: typer.Context) -> list[str]:
    return _asked(ctx, lambda client: (each.name for each in client.administrators.list()))


def complete_replicas(ctx: typer.Context) -> list[str]:
    """The ids of servers, and of invitations that can be redeemed."""

    def words(client: "Client") -> Iterator[str]:
        yield from (each.id for each in client.replicas.list())
        yield from (each.id for each in client.replicas.invitations())

    return _asked(ctx, words)


def _asked(ctx: Any, words: "Callable[[Client], Iterator[str]]") -> list[str]:
    """The words that a server tells in time; what begins otherwise is left out by the shell."""
    found: list[str] = []
    with contextlib.suppress(Exception):
        from nc.cli.ncadm.where import options_of
        from nc.client.blocking import Client

        logging.disable()
        with Client(options_of(ctx).resolved(), timeout_s=TIMEOUT_S, retries=0) as client:
            named = islice(words(client), _MOST)
            found.extend(word for word in named if word)
    return found
