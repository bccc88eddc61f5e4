"""Labels as they are given on a command line: `site=berlin`, or `spare`, whose value is empty."""

from collections.abc import Iterable

import typer


def label_pairs(texts: Iterable[str]) -> dict[str, str]:
    """The labels by their keys; whether they are labels at all, the server says.

    Raises:
        typer.BadParameter: a key has two values.
    """
    pairs: dict[str, str] = {}
    for text in texts:
        key, _, value = text.partition("=")
        if pairs.setdefault(key, value) != value:
            raise typer.BadParameter(f"{key!r} is given two values: drop one of them")
    return pairs
