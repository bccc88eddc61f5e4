"""The search behind `network-controller check`: the target, the progress, the exit code."""

import shlex
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from nc.cli.check.report import as_json, as_junit, print_report
from nc.cli.check.targets import IN_PROCESS, PROCESS, SIM
from nc.cli.entrypoint import OperationFailed
from nc.cli.ncadm.certificates import admin_tls
from nc.cli.options import Output
from nc.cli.signals import ended_in_order
from nc.client.contexts import Context
from nc.clock import SystemClock
from nc.testing import InProcess, LawBroken, Remote, ServerProcess, Target
from nc.testing.search import Report, Trials, search
from nc.testing.simulation import Chronicle, Simulation, keep_log, seq_of

_EXAMPLES_IN_PROCESS = 200
_EXAMPLES_BY_NETWORK = 20
_EXAMPLES_SIMULATED = 100

# By network a trial takes seconds, so it is shorter, and little is spent on making one smaller.
_RULES_BY_NETWORK = 15
_SHRINKS_BY_NETWORK = 20


def run(
    target: str,
    context: Context,
    bootstrap_port: int | None,
    examples: int | None,
    minutes: float,
    seed: int,
    junit: Path | None,
    output: Output,
) -> None:
    """Search, and say what was found.

    Raises:
        CallFailed: a port does not answer.
        OperationFailed: a law is broken, or the report cannot be written.
    """
    is_here = target == IN_PROCESS
    count = examples or (_EXAMPLES_IN_PROCESS if is_here else _EXAMPLES_BY_NETWORK)
    with (
        ended_in_order(),
        closing(_make(target, context, bootstrap_port)) as made,
        _progress(count, minutes) as show,
    ):
        if isinstance(made, Remote) and not isinstance(made, ServerProcess):
            made.require_answers()
        report = search(
            made if is_here else Trials(made, rules=_RULES_BY_NETWORK),
            examples=count,
            minutes=minutes,
            seed=seed,
            shrinks=None if is_here else _SHRINKS_BY_NETWORK,
            find_all=True,
            progress=show,
        )
    _tell(report, target, output, junit)


def run_simulation(
    examples: int | None,
    minutes: float,
    seed: int,
    junit: Path | None,
    keep: Path | None,
    output: Output,
) -> None:
    """Search among simulated clusters, say what was found, and leave the logs that show it.

    Raises:
        OperationFailed: a law is broken, or the report or a log cannot be written.
    """
    count = examples or _EXAMPLES_SIMULATED
    if keep is not None:
        with _writable("another folder with --keep"):
            keep.mkdir(parents=True, exist_ok=True)
    with ended_in_order(), _progress(count, minutes) as show:
        report = search(
            Simulation(),
            examples=count,
            minutes=minutes,
            seed=seed,
            find_all=True,
            progress=show,
        )
    for broken in report.broken:
        _keep(broken, keep)
    _tell(report, SIM, output, junit)


def _keep(broken: LawBroken, keep: Path | None) -> None:
    """Leave the log of a history that breaks a law, and say how to look at it."""
    chronicle = broken.history
    if not isinstance(chronicle, Chronicle):
        return
    name = broken.breach.law.name.replace(" ", "-").replace("'", "")
    with _writable("another folder with --keep"):
        folder = Path(tempfile.mkdtemp(prefix="nc-check-")) if keep is None else keep
        keep_log(chronicle, folder / name)
    seq = seq_of(chronicle, broken.breach)
    path = shlex.quote(str(folder / name))
    typer.echo(
        f"{broken.breach.law.name} (seed {chronicle.plan.seed}): "
        f"network-controller log replay --log {path} --from {seq}",
        err=True,
    )


@contextmanager
def _writable(instead: str) -> Iterator[None]:
    """Turn an OSError into OperationFailed, with the remedy: name `instead`.

    Raises:
        OperationFailed: a file cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise OperationFailed(
            f"{error.filename} cannot be written: {error.strerror}; name {instead}"
        ) from error


def _make(target: str, context: Context, bootstrap_port: int | None) -> Target:
    if target == IN_PROCESS:
        return InProcess()
    if target == PROCESS:
        return ServerProcess()
    return Remote(context.host, context.port, admin_tls(context), bootstrap_port)


@contextmanager
def _progress(examples: int, minutes: float) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal, by trials or by time."""
    clock = SystemClock()
    begun_ns = clock.monotonic_ns()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    quiet = not console.is_terminal
    bar = Progress(*columns, console=console, transient=True, disable=quiet)
    with bar:
        task = bar.add_task("0 trials", total=minutes * 60 if minutes else examples)

        def show(trials: int) -> None:
            done = (clock.monotonic_ns() - begun_ns) / 1e9 if minutes else trials
            bar.update(task, completed=done, description=f"{trials} trials")

        yield show


def _tell(report: Report, target: str, output: Output, junit: Path | None) -> None:
    if junit is not None:
        with _writable("another file with --junit"):
            junit.write_text(as_junit(report, target), encoding="utf-8")
    if output is Output.JSON:
        typer.echo(as_json(report, target))
    else:
        print_report(Console(highlight=False, soft_wrap=True), report)
    if not report.is_good:
        count = len(report.broken)
        laws = "a law is broken" if count == 1 else f"{count} laws are broken"
        seed = report.seed + report.first_breach - 1  # that trial comes first then
        raise OperationFailed(f"{laws}; search again with --seed {seed}")
