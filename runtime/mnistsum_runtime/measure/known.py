"""What is known of onnxruntime builds on processors: what `make boards` has tried, as data in known.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

_FORMAT = 1


@dataclass(frozen=True)
class Tried:
    """One build on one processor."""

    onnxruntime: str
    """Its version."""
    origin: str
    """`wheel`, of the package index, or `debian`."""
    machine: str
    """`aarch64` or `armv7l`."""
    processor: str
    """`Cortex-A72`."""
    part: int
    """Arm's number of it, as in `Device.arm_parts`."""
    verifies: bool
    how: str | None
    """How it failed."""
    explanation: str | None
    """Why."""


def read_known() -> tuple[Tried, ...]:
    """All that was tried and could be installed."""
    content = json.loads((files("mnistsum_runtime.measure") / "known.json").read_text(encoding="utf-8"))
    if content["format"] != _FORMAT:
        raise ValueError(f"known.json: format {content['format']}, this reads {_FORMAT}")
    return tuple(Tried(**row) for row in content["tried"])


def known_of(
    tried: Sequence[Tried], version: str, origin: str, machine: str, parts: frozenset[int]
) -> tuple[Tried, bool] | None:
    """What failed of a build that is installed here, and whether it was on one of this device's own cores.

    Args:
        tried: What is known.
        version: Of the installed onnxruntime.
        origin: Where it is from.
        machine: Of this device.
        parts: Of its cores; what was tried on all of them and verified is no concern.
    """
    build = [
        each
        for each in tried
        if (each.origin, each.machine) == (origin, machine) and _release(each.onnxruntime) == _release(version)
    ]
    failed = [each for each in build if not each.verifies]
    here = [each for each in failed if each.part in parts]
    if here:
        return here[0], True
    verified = {each.part for each in build if each.verifies}
    return (failed[0], False) if failed and not (parts and parts <= verified) else None


def _release(version: str) -> list[str]:
    """The parts of a version without the zeros at its end: Debian calls 1.21.0 1.21."""
    parts = version.partition("+")[0].split(".")
    while parts and parts[-1] == "0":
        parts.pop()
    return parts
