"""The search behind `network-controller check`: the target, the progress, the exit code."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from nc.cli.check import IN_PROCESS, PROCESS
from nc.cli.check_report import as_json, as_junit, print_report
from nc.cli.connection import Connection
from nc.cli.printing import Output
from nc.cli.running import OperationFailed
from nc.clock import SystemClock
from nc.testing import InProcess, Remote, Report, ServerProcess, Tally, Target, search

_EXAMPLES_IN_PROCESS = 200
_EXAMPLES_BY_NETWORK = 20

# By network a trial takes seconds, so it is shorter, and little is spent on making one smaller.
_STEPS_BY_NETWORK = 15
_SHRINKS_BY_NETWORK = 20
_STEPS_IN_PROCESS = 40
_SHRINKS_IN_PROCESS = 500


def run(
    target: str,
    connection: Connection,
    examples: int | None,
    minutes: float,
    seed: int,
    junit: Path | None,
) -> None:
    """Search, and say what was found.

    Raises:
        OperationFailed: a law is broken, or the report cannot be written.
    """
    is_here = target == IN_PROCESS
    count = examples or (_EXAMPLES_IN_PROCESS if is_here else _EXAMPLES_BY_NETWORK)
    with closing(_make(target, connection)) as made, _progress(count, minutes) as show:
        report = search(
            made,
            examples=count,
            minutes=minutes,
            seed=seed,
            steps=_STEPS_IN_PROCESS if is_here else _STEPS_BY_NETWORK,
            shrinks=_SHRINKS_IN_PROCESS if is_here else _SHRINKS_BY_NETWORK,
            find_all=True,
            progress=show,
        )
    _tell(report, target, connection.output, junit)


def _make(target: str, connection: Connection) -> Target:
    if target == IN_PROCESS:
        return InProcess()
    if target == PROCESS:
        return ServerProcess()
    return Remote(
        connection.ip or "", connection.port, connection.admin_tls(), connection.bootstrap_port
    )


@contextmanager
def _progress(examples: int, minutes: float) -> Iterator[Callable[[Tally], None]]:
    """A bar on a terminal, by trials or by the time."""
    clock = SystemClock()
    begun_ns = clock.monotonic_ns()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    quiet = not console.is_terminal
    bar = Progress(*columns, console=console, transient=True, disable=quiet)
    with bar:
        task = bar.add_task("0 trials", total=minutes * 60 if minutes else examples)

        def show(tally: Tally) -> None:
            done = (clock.monotonic_ns() - begun_ns) / 1e9 if minutes else tally.trials
            bar.update(task, completed=done, description=f"{tally.trials} trials")

        yield show


def _tell(report: Report, target: str, output: Output, junit: Path | None) -> None:
    if junit is not None:
        try:
            junit.write_text(as_junit(report, target), encoding="utf-8")
        except OSError as error:
            raise OperationFailed(
                f"{junit} cannot be written: {error.strerror}; name another file with --junit"
            ) from error
    if output is Output.JSON:
        typer.echo(as_json(report, target))
    else:
        print_report(Console(highlight=False, soft_wrap=True), report)
    if not report.is_good:
        count = len(report.broken)
        laws = "a law is broken" if count == 1 else f"{count} laws are broken"
        raise OperationFailed(f"{laws}; search again with --seed {report.seed}")
