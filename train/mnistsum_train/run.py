"""One training from the data to the output folder: read as a table of contents."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch

from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.errors import WorkError
from mnistsum_train.calibration import Reliability, calibrate, with_temperature
from mnistsum_train.checkpoint import Checkpoint
from mnistsum_train.data import load_mnist, split_validation
from mnistsum_train.evaluation import answer_all_pairs, evaluate
from mnistsum_train.gate import fit_gate
from mnistsum_train.negatives import draw_all_negatives
from mnistsum_train.network import Network, TwoInputNetwork
from mnistsum_train.plots import report_pictures
from mnistsum_train.recipe import Recipe
from mnistsum_train.report import Report, make_report
from mnistsum_train.training import EpochMetrics, OnEpoch, OnStep, train

CHECKPOINT_FILE, METRICS_FILE = "checkpoint.safetensors", "metrics.jsonl"
"""What `mnistsum-export` takes; an epoch a line."""
STATE_FILE = "state.safetensors"
"""What `--resume` goes on from, beside the results in the output folder."""
TEACHER_STATE_FILE = "teacher.safetensors"
"""The same of the teacher's training, where the recipe has one."""

OnStart = Callable[[Recipe, int], None]


def run_training(
    recipe: Recipe,
    out: Path,
    device: torch.device,
    *,
    limit: int | None = None,
    resume: bool = False,
    on_start: OnStart = lambda *_: None,
    on_step: OnStep = lambda *_: None,
    on_epoch: OnEpoch = lambda _: None,
) -> Report:
    """Train, fit the gate, calibrate on the validation part, evaluate once on the test set, and fill the output folder.

    Args:
        recipe: Decides the weights.
        out: Made if it is not there. Gets `checkpoint.safetensors`, `metrics.jsonl`, `report.json` and PNGs.
        device: Where to train; the evaluation always runs in float32 on the CPU.
        limit: Use this many training pictures only.
        resume: Go on after the last finished epoch that `out` holds.
        on_start: Called with the recipe and the number of training pictures; before that with the teacher's, if any.
        on_step: See `train`.
        on_epoch: See `train`.

    Raises:
        WorkError: Data not to be had, or `out` not writable.
        CallError: What `out` holds is of another recipe.
    """
    make_folder(out)
    training, validation = split_validation(load_mnist(train=True))
    training = training.first(limit)
    teacher: TwoInputNetwork | None = None
    lessons: list[EpochMetrics] = []
    if recipe.teacher is not None:
        teachers = replace(recipe.teacher, operation=recipe.operation, seed=recipe.seed)
        on_start(teachers, len(training))
        teacher, lessons = train(
            teachers,
            training,
            validation,
            device,
            out / TEACHER_STATE_FILE,
            resume=resume,
            on_step=on_step,
            on_epoch=on_epoch,
        )
    on_start(recipe, len(training))

    def epoch_done(history: list[EpochMetrics]) -> None:
        write_metrics(history, out)
        on_epoch(history)

    network, history = train(
        recipe,
        training,
        validation,
        device,
        out / STATE_FILE,
        resume=resume,
        on_step=on_step,
        on_epoch=epoch_done,
        teacher=teacher,
    )
    write_metrics(history, out)
    negatives = draw_all_negatives(training, negatives_per_kind(len(training)), seed=0)
    fit_gate(network, training, negatives, recipe.seed)
    return judge(network, recipe, out, device, len(training), history, lessons)


def judge(
    network: Network,
    recipe: Recipe,
    out: Path,
    device: torch.device,
    training_images: int,
    history: list[EpochMetrics],
    lessons: list[EpochMetrics],
) -> Report:
    """Calibrate on the validation part, evaluate once on the test set, and write checkpoint, report and pictures.

    Args:
        network: With its gate.
        recipe: It was trained so.
        out: The output folder, which exists.
        device: Where it was trained.
        training_images: How many pictures it was trained with.
        history: Its epochs.
        lessons: Its teacher's.
    """
    _, validation = split_validation(load_mnist(train=True))
    calibration = calibrate(answer_all_pairs(network, validation.images), validation.labels, network.operation)
    test = load_mnist(train=False)
    answers = answer_all_pairs(network, test.images)
    report = make_report(
        recipe,
        network,
        device,
        training_images,
        history,
        lessons,
        evaluate(answers, test.labels, network.operation),
        calibrated=evaluate(with_temperature(answers, calibration), test.labels, network.operation),
        calibration=calibration,
        reliability_validation=Reliability.of(
            network, validation, calibration, negatives_per_kind(training_images) // 3
        ),
        reliability_test=Reliability.of(network, test, calibration),
    )
    facts = {
        "accuracy": accuracy(report),
        "calibration": calibration._asdict(),
        "recipe": recipe.to_dict(),
        "versions": report.versions,
    }
    Checkpoint(network, facts).save(out / CHECKPOINT_FILE)
    for name, picture in report_pictures(history, answers, test, network.operation).items():
        write_atomically(out / name, picture)
    write_atomically(out / "report.json", (json.dumps(report.to_dict(), indent=2) + "\n").encode())
    return report


def negatives_per_kind(training_images: int) -> int:
    """How many pictures of no digit are drawn of each kind: 1,000, fewer for a quick look at part of the data."""
    return max(3, round(training_images / 55))


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


def write_metrics(history: list[EpochMetrics], out: Path) -> None:
    """Write `metrics.jsonl`, one JSON object a line for each epoch."""
    write_atomically(out / METRICS_FILE, "".join(json.dumps(asdict(line)) + "\n" for line in history).encode())


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
    write_atomically(probe, b"")
    probe.unlink()
