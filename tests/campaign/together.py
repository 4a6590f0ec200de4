"""Several processes at once: twenty that answer, two exports to one output, two trainings in one folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from campaign.forking import End, run_program
from campaign.judging import judge
from campaign.trying import Campaign, SkippedError, Try, require
from pi.wheelhouse import ROOT
from recording import enlarged

BIN = Path(sys.executable).parent
PATIENCE = 300.0
WAYS = ("answers", "exports", "trainings")


def _at_once(commands: list[list[str | Path]], folder: Path, later: float = 0) -> list[End]:
    """Start all, each so many seconds after the one before, and wait for all."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    started = []
    for command in commands:
        started.append(
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env=environment,
            )
        )
        time.sleep(later)
    ends = []
    for process in started:
        out, err = process.communicate(timeout=PATIENCE)
        ends.append(End(process.returncode, out, err, 0, 0))
    return ends


def attempt_answers(current: Try) -> None:
    """Twenty processes that start together answer as one alone does."""
    commands: list[list[str | Path]] = []
    for digit in range(10):
        current.write(f"{digit}.png", enlarged(digit))
        commands.append([BIN / "mnistsum-run", f"{digit}.png", str(digit), "--json"])
    alone = [run_program(command, current.folder) for command in commands]
    for one, other in zip(alone * 2, _at_once(commands * 2, current.folder), strict=True):
        judge(other, "mnistsum-run", (0,))
        require(one.out == other.out, f"another answer: {other.shown()}")
    current.figures["answers"] += len(alone) * 2


def attempt_exports(current: Try) -> None:
    """Two exports to one output, of two opsets: whichever was the last, the pair belongs together."""
    commands: list[list[str | Path]] = [
        [BIN / "mnistsum-export", "--samples", "1", "--output", "m.onnx", "--opset", opset] for opset in ("17", "18")
    ]
    for end in _at_once(commands, current.folder, current.random.uniform(0, 0.4)):
        judge(end, "mnistsum-export", (0, 1), may_note=True)
    judge(run_program([BIN / "mnistsum-verify", "--model", "m.onnx"], current.folder), "mnistsum-verify", (0,))
    names = sorted(path.name for path in current.folder.iterdir() if not path.name.endswith(".lock"))
    require(names == ["m.onnx", "m.references.npz"], f"beside the pair: {names}")


def attempt_trainings(current: Try) -> None:
    """A second training in a folder in which one runs is refused, and does the first no harm."""
    script: list[str | Path] = [
        sys.executable,
        ROOT / "tests" / "small_training.py",
        "--epochs",
        "12",
        "--out",
        "trained",
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        script, cwd=current.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as first:
        end_of_wait = time.monotonic() + PATIENCE
        while not (current.folder / "trained" / "state.safetensors").exists() and time.monotonic() < end_of_wait:
            time.sleep(0.05)
        second = run_program([*script, *["--resume"] * current.random.randrange(2)], current.folder, seconds=PATIENCE)
        running = first.poll() is None
        out, err = first.communicate(timeout=PATIENCE)
    judge(End(first.returncode, out, err, 0, 0), "mnistsum-train", (0,), may_note=True)
    if not running and second.code == 0:
        raise SkippedError("the first training had ended")
    judge(second, "mnistsum-train", (1, 2))


def attempt(current: Try) -> None:
    """One of the three."""
    {"answers": attempt_answers, "exports": attempt_exports, "trainings": attempt_trainings}[
        WAYS[current.index % len(WAYS)]
    ](current)


CAMPAIGN = Campaign(
    "together",
    "20 processes at once, two exports to one output, two trainings in one folder",
    (1, 6, 30),
    attempt,
    alone=True,
)
