"""What is slow to make and the same every time, kept outside the tree: whole or not there."""

import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path


def cache_folder() -> Path:
    """Where it is kept. Deleting the folder is always safe: the next run makes it again."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "mnistsum-tests"


def make_once(name: str, make: Callable[[Path], None]) -> Path:
    """The cached folder `name`; if it is not there, `make` fills an empty one under another name first."""
    folder = cache_folder() / name
    if folder.exists():
        return folder
    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    beside.mkdir(parents=True)
    try:
        make(beside)
        beside.rename(folder)
    except OSError:
        if not folder.exists():  # else a run beside this one was first
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder
