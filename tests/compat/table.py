"""The table of opsets against onnxruntime releases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

VERIFIED, REFUSED, FAILED = "verified", "refused", "failed"


@dataclass(frozen=True)
class Result:
    """One file on one release."""

    status: str
    """`verified`; `refused`, onnxruntime does not load the file; or `failed`, it loads and answers otherwise."""
    largest_difference: float | None
    """Of a logit, from torch's; None where nothing was answered."""
    message: str
    """What the command said; empty where it verified."""


@dataclass(frozen=True)
class Row:
    """One file."""

    opset: int
    ir_version: int
    oldest_onnxruntime: str
    """What mnistsum-export says of it."""
    results: dict[str, Result]
    """By the release's version."""

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "opset": self.opset,
            "ir_version": self.ir_version,
            "oldest_onnxruntime": self.oldest_onnxruntime,
            "results": {
                version: {"status": result.status, "largest_difference": result.largest_difference}
                for version, result in self.results.items()
            },
        }


def find_problems(rows: Sequence[Row]) -> list[str]:
    """What is not as promised, a line each.

    A file must verify on every release from its `oldest_onnxruntime` on, and be refused by every older one: else what
    mnistsum-export says is wrong.
    """
    problems = [] if rows else ["no opset was tried"]
    for row in rows:
        for version, result in row.results.items():
            expected = VERIFIED if _numbers(version) >= _numbers(row.oldest_onnxruntime) else REFUSED
            if result.status != expected:
                what = f"opset {row.opset} on onnxruntime {version}"
                problems.append(f"{what}: {result.status}, expected {expected}: {result.message}")
    return problems


def require_verified(rows: Sequence[Row], opset: int, version: str) -> list[str]:
    """A line that says so unless there is a file of `opset` that verified on `version`."""
    for row in rows:
        if row.opset == opset and version in row.results and row.results[version].status == VERIFIED:
            return []
    return [f"opset {opset} did not verify on onnxruntime {version}, which is promised"]


def to_markdown(rows: Sequence[Row], runtimes: Sequence[dict[str, str]]) -> str:
    """The table as GitHub shows it: a row an opset, a column a release.

    Args:
        rows: The results.
        runtimes: Versions of `onnxruntime` and what took part beside it, one of each release.
    """
    versions = [runtime["onnxruntime"] for runtime in runtimes]
    lines = [
        ["opset (IR version)", *versions],
        ["---"] * (len(versions) + 1),
        *([f"{row.opset} ({row.ir_version})", *(_cell(row.results[version]) for version in versions)] for row in rows),
        *([f"with {name}", *(runtime[name] for runtime in runtimes)] for name in ("numpy", "Pillow")),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(result: Result) -> str:
    return f"{result.largest_difference:.1e}" if result.status == VERIFIED else result.status


def _numbers(version: str) -> tuple[int, ...]:
    """Major and minor: "1.15.1" and "1.15" are the same release here."""
    return tuple(int(number) for number in version.split(".")[:2])
