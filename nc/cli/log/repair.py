"""`network-controller log repair`: plans the repair of a damaged log, and carries it out."""

import contextlib
import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

import eventlog
from eventlog import LogError
from eventlog.disk import OS_DISK
from eventlog.repair import Diagnosis, RepairPlan, plan_repair, salvage
from eventlog.repair import repair as carry_out
from nc.cli.entrypoint import OperationFailed
from nc.cli.event_loop import run_async
from nc.cli.log.repair_text import described, fields, place, verdict
from nc.cli.log.source import DataDirOption, LogOption, bar, log_path
from nc.cli.options import Output, OutputOption
from nc.cli.stream_address import stream_address, stream_in
from nc.cli.streams import is_agreed
from nc.clock import SystemClock
from nc.domain.codec.snapshot import SNAPSHOT_SCHEMA
from nc.domain.evolve import UnknownEvent
from nc.domain.replicas import RecordRepair
from nc.errors import DAMAGED
from nc.history.salvage import LostEvents, lost_events
from nc.permissions import folder_warnings
from nc.replica.batch import Origin
from nc.replica.errors import Unwritable, WriteRefused
from nc.replica.local_log import LocalLog
from nc.replica.replica import Replica
from nc.secrets import RequestIds, SystemSecrets
from nc.text import printable

_METHOD: Final = "log repair"

_NOTHING_TO_DO: Final = (Diagnosis.SOUND, Diagnosis.TORN, Diagnosis.SERVES)


def repair(
    data_dir: DataDirOption = None,
    log: LogOption = None,
    apply: Annotated[
        bool,
        typer.Option(
            "--apply/--dry-run", help="Carry the repair out. Without this nothing is changed."
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before --apply on a terminal.")
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Say what can be saved of a damaged log, and what is lost; with --apply, do it.

    The originals of everything that is changed are kept beside it. Exit code 3: there is damage.

    Example: network-controller log repair --data-dir ./data
    """
    folder = _folder(data_dir, log)
    with bar("looking at the log"):
        plan = plan_repair(folder, OS_DISK, SNAPSHOT_SCHEMA)
        lost = _lost(plan)
    if output is Output.TEXT:
        for line in described(plan, lost):
            typer.echo(printable(line))
    if apply and plan.diagnosis is Diagnosis.REPAIRABLE:
        apply = yes or not sys.stdin.isatty() or is_agreed("do this?")  # elsewhere --apply suffices
    if not apply:
        if output is Output.JSON:
            typer.echo(json.dumps(fields(plan, lost)))
        elif plan.diagnosis is Diagnosis.REPAIRABLE:
            command = f"log repair --apply --log {shlex.quote(str(plan.folder))}"
            typer.echo(f"nothing was changed; to do this: network-controller {command}")
        raise typer.Exit(0 if plan.damage is None else DAMAGED)
    done = {} if plan.diagnosis in _NOTHING_TO_DO else _apply(plan)
    if output is Output.JSON:
        typer.echo(json.dumps(fields(plan, lost) | done))
    elif done:
        kept = plan.folder / str(done["kept_in"])
        typer.echo(f"repaired: event {done['seq']} says so; the originals are in {kept}")


def _folder(data_dir: Path | None, log: str | None) -> Path:
    if (address := stream_in(log)) is not None:
        stream = stream_address("--log", address)
        raise OperationFailed(
            f"{stream} is a stream: put it back from the copy in a server's data folder"
        )
    folder = log_path(data_dir, log)
    if folder.is_file():
        raise OperationFailed(f"{folder} is a file; a log's own folder can be repaired, no export")
    return folder


def _apply(plan: RepairPlan) -> dict[str, object]:
    """Carry the plan out, and record it in the log."""
    if plan.diagnosis is not Diagnosis.REPAIRABLE:
        raise OperationFailed(verdict(plan))
    for warning in folder_warnings(plan.folder):
        typer.echo(warning, err=True)
    clock, secrets = SystemClock(), SystemSecrets()
    kept_in = carry_out(plan, OS_DISK, now_ns=clock.now_ns, random_bytes=secrets.random_bytes).name
    try:
        seq = run_async(_record(plan, kept_in))
    except (LogError, UnknownEvent, Unwritable, WriteRefused) as error:
        raise OperationFailed(
            f"the log was repaired, the originals are in {plan.folder / kept_in}, and only the log "
            f"itself does not say so: {error}"
        ) from error
    return {"kept_in": kept_in, "seq": seq}


async def _record(plan: RepairPlan, kept_in: str) -> int:
    lost_through_seq = plan.lost.through if plan.lost.count else 0
    command = RecordRepair(lost_through_seq, place(plan), kept_in)
    origin = Origin("system", _METHOD, RequestIds(SystemSecrets()).new())
    with contextlib.closing(eventlog.open(plan.folder)) as log:
        clock = SystemClock()
        replica = Replica(LocalLog(log, clock), clock)
        replica.start()
        seq = replica.state.seq + 1
        try:
            await replica.submit(command, origin, internal=True)
            return seq
        finally:
            await replica.stop()


def _lost(plan: RepairPlan) -> LostEvents:
    remnants = (
        remnant
        for part in plan.remains
        for remnant in salvage(OS_DISK, plan.folder, plan.log_id, part)
    )
    return lost_events(remnants, plan.last_seq)
