"""The rim that every command shares: errors become one line and an exit code, never a traceback."""

import os
import sys
from importlib.util import find_spec

import click

from mnistsum_runtime.errors import CallError, MnistsumError


def run_command(command: click.Command) -> None:
    """Run a click command and leave the process with the documented exit code.

    0 done, 1 the work failed, 2 the call was wrong, 3 the model is no good; 130 after Ctrl-C.
    """
    try:
        code = command.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        code = _complain(command, error.format_message(), 2)
    except MnistsumError as error:
        code = _complain(command, str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        code = _complain(command, "interrupted", 130)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nobody is left to tell. Keeps Python's exit from flushing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _complain(command: click.Command, message: str, code: int) -> int:
    one_line = " ".join(message.split())
    click.echo(f"{command.name}: {one_line}", err=True)
    return code


def require_extra(extra: str, *modules: str) -> None:
    """Raise `CallError` naming the extra to install if one of `modules` is not there."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise CallError(f"{', '.join(missing)} not installed: pip install 'mnistsum[{extra}]'")
