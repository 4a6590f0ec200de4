"""Files that are whole or not there: written beside their place, then renamed."""

import os
import secrets
from pathlib import Path

from mnistsum_runtime.errors import WorkError


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

    Only a process that is killed between two renames, or a machine that stops there, can leave new beside old, so files
    that belong together must name each other's hash.

    Raises:
        WorkError: A folder is not there or not writable, or the disk is full, or something stands there that is no
            regular file; all old files still stand.
    """
    ready: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            if path.is_dir():  # the one thing that only the rename would find
                raise WorkError(f"cannot write {path}: Is a directory")
            if path.exists() and not path.is_file():
                raise WorkError(f"cannot write {path}: a device or a pipe, not a file")
            beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
            with beside.open("xb") as file:
                ready[beside] = path
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        _take_places(ready)
    except OSError as error:
        raise WorkError(f"cannot write {error.filename2 or path}: {error.strerror or error}") from error
    finally:
        for beside in ready:
            beside.unlink(missing_ok=True)


def _take_places(ready: dict[Path, Path]) -> None:
    """Rename every file to its place; if one cannot be, or on Ctrl-C, the old ones are put back."""
    old = {path: path.read_bytes() for path in ready.values() if path.exists()}
    try:
        for beside, path in ready.items():
            beside.replace(path)
    except BaseException:
        for beside, path in ready.items():
            if beside.exists():  # it has not taken its place
                continue
            if path in old:
                write_atomically(path, old[path])
            else:
                path.unlink()
        raise
