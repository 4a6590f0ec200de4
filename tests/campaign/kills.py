"""Processes killed at any moment: what stood is there whole, the next run goes on, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from campaign.forking import End, run_program
from campaign.judging import judge
from campaign.trying import Campaign, Try, require
from pi.wheelhouse import ROOT
from recording import enlarged

BIN = Path(sys.executable).parent
PATIENCE = 300.0
_TRAIN = (
    sys.executable,
    ROOT / "tests" / "small_training.py",
    "--epochs",
    "3",
    "--batch-size",
    "64",
    "--out",
    "trained",
)
_BENCH = (sys.executable, "-c", "from campaign.in_process import bench_shortly; bench_shortly()")
_EXPORT = (BIN / "mnistsum-export", "--samples", "1", "--output", "m.onnx")
WAYS = ("explain", "evaluate", "bench", "export", "explain", "train")


def _start(current: Try, command: tuple[str | Path, ...], kill_within: float | None = None) -> End:
    """Run a command to its end, or kill it at a moment within so many seconds."""
    temporary = current.folder / "temporary"
    temporary.mkdir(exist_ok=True)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "tests"), "TMPDIR": str(temporary)}
    send = None if kill_within is None else (signal.SIGKILL, current.random.uniform(0.02, kill_within))
    end = run_program(command, current.folder, seconds=PATIENCE, environment=environment, send=send)
    current.figures["killed"] += end.code == -signal.SIGKILL
    require(not end.late, f"no end: {end.shown()}")
    return end


def _finish(current: Try, command: tuple[str | Path, ...], name: str) -> None:
    """The next run of the same command is well, and takes away what the killed one left."""
    judge(_start(current, command), name, (0,), may_note=True)
    left = [path.name for path in current.folder.rglob("*") if path.name.endswith(".tmp")]
    left += [path.name for path in (current.folder / "temporary").iterdir() if path.name.startswith("mnistsum")]
    require(not left, f"{name}: left after the next run: {left}")


def attempt_drawing(current: Try, way: str) -> None:
    """A sheet of pictures is drawn over an old one."""
    folder = current.folder / "7"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.png").write_bytes(enlarged(number % 10))
    command: tuple[str | Path, ...] = (BIN / "mnistsum-run", "7", "4", "--explain", "seen.png")
    if way == "evaluate":
        command = (BIN / "mnistsum-evaluate", "7", "--explain", "seen.png")
    old = enlarged(3)
    current.write("seen.png", old)
    for _ in range(3):
        _start(current, command, 0.6)
        with Image.open(current.folder / "seen.png") as image:
            image.load()
    _finish(current, command, Path(command[0]).name)
    require((current.folder / "seen.png").read_bytes() != old, "nothing was drawn")


def attempt_export(current: Try) -> None:
    """An export over a good pair."""
    model, references = _exported()
    current.write("m.onnx", model)
    current.write("m.references.npz", references)
    _start(current, _EXPORT, 6)
    judge(_start(current, (BIN / "mnistsum-verify", "--model", "m.onnx")), "mnistsum-verify", (0,))
    _finish(current, _EXPORT, "mnistsum-export")
    judge(_start(current, (BIN / "mnistsum-verify", "--model", "m.onnx")), "mnistsum-verify", (0,))


def attempt_training(current: Try) -> None:
    """A training, killed once or more often, and resumed."""
    for _ in range(current.random.choice((1, 1, 2, 3))):
        _start(current, (*_TRAIN, "--resume"), 12)
    _finish(current, (*_TRAIN, "--resume"), "mnistsum-train")
    whole = (current.folder / "trained" / "checkpoint.safetensors").read_bytes()
    require(_without_clock(whole) == _without_clock(_trained()), "the resumed weights are not those of an unbroken run")


def attempt(current: Try) -> None:
    """One of the commands that write."""
    way = WAYS[current.index % len(WAYS)]
    if way == "train":
        attempt_training(current)
    elif way == "export":
        attempt_export(current)
    elif way == "bench":
        for _ in range(2):
            _start(current, _BENCH, 2.5)
        _finish(current, _BENCH, "mnistsum-bench")
    else:
        attempt_drawing(current, way)


def _without_clock(checkpoint: bytes) -> bytes:
    """The tensors: what is written of the training's seconds differs."""
    length = int.from_bytes(checkpoint[:8], "little")
    return checkpoint[8 + length :]


@cache
def _exported() -> tuple[bytes, bytes]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        judge(run_program(_EXPORT, folder, seconds=PATIENCE), "mnistsum-export", (0,), may_note=True)
        return (folder / "m.onnx").read_bytes(), (folder / "m.references.npz").read_bytes()


@cache
def _trained() -> bytes:
    with TemporaryDirectory() as name:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        end = run_program(_TRAIN, Path(name), seconds=PATIENCE, environment=environment)
        judge(end, "mnistsum-train", (0,), may_note=True)
        return (Path(name) / "trained" / "checkpoint.safetensors").read_bytes()


CAMPAIGN = Campaign(
    "kills",
    "kill -9 at random moments of an export, a training and its resumption, drawings and `mnistsum-bench`",
    (3, 18, 130),
    attempt,
)
