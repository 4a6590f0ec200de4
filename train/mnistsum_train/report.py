"""What a finished training says of itself: `report.json`, and the same as a table for people."""

import os
import platform
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from mnistsum_runtime import __version__
from mnistsum_runtime.reliability import Calibration
from mnistsum_train.calibration import Reliability, with_temperature
from mnistsum_train.device import has_fast_bfloat16
from mnistsum_train.evaluation import Answers, Evaluation, evaluate
from mnistsum_train.held_out import HeldOut
from mnistsum_train.network import Ensemble, Network
from mnistsum_train.recipe import Recipe
from mnistsum_train.training import EpochMetrics


@dataclass(frozen=True)
class Report:
    """The content of `report.json`."""

    recipe: Recipe
    members: int
    """Networks of that recipe that answer together; their seeds are `recipe.seed * members` onwards."""
    parameters: int
    """Trained parameters of all members."""
    training_images: int
    training_seconds: float
    """Wall-clock time of all epochs, their validation, the teacher's and all members' epochs included."""
    machine: dict[str, Any]
    """Processor, cores, device and precision: the figures belong to them."""
    versions: dict[str, str]
    last_epoch: EpochMetrics
    """Metrics of the last epoch; where there are several members, of the last member's."""
    held_out: Evaluation
    """Pictures that were not learnt from x all ten numbers: the validation part, or what the folds kept apart."""
    test: Evaluation
    """All test images x all ten numbers, read once, after training; its calibration errors are of the raw logits."""
    calibration: Calibration
    """Found on the held-out answers; what the model file carries."""
    calibration_error: dict[str, float]
    """Expected calibration errors of both outputs on the test set, with the temperatures applied."""
    reliability_held_out: Reliability
    """Measured on the held-out answers, where the limit was found, and on negatives that were not trained with."""
    reliability_varied: Reliability
    """Measured on the same digits, varied as other people write."""
    reliability_test: Reliability
    """Measured on the test set."""

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return asdict(self) | {"calibration": self.calibration._asdict()}


def make_report(
    recipe: Recipe,
    network: Network,
    device: torch.device,
    training_images: int,
    history: list[EpochMetrics],
    teacher_history: list[EpochMetrics],
    held_out: HeldOut,
    calibration: Calibration,
    answers: Answers,
    labels: torch.Tensor,
) -> Report:
    """Gather everything that the report says.

    `answers` and `labels` are the test set's; `teacher_history` are the teacher's epochs.
    """
    operation = network.operation
    calibrated = evaluate(with_temperature(answers, calibration), labels, operation)
    reliability = partial(Reliability.of, operation=operation, calibration=calibration)
    return Report(
        recipe=recipe,
        members=len(network.members) if isinstance(network, Ensemble) else 1,
        parameters=network.parameter_count(),
        training_images=training_images,
        training_seconds=round(sum(metrics.seconds for metrics in teacher_history + history), 1),
        machine=describe_machine(device),
        versions=tool_versions("torch", "torchvision"),
        last_epoch=history[-1],
        held_out=evaluate(held_out.plain, held_out.labels, operation),
        test=evaluate(answers, labels, operation),
        calibration=calibration,
        calibration_error={"digit": calibrated.digit_calibration_error, "value": calibrated.value_calibration_error},
        reliability_held_out=reliability(held_out.plain, held_out.labels, negatives=held_out.negatives),
        reliability_varied=reliability(held_out.varied, held_out.labels),
        reliability_test=reliability(answers, labels),
    )


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Processor or GPU, cores, threads that computed, and the precision of the training."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "precision": "bfloat16" if has_fast_bfloat16(device) else "float32",
    }


def tool_versions(*packages: str) -> dict[str, str]:
    """The versions of mnistsum, Python and `packages`."""
    return {
        "mnistsum": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def format_report(report: Report) -> str:
    """The test set's evaluation, calibration and reliability as lines for a terminal."""
    calibration, error = report.calibration, report.calibration_error
    negatives = report.reliability_held_out.negatives.values()
    lines = [
        format_table(report.test, report.recipe.operation),
        f"  calibrated on held-out answers: temperatures {calibration.digit_temperature:.2f} and "
        f"{calibration.value_temperature:.2f}, calibration errors {error['digit']:.2%} and {error['value']:.2%}",
        f"  called reliable from {calibration.least_confidence:.2%}: {report.reliability_test.digits:.2%} of the test "
        f"pairs, of which {1 - report.reliability_test.right:.3%} are wrong, and "
        f"{sum(negatives) / max(1, len(negatives)):.2%} of drawn pictures of no digit",
    ]
    return "\n".join(lines)


def format_table(evaluation: Evaluation, operation_name: str) -> str:
    """The evaluation as lines for a terminal."""
    percent = "{:.2f} %".format
    rows = [
        ("digit right", percent(100 * evaluation.digit)),
        (f"{operation_name} right", percent(100 * evaluation.value)),
        ("both right", percent(100 * evaluation.both)),
        ("heads agree", percent(100 * evaluation.agree)),
        ("calibration error, digit", percent(100 * evaluation.digit_calibration_error)),
        (f"calibration error, {operation_name}", percent(100 * evaluation.value_calibration_error)),
    ]
    lines = [f"{evaluation.pairs:,} test pairs"] + [f"  {name:<28}{value:>9}" for name, value in rows]
    lines.append("  both right     " + "".join(f"{i:>8}" for i in range(10)))
    for name, values in (("of each digit", evaluation.per_digit), ("of each number", evaluation.per_number)):
        lines.append(f"  {name:<15}" + "".join(f"{100 * value:>8.2f}" for value in values))
    return "\n".join(lines)


def _processor() -> str:
    """The processor's own name where the system tells it (Linux), else the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
