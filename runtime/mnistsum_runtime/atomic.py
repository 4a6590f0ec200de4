"""Files that are whole or not there: written beside their place, then renamed."""

import os
import secrets
from pathlib import Path

from mnistsum_runtime.errors import WorkError


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path`; whatever stood there stays if anything goes wrong.

    Raises:
        WorkError: The folder is not there or not writable, or the disk is full.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise WorkError(f"cannot write {path}: {error.strerror or error}") from error
