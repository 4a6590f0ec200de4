"""Time and peak memory of whole processes, measured from a small one.

Run as a script, it starts each command in turn and prints what each start took. It has to be a process of its own:
on Linux a child's peak memory counts from its parent's size at the fork, so that nothing could be measured that is
smaller than the process that measures. Hence the standard library alone.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Start:
    """One start of a command, from before it is there until it has ended."""

    seconds: float
    """By the wall clock."""
    peak_bytes: int | None
    """Largest resident memory; None where the system does not tell."""


def start_alternating(commands: list[list[str]], rounds: int) -> list[list[Start]]:
    """Start each command once a round, in turn, so that a slow minute of the machine meets all of them.

    Returns:
        For each command its `rounds` starts. One more goes before them and is not counted: it fills the file cache.

    Raises:
        WorkError: A command failed.
    """
    request = json.dumps({"commands": commands, "rounds": rounds})
    # Isolated and without `site`: nothing of this environment is loaded into the process that measures.
    launcher = [sys.executable, "-I", "-S", __file__]
    result = subprocess.run(launcher, input=request, capture_output=True, text=True, check=False)  # noqa: S603
    if result.returncode:
        from mnistsum_runtime.errors import WorkError

        said = result.stderr.splitlines() or [f"the measuring process ended with {result.returncode}"]
        raise WorkError(f"cannot measure: {' '.join(said[-2:])}")  # what the process said, and how it ended
    return [[Start(*start) for start in starts] for starts in json.loads(result.stdout)]


def _start(command: list[str]) -> tuple[float, int | None]:
    before = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # noqa: S603
    if not hasattr(os, "wait4"):
        code, peak = process.wait(), None
        seconds = time.perf_counter() - before
    else:
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - before
        code = process.returncode = os.waitstatus_to_exitcode(status)
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if code:
        raise SystemExit(f"{command} ended with {code}")
    return seconds, peak


def _main() -> None:
    request = json.load(sys.stdin)
    rounds = [[_start(command) for command in request["commands"]] for _ in range(request["rounds"] + 1)]
    json.dump(list(zip(*rounds[1:], strict=True)), sys.stdout)


if __name__ == "__main__":
    _main()
