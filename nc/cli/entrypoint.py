"""Runs both programs: an error is one line on stderr, and the exit code says what kind it is.

The exit codes are those of `nc.errors`. This module imports little, so that `--help` is quick; what
an error is like is known from its base class, without the package that raises it.
"""

import importlib
import json
import re
import resource
import shlex
import signal
import sys
import warnings
from itertools import pairwise
from typing import Any, NoReturn

from nc.cli.streams import is_of_stdout, open_missing_streams, silence_stdout, unwritable
from nc.errors import DAMAGED, DONE, FAILED, UNREACHABLE, USAGE, OperatorError

_FEWEST_FILES = 128  # gRPC ends the process where it can open no more

INTERRUPTED = 130  # what a shell reports of a program that Ctrl-C ended

_LONG_NAME = re.compile(r"-([A-Za-z][A-Za-z0-9-]+)(=|$)")

# Short options may be joined with others and with a value: -wo, -ojson, -lsite=berlin.
_SHORT_OPTIONS = re.compile(r"-(l|[afwy]*([lv]|o(table|text|json|yaml|name)?)?$)")
_LONG_NAMES_IN_L = frozenset(
    ["label", "last", "life", "lifetime", "limit", "link-listen", "link-port", "listen", "log"]
)
_OUTPUT_OPTION = re.compile(r"(?:--output(?:=|$)|-[afwy]*o)(.*)")

_NO_FOLDER = "No usable temporary directory"  # as the module tempfile says it
_NO_TEMPORARY_FOLDER = (
    "there is no folder for temporary files: /tmp and /var/tmp cannot be written; "
    "name one in the variable TMPDIR"
)


class OperationFailed(OperatorError):
    """A command could not do what was asked."""


def run(program: str, module: str) -> NoReturn:
    """Run a program to its exit code.

    Args:
        program: its name.
        module: where its typer application is, as `app`.
    """
    open_missing_streams()
    for number in (signal.SIGUSR1, signal.SIGUSR2):  # other programs' habits: no request to end
        signal.signal(number, signal.SIG_IGN)
    # Those of libraries are for their users: such as of upstream CAs' serial number 0.
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    sys.argv[1:] = with_double_dashes(sys.argv[1:])
    if (option := _empty_option(sys.argv[1:])) is not None:
        sys.exit(_report(program, f"{option}: is empty", USAGE, "usage", program))
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and files < _FEWEST_FILES:
        text = f"at most {files} files may be open; raise the limit to {_FEWEST_FILES} (ulimit -n)"
        sys.exit(_report(program, text, FAILED, "failed"))
    sys.exit(_call(program, importlib.import_module(module).app))


def _call(program: str, app: Any) -> int:
    try:
        code = app(prog_name=program, standalone_mode=False)
        sys.stdout.flush()  # here, where an error can still be reported
    except BrokenPipeError:  # `network-controller log show | head`
        silence_stdout()
        return DONE
    except SystemExit as exit_:  # typer and rich turn a broken pipe into one
        if not isinstance(exit_.__context__, BrokenPipeError):
            raise
        silence_stdout()
        return DONE
    except Exception as error:  # noqa: BLE001 - what is unknown is raised again
        return _exit_code_of(program, error)
    return code if isinstance(code, int) else DONE


def _exit_code_of(program: str, error: Exception) -> int:
    """Report an error whose text is for the operator; raise any other."""
    import typer

    if isinstance(error, typer.Abort):
        return INTERRUPTED
    if isinstance(error, typer.TyperException):
        context: Any = getattr(error, "ctx", None)
        command = context.command_path if context else program
        text = _misplaced(error, program) or error.format_message()
        return _report(program, text, error.exit_code, "usage", command)
    if isinstance(error, UnicodeEncodeError):
        return _report(
            program,
            "an argument is not UTF-8 text; type it again, or set a UTF-8 locale (LANG)",
            USAGE,
            "usage",
            program,
        )
    known = _known(error)
    if known is None:
        raise error
    return _report(program, *known)


def _misplaced(error: Any, program: str) -> str:
    """What to say of an option of the program's own that stands behind a command; "" of others."""
    name, context = getattr(error, "option_name", ""), getattr(error, "ctx", None)
    if not name or context is None or context.parent is None:
        return ""
    root = context.find_root()
    if root.command.invoke_without_command:  # then they are options of what it does by itself
        return ""
    if not any(name in each.opts for each in root.command.get_params(root)):
        return ""
    words = context.command_path.removeprefix(program).strip()
    return f"{name} stands before the command: {program} {name} … {words} …"


def _known(error: Exception) -> tuple[str, int, str] | None:
    """The message, exit code and kind of an error whose text is for the operator."""
    if is_of_stdout(error) and isinstance(error, OSError):
        silence_stdout()
        error = unwritable(error)
    if isinstance(error, FileNotFoundError) and _NO_FOLDER in str(error.strerror):
        error = OperationFailed(_NO_TEMPORARY_FOLDER)
    if isinstance(error, OperatorError):
        return str(error), error.exit_code, error.kind
    log_errors = sys.modules.get("eventlog.errors")  # only who has loaded it can raise them
    if log_errors is not None and isinstance(error, log_errors.LogDamaged):
        return _damage(error), DAMAGED, "damaged"
    if log_errors is not None and isinstance(error, log_errors.LogUnreachable | log_errors.LogBusy):
        return str(error), UNREACHABLE, "unreachable"
    if log_errors is not None and isinstance(error, log_errors.LogError):
        return str(error), FAILED, "failed"
    return None


def _damage(error: Any) -> str:
    """The message of a LogDamaged, with the command that plans a repair of that log."""
    command = f"network-controller log repair --log {shlex.quote(str(error.file.parent))}"
    return str(
        error.describe(f'run "{command}", which says what can be saved and changes nothing yet')
    )


def with_double_dashes(words: list[str]) -> list[str]:
    """`-config F` as `--config F`: upstream's programs, in Go, take both."""
    end = words.index("--") if "--" in words else len(words)
    return [f"-{word}" if _lacks_a_dash(word) else word for word in words[:end]] + words[end:]


def _lacks_a_dash(word: str) -> bool:
    """Whether this is a long option behind one dash."""
    found = _LONG_NAME.match(word)
    if found is None:
        return False
    return found[1] in _LONG_NAMES_IN_L or not _SHORT_OPTIONS.match(word)


def _empty_option(words: list[str]) -> str | None:
    """The first option whose value is empty, which an unset variable in a script leaves.

    An empty path would mean the current folder, and an empty text the default.
    """
    for before, word in pairwise(("", *words)):
        name, equals, value = word.partition("=")
        if word.startswith("--") and equals and not value:
            return name
        if before.startswith("-") and not word:
            return before
    return None


def wants_json(words: list[str]) -> bool:
    """Whether the command line asks for JSON, read without a parser: parsing it may have failed."""
    values = [
        found[1] or following
        for word, following in pairwise((*words, ""))
        if (found := _OUTPUT_OPTION.fullmatch(word))
    ]
    return bool(values) and values[-1] == "json"


def _report(program: str, message: str, code: int, kind: str, help_of: str = "") -> int:
    """Print an error, and return its exit code; `help_of` is the command whose --help explains."""
    text = " ".join(message.split()).rstrip(".")
    if help_of:
        text = f"{text} See" if text.endswith("?") else f"{text}; see"
        text += f" {help_of} --help"
    if wants_json(sys.argv[1:]):
        line = json.dumps({"error": text, "kind": kind, "exitCode": code})
    else:
        line = f"{program}: {text}"
    sys.stderr.write(f"{line}\n")
    return code
