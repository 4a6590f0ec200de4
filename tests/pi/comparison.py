"""The answers of a Pi beside those of this machine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

CONFIDENCE_TOLERANCE = 2e-4
"""`mnistsum-run --json` rounds to four places: two nearly equal confidences can fall on either side."""
LOGIT_TOLERANCE = 1e-4
"""Of an fp32 logit, on every reference."""


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


def check_verification(report: Mapping[str, Any], operation: str, precision: str, python: str) -> list[str]:
    """What `mnistsum-verify --json` of a Pi lacks, a line each: none if it is the proof that is asked for.

    Args:
        report: The JSON object.
        operation: Of the model that was asked for.
        precision: The same.
        python: The start of the version that must have run.
    """
    here, worst = report["here"], worst_difference(report)
    wanted, found = (operation, precision), (report["model"]["operation"], report["model"]["precision"])
    checks = [
        (report["passed"], "mnistsum-verify failed"),
        (here["machine"] == "aarch64", f"ran on {here['machine']}, expected aarch64"),
        (here["python"].startswith(f"{python}."), f"ran on Python {here['python']}, expected {python}"),
        (found == wanted, f"{found} verified, expected {wanted}"),
        (found[1] != "fp32" or worst <= LOGIT_TOLERANCE, f"logits differ by {worst:g}, allowed {LOGIT_TOLERANCE:g}"),
        *(
            (output["labels_equal"] == output["labels_compared"] > 0, f"labels of {output['name']} differ")
            for output in report["inference"]["outputs"]
        ),
    ]
    return [f"{operation}, {precision}: {message}" for passed, message in checks if not passed]


def check_other_verification(report: Mapping[str, Any], python: str) -> list[str]:
    """What `mnistsum-verify --json` lacks for a file of another network: none if all outputs are as recorded.

    Args:
        report: The JSON object.
        python: The start of the version that must have run.
    """
    here, outputs = report["here"], report["inference"]["outputs"]
    checks = [
        (report["passed"], "mnistsum-verify failed"),
        (report["model"]["operation"] is None, "taken for the network that reads digits"),
        (here["machine"] == "aarch64", f"ran on {here['machine']}, expected aarch64"),
        (here["python"].startswith(f"{python}."), f"ran on Python {here['python']}, expected {python}"),
        (bool(outputs), "no outputs"),
        *(
            (output["labels_equal"] == output["labels_compared"], f"labels of {output['name']} differ")
            for output in outputs
        ),
    ]
    return [f"{report['model']['file']}: {message}" for passed, message in checks if not passed]


def worst_difference(report: Mapping[str, Any]) -> float:
    """Largest difference of a logit in a report of `mnistsum-verify`; NaN if one is not a number."""
    found = [output["largest_difference"] for output in report["inference"]["outputs"]]
    return max(found) if None not in found else float("nan")
