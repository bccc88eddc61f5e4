"""The loop of a simulated cluster: time is virtual, nothing runs in a thread, processes end.

A *life* is a process: every task, timer and connection that is made in its name belongs to it, and
ends with it at one stroke. Which life is running is a context variable, which asyncio hands on to
whatever a task begins.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar

from nc.testing.virtual_time import VirtualLoop

T = TypeVar("T")


class Life:
    """A process, from its first task to its end.

    Attributes:
        is_over: it has ended; nothing that it still does has an effect.
        over: set then.
        uplink: of the machine that it runs on, if it has one; "".
    """

    def __init__(self) -> None:
        self.is_over = False
        self.over = asyncio.Event()
        self.uplink = ""
        self._context = copy_context()
        self._context.run(_running.set, self)
        self._tasks: dict[asyncio.Task[Any], None] = {}  # in the order in which they began

    def run(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        return asyncio.get_running_loop().create_task(work, context=self._context.copy())

    def soon(self, function: Callable[..., object], *args: object) -> None:
        """Call a function in this life's name, as what a kernel would tell a process."""
        loop = asyncio.get_running_loop()
        loop.call_soon(self._unless_over, function, *args, context=self._context)

    def do(self, function: Callable[..., object], *args: object) -> None:
        """As `soon`, but at once."""
        if not self.is_over:
            self._context.copy().run(function, *args)

    def own(self, task: "asyncio.Task[Any]") -> None:
        self._tasks[task] = None
        task.add_done_callback(self._forget)

    def end(self) -> None:
        """Cancel every task of this life at once. Idempotent."""
        self.is_over = True
        self.over.set()
        for task in list(self._tasks):
            task.cancel()

    def _unless_over(self, function: Callable[..., object], *args: object) -> None:
        if not self.is_over:
            function(*args)

    def _forget(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.pop(task, None)
        if not task.cancelled():
            task.exception()  # its waiters have it; a process that ended needs it no more


_running: ContextVar[Life | None] = ContextVar("life", default=None)


def life_here() -> Life:
    """The life that runs just now; RuntimeError if none does, as in a simulation's own tasks."""
    life = _running.get()
    if life is None:
        raise RuntimeError("only what belongs to a life may do this")
    return life


class SimulatedLoop(VirtualLoop):
    """A loop without threads and sockets; tasks belong to the life that begins them."""

    def __init__(self) -> None:
        super().__init__()
        self.set_task_factory(_make_task)

    def add_reader(self, _fd: Any, callback: Any, *args: Any) -> None:  # type: ignore[override]  # as below
        """A simulated connection is readable at once."""
        self.call_soon(callback, *args)

    def remove_reader(self, _fd: Any) -> bool:
        return False

    def run_in_executor(self, _executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]  # so generic that it says nothing
        """Run it in place: what blocks for a real disk takes no virtual time by itself."""
        done: asyncio.Future[Any] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is the caller's, as from a thread
            done.set_exception(error)
        return done


def _make_task(
    loop: asyncio.AbstractEventLoop, work: Any, *, context: Context | None = None, **options: Any
) -> "asyncio.Task[Any]":
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, context=context, **options)
    life = _running.get() if context is None else context.get(_running)
    if life is not None:
        life.own(task)
        if life.is_over:
            task.cancel()
    return task


async def first_of(*work: "asyncio.Task[Any] | Coroutine[Any, Any, Any]") -> None:
    """Wait for the first; the others are cancelled, but for tasks."""
    tasks = [w if isinstance(w, asyncio.Task) else asyncio.create_task(w) for w in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task, given in zip(tasks, work, strict=True):
            if task is not given:
                task.cancel()
