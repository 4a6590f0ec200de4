"""`mnistsum-batch` as a process that is timed, watched and killed, and what it left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute
from pyarrow import dataset

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Ran:
    """How a batch ended."""

    code: int
    seconds: float
    peak: int
    """Most resident memory of the driver, in bytes."""
    summary: dict[str, Any]
    """What `--json` said; empty of one that was killed."""


def start(arguments: list[str], out: Path) -> subprocess.Popen[str]:
    """Begin a batch in a process group of its own."""
    command = [str(BIN / "mnistsum-batch"), *arguments, "--number", "4", "--out", str(out), "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def run(arguments: list[str], out: Path) -> Ran:
    """Run a batch to its end."""
    began = time.perf_counter()
    process, peak = start(arguments, out), 0

    def watch() -> None:
        nonlocal peak
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(0.1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    told, said = process.communicate()
    watcher.join()
    if process.returncode not in (0, 1) or not told:
        raise RuntimeError(f"mnistsum-batch ended with {process.returncode}: {said}")
    return Ran(process.returncode, time.perf_counter() - began, peak, json.loads(told))


def resident(process: int) -> int:
    """Bytes of memory that a process has now; 0 where it is gone."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGESIZE")


def children(process: int) -> list[int]:
    """Its worker processes."""
    tasks = Path(f"/proc/{process}/task/{process}/children")
    found = [int(each) for each in tasks.read_text(encoding="ascii").split()] if tasks.exists() else []
    return [each for each in found if b"spawn_main" in _command_line(each)]


def _command_line(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def kill(process: int) -> None:
    """With SIGKILL, if it is still there."""
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def count_rows(out: Path) -> tuple[int, int]:
    """How many rows an independent reader finds, and how many different pictures."""
    found = dataset.dataset(out, format="parquet").to_table(columns=["input", "image"])
    pairs = pyarrow.compute.binary_join_element_wise(found["input"], found["image"], "\n")
    return found.num_rows, len(pairs.unique())


def contents(out: Path) -> dict[str, bytes]:
    """Every file of answers."""
    return {path.name: path.read_bytes() for path in sorted(out.glob("part-*.parquet"))}
