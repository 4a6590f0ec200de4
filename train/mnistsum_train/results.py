"""The output folder of a training: which files it gets, and how each is written whole or not at all."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from os.path import samestat
from pathlib import Path
from typing import BinaryIO

from mnistsum_runtime.atomic import try_lock, write_atomically
from mnistsum_runtime.errors import CallError, WorkError
from mnistsum_runtime.operations import Operation
from mnistsum_train.calibration import agreed_confidences, right_digits
from mnistsum_train.checkpoint import Checkpoint
from mnistsum_train.data import Part
from mnistsum_train.evaluation import Answers
from mnistsum_train.held_out import HeldOut
from mnistsum_train.network import Network
from mnistsum_train.plots import report_pictures, risk_over_coverage
from mnistsum_train.report import Report
from mnistsum_train.stages import Watch, unwatched
from mnistsum_train.training import EpochMetrics

CHECKPOINT_FILE = "checkpoint.safetensors"
"""What `mnistsum-export` takes."""
METRICS_FILE = "metrics.jsonl"
"""An epoch a line."""
REPORT_FILE = "report.json"
STATE_FILE = "state.safetensors"
"""What `--resume` goes on from."""
TEACHER_STATE_FILE = "teacher.safetensors"
"""What `--resume` goes on from in the teacher's training, where the recipe has one."""
_PROBED = 8_000_000
"""Bytes: what a training of base leaves after its first epoch is of this size."""


def make_folder(folder: Path) -> None:
    """Make the output folder and find out now, not after the training, whether it can be written.

    Raises:
        WorkError: It cannot be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkError(f"cannot make the output folder {folder}: {error.strerror}") from error
    probe = folder / ".writable"
    write_atomically(probe, bytes(_PROBED))
    probe.unlink(missing_ok=True)  # where another call probes at the same time


@contextmanager
def sole_training(folder: Path) -> Iterator[None]:
    """Refuse a second training in an output folder while one runs there; where the system has no locks, do not.

    Raises:
        CallError: One does.
        WorkError: The folder cannot be written.
    """
    path = folder / ".training"
    try:
        file = path.open("wb")
    except OSError as error:
        raise WorkError(f"cannot write {path}: {error.strerror or error}") from error
    with file:
        if not (try_lock(file.fileno()) and _is_still(file, path)):
            raise CallError(f"another training writes to {folder}: wait until it is done, or name another --out")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _is_still(file: BinaryIO, path: Path) -> bool:
    """Whether an open file still is the one at its path: not if a training that just ended has taken it away."""
    try:
        return samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def write_metrics(history: list[EpochMetrics], out: Path) -> None:
    """Write `metrics.jsonl`, one JSON object a line for each epoch."""
    write_atomically(out / METRICS_FILE, "".join(json.dumps(asdict(line)) + "\n" for line in history).encode())


def read_metrics(folder: Path) -> list[EpochMetrics]:
    """The epochs of a training, from its folder."""
    return [EpochMetrics(**json.loads(line)) for line in (folder / METRICS_FILE).read_text().splitlines()]


def write_results(
    out: Path,
    network: Network,
    report: Report,
    history: list[EpochMetrics],
    held_out: HeldOut,
    answers: Answers,
    test: Part,
    watch: Watch = unwatched,
) -> None:
    """Write the checkpoint, the report's pictures, and last the report, which says that all is there.

    Args:
        out: The output folder, which exists.
        network: With its gate.
        report: What is said of it.
        history: The epochs of its training.
        held_out: What it was calibrated on.
        answers: What it answers for the test set x all ten numbers.
        test: The test set.
        watch: Sees the pictures.
    """
    Checkpoint(network, checkpoint_facts(report)).save(out / CHECKPOINT_FILE)
    pictures = report_pictures(history, answers, test, network.operation)
    pictures["risk_over_coverage.png"] = partial(draw_risk, report, network.operation, held_out, answers, test)
    for name in watch(list(pictures)):
        write_atomically(out / name, pictures[name]())
    write_atomically(out / REPORT_FILE, (json.dumps(report.to_dict(), indent=2) + "\n").encode())


def draw_risk(report: Report, operation: Operation, held_out: HeldOut, answers: Answers, test: Part) -> bytes:
    """PNG: risk over coverage on the held-out digits, on the same varied as other people write, and on the test set."""
    curves = {}
    for name, given, labels in (
        ("held-out digits", held_out.plain, held_out.labels),
        ("the same, varied as other people write", held_out.varied, held_out.labels),
        ("test set", answers, test.labels),
    ):
        confidence = agreed_confidences(given, operation, report.calibration)
        curves[name] = (confidence.flatten().numpy(), ~right_digits(given, labels).flatten().numpy())
    return risk_over_coverage(curves, report.calibration.least_confidence)


def checkpoint_facts(report: Report) -> dict[str, object]:
    """What a checkpoint says of its network beside the weights."""
    return {
        "accuracy": accuracy(report),
        "calibration": report.calibration._asdict(),
        "recipe": report.recipe.to_dict(),
        "versions": report.versions,
    }


def accuracy(report: Report) -> dict[str, float]:
    """What a model file says of its accuracy: fractions over all test pairs."""
    test = report.test
    return {
        "pairs": test.pairs,
        "digit": test.digit,
        report.recipe.operation: test.value,
        "both": test.both,
        "heads_agree": test.agree,
    }
