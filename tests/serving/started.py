"""A server of its own: started on a free port, its words kept in a file, ended afterwards."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Started:
    """A server that runs."""

    process: subprocess.Popen[bytes]
    port: int
    said: Path
    """Its standard error."""

    def lines(self) -> list[str]:
        return self.said.read_text(encoding="utf-8", errors="surrogateescape").splitlines()

    def memory(self) -> int:
        """Resident bytes."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8"))
        if found is None:
            raise SystemExit("the server has no memory: it ended")
        return int(found[1]) * 1024


@contextmanager
def started(folder: Path, *options: object) -> Iterator[Started]:
    """Start it, and wait until it says where it listens."""
    command = [sys.executable, "-P", "-m", "mnistsum_runtime.commands.serve", "--port", "0", *map(str, options)]
    said = folder / "server.log"
    with said.open("wb") as log:
        process = subprocess.Popen(command, stderr=log)
    try:
        end = time.monotonic() + 30
        while (found := re.search(r"serving http://.*:(\d+)", said.read_text(encoding="utf-8"))) is None:
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"the server did not start:\n{said.read_text(encoding='utf-8')}")
            time.sleep(0.05)
        yield Started(process, int(found[1]), said)
    finally:
        process.kill()
        process.wait()
