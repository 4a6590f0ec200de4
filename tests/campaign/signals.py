"""SIGINT and SIGTERM at any moment: `interrupted`, death by the signal, or done; and nothing of Python's."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

from campaign.forking import run_program
from campaign.judging import judge
from campaign.trying import ApartError, Campaign, Try, require
from mnistsum_runtime.model import shipped_model
from recording import enlarged

BIN = Path(sys.executable).parent
BY_PYTHON = "came while Python itself started"
"""Before the product has said what a Ctrl-C does, in the first lines that run of it, Python answers as it will."""
PATIENCE = 60.0
COMMANDS: dict[str, tuple[tuple[str, ...], float]] = {
    "mnistsum-run": (("7.png", "4"), 0.35),
    "mnistsum-verify": ((), 1.0),
    "mnistsum-evaluate": (("7",), 0.5),
    "mnistsum-doctor": ((), 0.8),
    "mnistsum-bench": ((), 3.0),
    "mnistsum-export": (("--samples", "1", "--output", "m.onnx"), 5.0),
}
"""The arguments of each, and the seconds within which the signal comes."""
OFTEN = (*["mnistsum-run"] * 4, *["mnistsum-verify"] * 3, *COMMANDS)


def attempt(current: Try) -> None:
    """One command, one signal."""
    random = current.random
    command, number = OFTEN[current.index % len(OFTEN)], random.choice((signal.SIGINT, signal.SIGTERM))
    arguments, longest = COMMANDS[command]
    current.write("7.png", enlarged(7))
    (current.folder / "7").mkdir()
    current.write("7/a.png", enlarged(7))
    if command == "mnistsum-verify":
        arguments = ("--model", shipped_model())
    end = run_program(
        [BIN / command, *arguments], current.folder, seconds=PATIENCE, send=(number, random.uniform(0.005, longest))
    )
    said = end.err.decode(errors="replace")
    if b"Traceback" in end.err and not re.search(r"mnistsum_\w+/(?!__init__\.py|commands/launch\.py)", said):
        raise ApartError(BY_PYTHON)
    judge(end, command, (0, 130), may_note=True, interrupted=True)
    if end.code == 130:
        # click ends the line on which the terminal shows ^C.
        require(said.lstrip("\n") == f"{command}: interrupted\n", f"{command}: another line: {end.shown()}")
        require(number == signal.SIGINT, f"{command}: 130 without a Ctrl-C: {end.shown()}")
    elif end.code:
        require(not said or command == "mnistsum-export", f"{command}: lines of a process that died: {end.shown()}")
    left = [path.name for path in current.folder.iterdir() if path.name.endswith(".tmp")]
    require(not left, f"{command}: leaves {left}: {end.shown()}")
    current.figures[{0: "done", 130: "interrupted"}.get(end.code, "died of the signal")] += 1


CAMPAIGN = Campaign("signals", "SIGINT and SIGTERM at random moments of six commands", (13, 130, 400), attempt)
