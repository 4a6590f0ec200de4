"""The rim that every command shares: errors become one line and an exit code, never a traceback."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import click

from mnistsum_runtime.errors import CallError, MnistsumError


def run_command(command: click.Command) -> None:
    """Run a click command and leave the process with the documented exit code."""
    sys.exit(exit_code(command))


def run_and_exit(command: click.Command) -> None:
    """As `run_command`, for the commands whose start a user feels: see "Start-up and memory" in runtime/README.md."""
    # Before numpy is imported: its linear algebra would start a thread for each core, and gets matrices of 20x100.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    code = exit_code(command)
    # The output is flushed and nothing else is open. Python's orderly end would unload onnxruntime and numpy piece by
    # piece, which takes a sixth of the whole process.
    os._exit(code)


@contextmanager
def loading() -> Iterator[None]:
    """For the imports and the session of a command: no garbage is looked for, neither now nor among them later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def exit_code(command: click.Command) -> int:
    """Run a click command, tell its error in one line, and flush its output.

    Returns:
        0 done, 1 the work failed, 2 the call was wrong, 3 the model is no good; 130 after Ctrl-C.
    """
    try:
        code = command.main(prog_name=command.name, standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        return _complain(command, error.format_message(), 2)
    except MnistsumError as error:
        return _complain(command, str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _complain(command, "interrupted", 130)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nobody is left to tell.
        _discard_output()
        return 1
    except OSError as error:
        _discard_output()
        return _complain(command, f"the output cannot be written: {error.strerror or error}", 1)
    return code if isinstance(code, int) else 0


def _discard_output() -> None:
    """Let what is still buffered for a standard output that failed go nowhere, or Python's exit would fail on it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(command: click.Command, message: str, code: int) -> int:
    one_line = " ".join(message.split())
    click.echo(f"{command.name}: {one_line}", err=True)
    return code


def require_extra(extra: str, *modules: str) -> None:
    """Raise `CallError` naming the extra to install if one of `modules` is not there."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise CallError(f"{', '.join(missing)} not installed: pip install 'mnistsum[{extra}]'")
