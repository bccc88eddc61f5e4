"""The drill's programs."""

from pathlib import Path

from benchmarks.drill.programs import Program


def test_two_mends_start_one_process(tmp_path: Path) -> None:
    """What two faults have killed is started once, and the next kill ends it."""
    pids = tmp_path / "pids"
    program = Program("sleeper", ["sh", "-c", "echo $$; exec sleep 60"], pids)
    program.start()
    program.kill()
    program.kill()
    program.start()
    program.start()
    program.kill()
    program.read()
    assert len(program.lines) <= 2, [line.fields for line in program.lines]
    assert not program.is_running
