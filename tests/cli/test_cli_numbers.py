"""Numbers on command lines: each has a range, and what is outside it is refused in a sentence."""

import importlib
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
import typer

from nc.cli.ncadm.app import app as ncadm_app
from nc.cli.network_controller import app as network_controller_app
from tests.support.programs import run_here

OUTSIDE = (10**30, -(10**30))  # of every range


def commands(app: typer.Typer, words: str) -> Iterator[tuple[str, Any]]:
    """What is typed for each command below an application, and the command's function."""
    assert app.registered_callback is not None
    yield words, app.registered_callback.callback
    for name, (_, place) in getattr(app.info.cls, "table", {}).items():
        module, _, attribute = place.partition(":")
        target = getattr(importlib.import_module(module), attribute)
        if isinstance(target, typer.Typer):
            yield from commands(target, f"{words} {name}")
        else:
            yield f"{words} {name}", target


def integer_options() -> Iterator[str]:
    """Each command with an option that takes an integer: `ncadm tokens issue --uses`."""
    for program, app in (("network-controller", network_controller_app), ("ncadm", ncadm_app)):
        for words, function in commands(app, program):
            for name, hint in get_type_hints(function, include_extras=True).items():
                kind = get_args(hint)[0] if get_origin(hint) is Annotated else hint
                if int in (kind, *get_args(kind)):
                    yield f"{words} --{name.replace('_', '-')}"


OPTIONS = sorted(integer_options())


def test_the_options_are_found() -> None:
    """Those of both programs, of groups, and of commands in groups."""
    assert {
        "network-controller serve --max-nodes",
        "network-controller log verify --seq",
        "ncadm --port",
        "ncadm tokens issue --uses",
    } <= set(OPTIONS)


@pytest.mark.parametrize("words", OPTIONS)
def test_a_number_outside_its_range_is_wrong_usage(words: str) -> None:
    """The error is one line that names the option and says what is allowed; nothing is done."""
    program, *rest = words.split()
    for number in OUTSIDE:
        done = run_here(program, *rest, str(number))
        assert (done.returncode, done.stdout) == (2, ""), done
        assert done.stderr.count("\n") == 1
        assert rest[-1] in done.stderr
        assert "expected" in done.stderr or "should be" in done.stderr
