"""How many lines and minutes a new user needs: the first page's lines, timed in a fresh clone.

Usage: python tests/first_minutes.py [OUT.json]; some five minutes, with the package registries at hand.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.measure.device import this_device

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CLONE, ENVIRONMENT = "git clone", "make .venv/.installed"
GOALS = {
    "first answer": (CLONE, "make run"),
    "own network proven": (CLONE, ENVIRONMENT, "cd export/examples", "mnistsum-export --module"),
    "page served": (CLONE, ENVIRONMENT, "mnistsum-serve"),
    "Pi verified": (
        *(
            CLONE,
            "make wheelhouse",
            "scp",
            "python3 -m venv ~",
            "~/mnistsum-venv/bin/pip",
            "~/mnistsum-venv/bin/mnistsum-verify",
        ),
    ),
}
"""What the lines of the first page begin with that lead to each."""
ON_A_PI = ("scp", "python3 -m venv ~", "~/")
"""Lines that are not timed: an emulator's time says nothing of a Pi's."""


def lines_to(goal: str) -> list[str]:
    """The first page's lines to a goal, in order."""
    console = re.findall(r"^\$ (.*)$", README, re.MULTILINE)
    return [next(line for line in console if line.startswith(begin)) for begin in GOALS[goal]]


def seconds_of(lines: list[str], folder: Path) -> float:
    """Time the lines in one shell; a server is timed until it answers."""
    script = "\n".join(line.replace("ADDRESS", str(ROOT)) for line in lines)
    server = script.rpartition("\n")[2].startswith("mnistsum-serve")
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    start = time.perf_counter()
    process = subprocess.Popen(["bash", "-ec", script], cwd=folder, env=environment, start_new_session=True)
    try:
        while server and not _answers():
            time.sleep(0.1)
        if not server and process.wait():
            raise RuntimeError(f"failed: {script}")
        return time.perf_counter() - start
    finally:
        if server:
            os.killpg(process.pid, 15)
            process.wait()


def _answers() -> bool:
    try:
        with urlopen("http://127.0.0.1:8000/v2/health/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def main() -> None:
    """Time every goal in a clone of its own, and write the record."""
    record: dict[str, Any] = {"machine": this_device().board, "date": datetime.now(UTC).date().isoformat(), "goals": {}}
    for goal in GOALS:
        lines = lines_to(goal)
        here = [line for line in lines if not line.startswith(ON_A_PI)]
        with tempfile.TemporaryDirectory() as folder:
            seconds = seconds_of(here, Path(folder))
        record["goals"][goal] = {"lines": lines, "timed": len(here), "seconds": round(seconds, 1)}
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "artifacts" / "first_minutes.json"
    write_atomically(out, f"{json.dumps(record, indent=2)}\n".encode())


if __name__ == "__main__":
    main()
