"""What every command runs in: errors become one line and an exit code, never a traceback. Without click."""

import errno
import gc
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mnistsum_runtime.errors import MnistsumError


def start_quickly() -> None:
    """For the commands whose start a user feels: see "Start-up and memory" in runtime/README.md."""
    # Before numpy is imported: its linear algebra would start a thread for each core, and gets matrices of 20x100.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def leave_quickly(code: int) -> None:
    """End the process. The output must be flushed and nothing else open, as `exit_code` leaves it.

    Python's orderly end would unload onnxruntime and numpy piece by piece, a sixth of the whole process's time.
    """
    os._exit(code)


@contextmanager
def loading() -> Iterator[None]:
    """For the imports and the session of a command: garbage is looked for among the newest alone, and later not at all.

    Looking for none would be no quicker, and keep 0.2 MB of it.
    """
    usual = gc.get_threshold()
    gc.set_threshold(5000)
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(*usual)


def exit_code(name: str, job: Callable[[], int]) -> int:
    """Do the job of the command called `name`, tell its error in one line, and flush its output.

    Returns:
        What `job` returns, by custom 0 done or 1 the work failed; after an error its own code (2 the call was wrong, 3
        the model is no good); 2 if a package cannot be imported; 130 after Ctrl-C.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files that the terminal's encoding does not have
    try:
        code = job()
        if sys.stdout is not None:  # closed by the caller
            sys.stdout.flush()
    except MnistsumError as error:
        code = _complain(name, str(error), error.exit_code)
        for note in getattr(error, "__notes__", ()):  # what else there is to say, for who asked for it
            write_error(note)
        return code
    except ImportError as error:
        return _complain(name, f"the installation is broken: {error}: see mnistsum-doctor", 2)
    except KeyboardInterrupt:
        return _complain(name, "interrupted", 130)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nobody is left to tell.
        _discard_output()
        return 1
    except OSError as error:
        return _complain(name, _tell_os_error(error), 1)
    return code


def write_error(line: str) -> None:
    """Write a line to standard error, if there is one."""
    if sys.stderr is not None:
        print(line, file=sys.stderr)


def _tell_os_error(error: OSError) -> str:
    """What the operating system refused, and of which file; of the output, where it was the output that failed."""
    flushed = _flush_output()
    reason = error.strerror or str(error)
    if error.filename is not None:
        return f"{os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename}: {reason}"
    # Unbuffered, an output that has failed keeps nothing, and can be flushed. But only who writes meets these errors,
    # and what is written to files is told with their names.
    if not flushed or (sys.stdout is not None and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}):
        return f"the output cannot be written: {reason}"
    return reason


def _flush_output() -> bool:
    """Write what is still buffered, if there is an output; whether it could be. If not, it is discarded."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:  # Python keeps what it could not write: an output that has failed fails again
        _discard_output()
        return False
    return True


def _discard_output() -> None:
    """Let what is still buffered for a standard output that failed go nowhere, or Python's exit would fail on it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(name: str, message: str, code: int) -> int:
    write_error(f"{name}: {' '.join(message.split())}")
    return code
