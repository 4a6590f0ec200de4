"""What an earlier training has left in the output folder: gone on with or written over where that is asked for."""

from collections.abc import Iterable
from pathlib import Path

from mnistsum_runtime.errors import CallError
from mnistsum_train.results import CHECKPOINT_FILE, METRICS_FILE, REPORT_FILE, STATE_FILE, TEACHER_STATE_FILE

STATES = (STATE_FILE, TEACHER_STATE_FILE)
FILES = (*STATES, METRICS_FILE, CHECKPOINT_FILE, REPORT_FILE)
"""What tells that a training was here. Its pictures do not: somebody may keep others in the folder."""


def take_over(out: Path, places: Iterable[Path], *, resume: bool, overwrite: bool) -> None:
    """Decide what becomes of an earlier training, before anything of the new one is written.

    Args:
        out: The output folder, locked by this process.
        places: Where the networks of this call are trained: `out` itself, or a folder in it for each member.
        resume: Go on with the earlier one.
        overwrite: Delete the earlier one.

    Raises:
        CallError: There is one, and neither is asked for; or it cannot be gone on with.
    """
    left = [folder / name for folder in (out, *sorted(out.glob("member-*"))) for name in FILES]
    left = [file for file in left if file.exists()]
    if overwrite:
        for file in left:
            file.unlink()
        return
    if not left:
        return
    if not resume:
        kind = "a finished" if out / REPORT_FILE in left else "a begun"
        raise CallError(
            f"{out} holds {kind} training: go on with it (--resume), begin again in its place (--overwrite), or name "
            "another --out"
        )
    if not any((place / state).exists() for place in places for state in STATES):
        raise CallError(
            f"{out} holds a training that these options cannot go on with, since it left no {STATE_FILE} for them: "
            "begin again in its place (--overwrite), or name another --out"
        )
