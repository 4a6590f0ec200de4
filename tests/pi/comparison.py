"""The answers of a Pi beside those of this machine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mnistsum_runtime.contract import FP32
from pi.systems import System

CONFIDENCE_TOLERANCE = 2e-4
"""`mnistsum-run --json` rounds to four places: two nearly equal confidences can fall on either side."""
LOGIT_TOLERANCE = 1e-4
"""Of an fp32 logit, on every reference."""
KNOWN_OVER = {("armv7l", "product"): 1.2e-4}
"""Where a logit differs by more, by machine and operation, and by how much at most; runtime/platforms.md says so."""


def parse_answers(lines: str) -> list[dict[str, Any]]:
    """The objects that `mnistsum-run --json` printed."""
    return [json.loads(line) for line in lines.splitlines()]


def compare_answers(here: Iterable[Mapping[str, Any]], there: Iterable[Mapping[str, Any]]) -> list[str]:
    """What differs between the answers of this machine and those of the Pi, a line each: none if they are the same.

    Everything must be equal, but confidences may differ by `CONFIDENCE_TOLERANCE`.
    """
    ours = {_question(answer): answer for answer in here}
    theirs = {_question(answer): answer for answer in there}
    one_sided = sorted(ours.keys() ^ theirs.keys())
    differences = [f"{image} and {number} answered on one side only" for image, number, _ in one_sided]
    if not ours:
        differences.append("no answers to compare")
    for key in sorted(ours.keys() & theirs.keys()):
        differences += [
            f"{key[0]} and {key[1]}: {name} {theirs[key][name]!r}, here {value!r}"
            for name, value in ours[key].items()
            if not _same(name, value, theirs[key][name])
        ]
    return differences


def _question(answer: Mapping[str, Any]) -> tuple[str, int, tuple[str, ...]]:
    """What was asked: the picture, the number, and the operation as the answer's fields have it."""
    return answer["image"], answer["number"], tuple(answer)


def _same(name: str, here: Any, there: Any) -> bool:
    if name.endswith("_confidence") and here is not None and there is not None:
        return bool(abs(here - there) <= CONFIDENCE_TOLERANCE)
    return bool(here == there)


def check_verification(report: Mapping[str, Any], operation: str, precision: str, system: System) -> list[str]:
    """What `mnistsum-verify --json` of a Pi lacks, a line each: none if it is the proof that is asked for.

    Args:
        report: The JSON object.
        operation: Of the model that was asked for.
        precision: The same.
        system: Which must have run it.
    """
    here, worst = report["here"], worst_difference(report)
    wanted, found = (operation, precision), (report["model"]["operation"], report["model"]["precision"])
    over = KNOWN_OVER.get((system.machine, operation)) if precision == FP32 else None
    limit = LOGIT_TOLERANCE if over is None else over
    parts = ["preparation", "answers"] if over is not None else []
    checks = [
        (report["passed"] or over is not None, "mnistsum-verify failed"),
        *((report[part]["passed"], f"{part} failed") for part in parts),
        *_check_system(here, system),
        (found == wanted, f"{found} verified, expected {wanted}"),
        (found[1] != FP32 or worst <= limit, f"logits differ by {worst:g}, allowed {limit:g}"),
        *(
            (output["labels_equal"] == output["labels_compared"] > 0, f"labels of {output['name']} differ")
            for output in report["inference"]["outputs"]
        ),
    ]
    return [f"{operation}, {precision}: {message}" for passed, message in checks if not passed]


def check_other_verification(report: Mapping[str, Any], system: System) -> list[str]:
    """What `mnistsum-verify --json` lacks for a file of another network: none if all outputs are as recorded.

    Args:
        report: The JSON object.
        system: Which must have run it.
    """
    here, outputs = report["here"], report["inference"]["outputs"]
    checks = [
        (report["passed"], "mnistsum-verify failed"),
        (report["model"]["operation"] is None, "taken for the network that reads digits"),
        *_check_system(here, system),
        (bool(outputs), "no outputs"),
        *(
            (output["labels_equal"] == output["labels_compared"], f"labels of {output['name']} differ")
            for output in outputs
        ),
    ]
    return [f"{report['model']['file']}: {message}" for passed, message in checks if not passed]


def _check_system(here: Mapping[str, Any], system: System) -> list[tuple[bool, str]]:
    """Whether a report is of a system: each check, and what it says if it fails."""
    return [
        (here["machine"] == system.machine, f"ran on {here['machine']}, expected {system.machine}"),
        (here["python"].startswith(f"{system.python}."), f"ran on Python {here['python']}, expected {system.python}"),
    ]


def worst_difference(report: Mapping[str, Any]) -> float:
    """Largest difference of a logit in a report of `mnistsum-verify`; NaN if one is not a number."""
    found = [output["largest_difference"] for output in report["inference"]["outputs"]]
    return max(found) if None not in found else float("nan")
