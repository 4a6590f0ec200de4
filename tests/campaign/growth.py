"""Many thousand answers of one process: its memory does not grow."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from campaign.forking import Job
from campaign.sharing import pictures
from campaign.trying import Campaign, Try, require
from mnistsum_runtime.errors import PictureError

ANSWERS = (5_000, 100_000)
"""Of the first try, and of the others."""
WARM = 2000
"""Answers after which a process has all that it needs."""
GROWTH = 5_000_000
"""Bytes; the memory of a process goes up and down by some hundred thousand."""


def resident() -> int:
    """Bytes of memory that this process has now."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def grow() -> int:
    """In a process of its own: as many answers as the command line says, among them damaged pictures."""
    from campaign.in_process import shipped

    given: list[Any] = [*pictures(1), b"\x89PNG\r\n\x1a\n", b"GIF89a", b""]
    before = 0
    for index in range(int(sys.argv[1])):
        if index == WARM:
            before = resident()
        try:
            shipped.predict(given[index % len(given)], index % 10)
        except PictureError:
            continue
    sys.stdout.write(str(resident() - before))
    return 0


def attempt(current: Try) -> None:
    """One process."""
    answers = ANSWERS[min(current.index, 1)]
    end = current.server.run(Job("campaign.growth:grow", (str(answers),), str(current.folder), seconds=1800))
    require(end.code == 0 and not end.err and not end.late, f"more than answers: {end.shown()}")
    require(int(end.out) < GROWTH, f"{int(end.out):,} bytes more after {answers:,} answers")
    current.figures["answers"] += answers


CAMPAIGN = Campaign("growth", "the memory of one process over 100,000 answers", (1, 1, 2), attempt)
