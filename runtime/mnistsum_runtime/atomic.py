"""Files that are whole or not there: written beside their place, then renamed."""

import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from mnistsum_runtime.errors import WorkError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_ENDING = ".tmp"
_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]


def is_same_file(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Whether two paths lead to one file, however they are written: over links, `..`, or as a second name of it."""
    try:
        return Path(one).samefile(other)
    except (OSError, ValueError):  # one is not there yet, or no path can be such
        return False


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path`; whatever stood there stays if anything goes wrong.

    Raises:
        WorkError: The folder is not there or not writable, or the disk is full.
    """
    write_together({path: content})


def write_together(contents: dict[Path, bytes]) -> None:
    """Write several files, all or none: every one is complete on the disk before the first takes its place.

    They take their places while no other process of ours puts files into the same folder, and no signal comes between;
    so that of two calls at once the files of one stand. Only a process that is killed between two renames, or a machine
    that stops there, can leave new beside old: files that belong together must name each other's hash. What a killed
    process has left beside its place goes with the next call.

    Raises:
        WorkError: A folder is not there or not writable, or the disk is full, or something stands there that is no
            regular file; all old files still stand.
    """
    with ExitStack() as open_files:
        ready: dict[Path, Path] = {}
        try:
            for path, content in contents.items():
                if path.is_dir():  # the one thing that only the rename would find
                    raise WorkError(f"cannot write {path}: Is a directory")
                if path.exists() and not path.is_file():
                    raise WorkError(f"cannot write {path}: a device or a pipe, not a file")
                with _folder_to_ourselves(path.parent):  # so that nobody takes the new one, not locked yet, for left
                    _remove_left(path)
                    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_ENDING}")
                    file = open_files.enter_context(beside.open("xb"))
                    ready[beside] = path
                    try_lock(file.fileno())  # until it has its place
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                if fcntl is None:
                    file.close()  # Windows renames no open file
            with _folder_to_ourselves(path.parent), _signals_afterwards():
                _take_places(ready)
        except OSError as error:
            raise WorkError(f"cannot write {error.filename2 or path}: {error.strerror or error}") from error
        finally:
            for beside in ready:
                beside.unlink(missing_ok=True)


def _take_places(ready: dict[Path, Path]) -> None:
    """Rename every file to its place; if one cannot be, the old ones are put back."""
    old = {path: path.read_bytes() for path in ready.values() if path.exists()}
    try:
        for beside, path in ready.items():
            beside.replace(path)
    except BaseException:
        for beside, path in ready.items():
            if beside.exists():  # it has not taken its place
                continue
            if path in old:
                beside.write_bytes(old[path])
                beside.replace(path)
            else:
                path.unlink()
        raise


def _remove_left(path: Path) -> None:
    """Remove what killed processes have left beside a file: what nobody has locked."""
    if fcntl is None:
        return
    begins = f".{path.name}."
    with suppress(OSError):  # a folder that cannot be listed can still be written to
        for left in path.parent.iterdir():
            token = left.name.removeprefix(begins).removesuffix(_ENDING)
            if left.name == f"{begins}{token}{_ENDING}" and len(token) == 8 and left.is_file():
                with suppress(OSError), left.open("rb") as file:
                    if try_lock(file.fileno()):
                        left.unlink()


def try_lock(file: int) -> bool:
    """Lock an open file for this process, if no other has it. Where the system or the disk has no locks: yes."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def _folder_to_ourselves(folder: Path) -> Iterator[None]:
    """Wait until no other process of ours is here. Where the system or the disk has no locks, do not."""
    with ExitStack() as opened:
        if fcntl is not None:
            with suppress(OSError):
                number = os.open(folder, os.O_RDONLY)
                opened.callback(os.close, number)
                fcntl.flock(number, fcntl.LOCK_EX)
        yield


@contextmanager
def _signals_afterwards() -> Iterator[None]:
    """Let signals that would end the process wait. Python lets only the main thread say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    known = [number for number in _SIGNALS if signal.getsignal(number) is not None]  # others are not Python's
    usual = {number: signal.signal(number, lambda n, _: came.append(n)) for number in known}
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)
