"""Numbers on a benchmark's command line, with the range that makes sense."""

import argparse
import math
from collections.abc import Callable

__all__ = ["number", "whole_number"]


def whole_number(least: int, most: int = 1_000_000) -> Callable[[str], int]:
    """A type for argparse, which says the range when it refuses."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {least} to {most}"
            )
        return value

    return read


def number(least: float, most: float = 1_000_000) -> Callable[[str], float]:
    """As `whole_number`, with fractions."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least:g} to {most:g}")
        return value

    return read
