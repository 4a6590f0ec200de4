"""Mutated pictures: an answer or a documented error, within seconds and a bounded memory."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random

from campaign.forking import End, Job, run_program
from campaign.judging import judge, strict_json
from campaign.mutating import mutate, mutate_inside_png, repair_png, replace_number
from campaign.picture_files import HEIGHT, WIDTH, many_pixels, whole_pictures
from campaign.trying import Campaign, Try, require

SECONDS, PEAK = 10, 600_000_000
"""Of one picture: the most that is allowed."""
MANY_PIXELS, BY_COMMAND = 100, 40
"""Every so many tries."""
KINDS = frozenset(
    ("not_found", "not_readable", "empty", "not_a_picture", "unsupported", "truncated", "too_large", "no_digit")
)
SIZES = (0, 1, 2, 3, 28, 8000, 10_000, 20_000, 32_767, 65_535, 64_000_000, 2**31 - 1)
RUN = Path(sys.executable).parent / "mnistsum-run"


def make(index: int, random: Random) -> tuple[str, bytes]:
    """An ending, and the bytes of a damaged picture."""
    if index % MANY_PIXELS == MANY_PIXELS - 1:
        return "png", many_pixels(random)
    ending, content = random.choice(whole_pictures())
    way = random.random()
    if way < 0.25:
        old, new = random.choice(((WIDTH, random.choice(SIZES)), (HEIGHT, random.choice(SIZES))))
        content = replace_number(content, old, new, random)
        if random.random() < 0.5:
            content = replace_number(content, HEIGHT if old == WIDTH else WIDTH, random.choice(SIZES), random)
    elif way < 0.4 and ending == "png":
        content = mutate_inside_png(content, random)
    else:
        content = mutate(content, random)
    return ending, repair_png(content) if ending == "png" and random.random() < 0.8 else content


def attempt(current: Try) -> None:
    """One picture through `Predictor`, now and then through the command."""
    ending, content = make(current.index, current.random)
    path = current.write(f"picture.{ending}", content)
    if current.index % BY_COMMAND == BY_COMMAND - 1:
        _by_command(path, current)
        return
    end = current.server.run(Job("campaign.in_process:predict_file", (str(path),), seconds=2 * SECONDS))
    # A picture is read twice here, as bytes and from its path.
    require(not end.late and end.seconds <= 2 * SECONDS, f"too slow: {end.shown()}")
    require(end.code == 0 and not end.err, f"more than an answer or an error: {end.shown()}")
    require(end.peak <= PEAK, f"too much memory: {end.shown()}")
    said = end.out.decode().splitlines()
    # By its name alone old TGA is known, so that the two ways may differ there.
    require(len(said) == 1 or (ending == "tga" and len(said) == 2), f"bytes and path differ: {end.shown()}")
    for line in said:
        documented = line == "answer" or (line.startswith("PictureError ") and line.partition(" ")[2] in KINDS)
        require(documented, f"no documented error: {end.shown()}")


def _by_command(path: Path, current: Try) -> None:
    current.figures["through the command"] += 1
    as_json = current.random.random() < 0.5
    options: list[str] = ["--json"] if as_json else []
    if current.random.random() < 0.3:
        options += ["--explain", "seen.png"]
    end: End = run_program([RUN, path.name, "4", *options], current.folder, seconds=SECONDS)
    judge(end, "mnistsum-run", (0, 1), may_note=as_json)
    if as_json:
        require(not end.err, f"lines beside JSON: {end.shown()}")
        require(isinstance(strict_json(end.out), dict), f"no object: {json.dumps(end.out.decode())}")


CAMPAIGN = Campaign(
    "pictures",
    "mutated pictures of every format, through `Predictor` and `mnistsum-run`",
    (40, 3000, 20_000),
    attempt,
)
