"""What every command runs in: errors become one line and an exit code, never a traceback. Without click."""

import errno
import gc
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mnistsum_runtime.errors import MnistsumError
from mnistsum_runtime.terminal import discard, write_error

_STANDARD_ERROR = 2


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

    Looking for none would be no quicker, and keep 0.2 MB of it. A Ctrl-C counts when all is loaded: before that, numpy
    and onnxruntime would make a failed import of it, or print where they were. What they print otherwise, of graphics
    cards that are not there and operators that they know twice, is for their makers.
    """
    usual = gc.get_threshold()
    gc.set_threshold(5000)
    try:
        with _interrupted_afterwards(), _holding_standard_error():
            yield
    except (AttributeError, RuntimeError) as error:  # numpy's words for an older numpy, and for an older processor
        raise ImportError(f"{type(error).__name__}: {error}") from error
    finally:
        gc.freeze()
        gc.set_threshold(*usual)


@contextmanager
def _holding_standard_error() -> Iterator[None]:
    """Let nothing through to standard error, C's included; if a package cannot be imported, all of it.

    An error of our own is told in its one line, and of too little memory no library knows more.
    """
    if not hasattr(os, "memfd_create") or sys.stderr is None:
        yield  # not Linux, where there is something to hold
        return
    try:
        usual, held = os.dup(_STANDARD_ERROR), os.memfd_create("held")
        os.dup2(held, _STANDARD_ERROR)
    except OSError:  # closed, or no file may be opened any more
        yield
        return
    try:
        yield
    except (MnistsumError, MemoryError):
        raise
    except Exception:
        os.write(usual, os.pread(held, os.fstat(held).st_size, 0))
        raise
    finally:
        os.dup2(usual, _STANDARD_ERROR)
        os.close(usual)
        os.close(held)


@contextmanager
def _interrupted_afterwards() -> Iterator[None]:
    with _remembering(_Interrupts()) as interrupts:
        try:
            yield
        finally:
            if interrupts.came:
                raise KeyboardInterrupt


class _Interrupts:
    """Remembers that a Ctrl-C came."""

    came = False

    def __call__(self, *_: object) -> None:
        self.came = True


class _InterruptsAtOnce(_Interrupts):
    """As Python does, a Ctrl-C becomes an exception; but what that becomes on its way out is known to be its doing."""

    def __call__(self, *_: object) -> None:
        super().__call__()
        raise KeyboardInterrupt


@contextmanager
def _remembering(interrupts: _Interrupts) -> Iterator[_Interrupts]:
    """Let a Ctrl-C go there, unless a shell has it ignored, or somebody else's program is in charge."""
    usual = signal.getsignal(signal.SIGINT)
    ours = usual is signal.default_int_handler or isinstance(usual, _Interrupts)
    if not ours or threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    signal.signal(signal.SIGINT, interrupts)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, usual)


def exit_code(name: str, job: Callable[[], int]) -> int:
    """Do the job of the command called `name`, tell its error in one line, and flush its output.

    Returns:
        What `job` returns, by custom 0 done or 1 the work failed; after an error its own code (2 the call was wrong, 3
        the model is no good); 2 if a package cannot be imported; 130 after Ctrl-C.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files that the terminal's encoding does not have
    interrupts = _InterruptsAtOnce()
    try:
        with _remembering(interrupts):
            code = job()
            if sys.stdout is not None:  # closed by the caller
                sys.stdout.flush()
    except MnistsumError as error:
        code = _complain(name, str(error), error.exit_code)
        for note in getattr(error, "__notes__", ()):  # what else there is to say, for who asked for it
            for line in note.split("\n"):
                write_error(line)
        return code
    except (ImportError, KeyboardInterrupt, MemoryError) as error:
        # A Ctrl-C while a package loads may come out of it as a failed import.
        return _complain(name, *_describe(KeyboardInterrupt() if interrupts.came else error))
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nobody is left to tell.
        discard(sys.stdout)
        return 1
    except OSError as error:
        return _complain(name, _tell_os_error(error), 1)
    return code


def _describe(error: BaseException) -> tuple[str, int]:
    """A sentence and the exit code for what ended a command without being its own error."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", 130
    if isinstance(error, MemoryError):
        return "too little memory", 1
    return f"the installation is broken: {error}: see mnistsum-doctor", 2


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
        discard(sys.stdout)
        return False
    return True


def _complain(name: str, message: str, code: int) -> int:
    _flush_output()
    write_error(f"{name}: {' '.join(message.split())}")
    return code
