"""How the end of a command is judged: documented exit code, one line, strict JSON, nothing of Python's."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Never

from campaign.forking import UNEXPECTED, End
from campaign.trying import FailedError, require

NEVER = (b"Traceback", b"Exception ignored", b"Warning:", b"EP Error", b"terminate called")
"""What no command may say."""


def judge(end: End, command: str, codes: Collection[int], *, may_note: bool = False, interrupted: bool = False) -> None:
    """Raise `FailedError` unless a command ended as it is documented.

    Args:
        end: How it ended.
        command: Its name, with which the line of an error begins.
        codes: Exit codes that are right.
        may_note: Lines on standard error may also be beside a result, or more than one (a line a picture).
        interrupted: It may have died of a signal.
    """
    require(not end.late, f"{command}: {end.shown()}")
    said = end.out + end.err
    found = [text.decode() for text in NEVER if text in said]
    require(not found, f"{command}: says {found[0] if found else ''}: {end.shown()}")
    require(end.code != UNEXPECTED, f"{command}: an exception: {end.shown()}")
    if interrupted and end.code in (-2, -15):
        return
    require(end.code in codes, f"{command}: expected exit code {sorted(codes)}: {end.shown()}")
    raw = [byte for byte in said if byte < 32 and byte != 10]
    require(not raw and b"\x7f" not in said, f"{command}: raw control characters: {end.shown()}")
    lines = end.err.decode(errors="replace").splitlines()
    if may_note:
        return
    wanted = 1 if end.code else 0
    require(len(lines) == wanted, f"{command}: {len(lines)} lines on standard error, not {wanted}: {end.shown()}")
    if lines:
        require(lines[0].startswith(f"{command}: "), f"{command}: another line: {end.shown()}")


def strict_json(text: bytes | str) -> Any:
    """Read JSON as the standard has it.

    Raises:
        FailedError: It is none, NaN and Infinity included.
    """

    def refuse(constant: str) -> Never:
        raise ValueError(constant)

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise FailedError(f"no JSON ({error}): {text[:300]!r}") from error
