"""What each signal does to a program that runs until it is stopped.

    TERM INT QUIT PWR XCPU      stop in good order
    HUP                         reopen the log file, reload certificates that were replaced on disk
    USR1 USR2 and all others
    that end a process          ignored
    TSTP TTIN TTOU STOP CONT    the kernel stops and continues the process
    KILL, and those of a fault
    (SEGV BUS FPE ILL ABRT
    TRAP SYS)                   the kernel ends it

The commands that end by themselves ignore USR1 and USR2 only. Those that leave something behind
unless they end in order take TERM and HUP as Ctrl-C (`ended_in_order`).
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

STOPPING: Final = frozenset(
    {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGPWR, signal.SIGXCPU}
)

# What the kernel does by default is right, or cannot be changed.
_DEFAULT: Final = frozenset(
    {
        *(signal.SIGKILL, signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU),
        *(signal.SIGCONT, signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH),
        *(signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT),
        *(signal.SIGTRAP, signal.SIGSYS),
    }
)


def ignore_others() -> None:
    """Ignore what would end the process without being a request to end, HUP included."""
    for number in signal.valid_signals() - STOPPING - _DEFAULT:
        signal.signal(number, signal.SIG_IGN)


def handle(stop: Callable[[], object], reload: Callable[[], object]) -> None:
    """Call back on the running event loop: `stop` at a request to stop, `reload` at SIGHUP."""
    loop = asyncio.get_running_loop()
    for number in STOPPING:
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)


async def ended_by_signal(work: Coroutine[Any, Any, None]) -> bool:
    """Run it to its end, or to a signal to stop or HUP: whether that came first.

    It is cancelled once: cancelled again while it cleans up, it might wait for ever.
    """
    task = asyncio.ensure_future(work)
    is_told = asyncio.Event()

    def stop() -> None:
        if not is_told.is_set():
            is_told.set()
            task.cancel()

    handle(stop, stop)
    with suppress(asyncio.CancelledError):
        await task
    return is_told.is_set()


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Take TERM and HUP as Ctrl-C: what is temporary is removed, and a terminal is as it was."""

    def interrupt(*_: object) -> None:
        for number in before:  # a shell and the kernel may each send one
            signal.signal(number, signal.SIG_IGN)
        signal.raise_signal(signal.SIGINT)  # event loops have a handler for it

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    # A script's background jobs ignore SIGINT.
    takes_interrupts = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    try:
        for number, handler in before.items():
            if takes_interrupts and handler is signal.SIG_DFL:  # nohup ignores HUP
                signal.signal(number, interrupt)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
