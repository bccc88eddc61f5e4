"""Runs a command's coroutine on uvloop."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


def run_async(coroutine: Coroutine[Any, Any, T]) -> T:
    # What grpc logs of a failed call is part of the error that the command reports.
    logging.getLogger("grpc").setLevel(logging.CRITICAL)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)
