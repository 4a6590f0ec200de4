"""What became of one onnxruntime build on one processor, and what the doctor is told of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

KNOWN_FORMAT = 1
"""Of the runtime's file; `mnistsum_runtime.measure.known` reads it."""
EXPLANATIONS = (
    ({"installs": False}, "", "onnxruntime has no wheel for 32-bit Arm; Debian 13 (trixie) builds it for ARMv7"),
    (
        {"onnxruntime": "1.21.0", "machine": "aarch64"},
        "illegal instruction",
        "its library starts with an instruction that cores of ARMv8.0 lack (onnxruntime issue 23957)",
    ),
)
"""Of a failure: what its cell has, a part of how it failed, and why."""


def explain(cell: Mapping[str, Any]) -> str | None:
    """Why a cell is as it is; None if it verified, or if nobody has found out."""
    for has, how, why in EXPLANATIONS:
        if not cell["verifies"] and all(cell[key] == value for key, value in has.items()) and how in cell["how"]:
            return why
    return None


def find_problems(cells: Sequence[Mapping[str, Any]], builds: Sequence[str], processors: Sequence[str]) -> list[str]:
    """What the table lacks, a line each: cells, and explanations of failures."""
    found = {(cell["build"], cell["processor"]): cell for cell in cells}
    problems = []
    for build in builds:
        for processor in processors:
            cell = found.get((build, processor))
            if cell is None:
                problems.append(f"{build} on {processor}: not tried")
            elif not cell["verifies"] and cell["explanation"] is None:
                problems.append(f"{build} on {processor}: {cell['how']}: not explained")
    return problems


def to_known(cells: Sequence[Mapping[str, Any]]) -> str:
    """What `mnistsum-doctor` is to know of it, as the text of its file: what became of each build that installs."""
    keys = ("onnxruntime", "origin", "machine", "processor", "part", "verifies", "how", "explanation")
    rows = [{key: cell[key] for key in keys} for cell in cells if cell["installs"]]
    lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    return f'{{"format": {KNOWN_FORMAT}, "tried": [\n{lines}\n]}}\n'
