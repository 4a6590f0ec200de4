"""Folders in which nothing is called or made as one expects: a line a picture, nothing raw, no waiting."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

from campaign.forking import run_program
from campaign.judging import judge, strict_json
from campaign.trying import Campaign, FailedError, Try, require
from recording import enlarged

BIN = Path(sys.executable).parent
SECONDS = 20.0
ESCAPE = "\x1b[2J\x1b[1;1Hverified\r\n\x07"
CALLED: dict[str, bytes] = {
    "escapes": f"{ESCAPE}7.png".encode(),
    "an operating system command": b"\x1b]0;title\x07\x1b]52;c;aGk=\x07 7.png",
    "a newline": b"a\nmnistsum-run: verified\n7.png",
    "a carriage return": b"a.png: digit 3\r7.png",
    "bytes that are no text": b"\xff\xfe\x80 7.png",
    "a half of a pair": b"\xed\xa0\x80 7.png",
    "eight-bit control characters": "\x9b2J\x90 7.png".encode(),
    "turned around": "\u202egnp.7 \u2066.png".encode(),
    "no width": "\u200b\u200d\ufeff7.png".encode(),
    "line separators": "a\u2028b\u2029c\x857.png".encode(),
    "as long as may be": b"7" * 251 + b".png",
    "like an option": b"--json.png",
    "like standard input": b"-.png",
    "blanks": b"  7.png",
    "quotes": b"\"'`$(touch x)7.png",
    "a tab and a delete": b"\t\x7f7.png",
    "format letters": b"%s%n{0}{x!r}7.png",
}
Fill = Callable[[Path], tuple[int, int]]
"""Fills a folder; how many lines its pictures have, and how many of them are answers."""


def _called(name: bytes, content: bytes) -> Fill:
    def make(folder: Path) -> tuple[int, int]:
        (folder / os.fsdecode(name)).write_bytes(content)
        (folder / "z7.png").write_bytes(enlarged(7))
        return 2, 1 + content.startswith(b"\x89PNG")

    return make


def _linked(target: str) -> Fill:
    def make(folder: Path) -> tuple[int, int]:
        (folder / "a.png").symlink_to(target)
        (folder / "z7.png").write_bytes(enlarged(7))
        return 2, 1 + (target == "z7.png")

    return make


def _ring(folder: Path) -> tuple[int, int]:
    (folder / "a.png").symlink_to("b.png")
    (folder / "b.png").symlink_to("a.png")
    (folder / "z7.png").write_bytes(enlarged(7))
    return 3, 1


def _pipe(folder: Path) -> tuple[int, int]:
    os.mkfifo(folder / "a.png")
    (folder / "z7.png").write_bytes(enlarged(7))
    return 2, 1


def _socket(folder: Path) -> tuple[int, int]:
    handle = os.open(folder, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"/proc/self/fd/{handle}/a.png")  # a path may not be long
    os.close(handle)
    (folder / "z7.png").write_bytes(enlarged(7))
    return 2, 1


def _folder(folder: Path) -> tuple[int, int]:
    (folder / "a.png").mkdir()
    (folder / "a.png" / "7.png").write_bytes(b"")
    (folder / "z7.png").write_bytes(enlarged(7))
    return 1, 1


def _itself(folder: Path) -> tuple[int, int]:
    (folder / "again").symlink_to(".")
    (folder / "up.png").symlink_to("..")
    (folder / "z7.png").write_bytes(enlarged(7))
    return 1, 1


def _device(folder: Path) -> tuple[int, int]:
    try:
        os.mknod(folder / "a.png", 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        (folder / "a.png").symlink_to("/dev/zero")
    (folder / "z7.png").write_bytes(enlarged(7))
    return 2, 1


PLACES: dict[str, Fill] = {
    **{f"called {name}": _called(text, enlarged(7)) for name, text in CALLED.items()},
    **{f"damaged, called {name}": _called(text, b"damaged") for name, text in CALLED.items()},
    "a link to a picture": _linked("z7.png"),
    "a link to itself": _linked("a.png"),
    "a link to nothing": _linked("nowhere"),
    "a link to standard input": _linked("/dev/stdin"),
    "a link to standard output": _linked("/dev/stdout"),
    "a link to nothing that ends": _linked("/dev/zero"),
    "a link to a full device": _linked("/dev/full"),
    "a link to chance": _linked("/dev/urandom"),
    "a link to the memory": _linked("/proc/self/mem"),
    "links in a ring": _ring,
    "a pipe": _pipe,
    "a socket": _socket,
    "a device": _device,
    "a folder called like a picture": _folder,
    "a folder in itself": _itself,
}
"""What is in the folder beside a picture of a seven."""
WAYS = ("run", "run --json", "run --explain", "run the file", "evaluate", "evaluate --json", "model", "out")
_WAITED_FOR = ("a pipe", "a link to standard input", "a link to standard output")
"""By its own name such a thing is waited for, as `mnistsum-run <(camera) 4` means it; in a folder it is not."""
CASES = [
    (place, way) for place in PLACES for way in WAYS if (place, way) not in {(p, "run the file") for p in _WAITED_FOR}
]
Random(16).shuffle(CASES)


def attempt(current: Try) -> None:
    """One folder, one way to give it to a command."""
    name, way = CASES[current.index % len(CASES)]
    folder = current.folder / "pictures"
    folder.mkdir()
    try:
        lines, answers = PLACES[name](folder)
        _ask(folder, way, lines, answers)
    except FailedError as failed:
        raise FailedError(f"{name}, {way}: {failed}") from failed


def _ask(folder: Path, way: str, lines: int, answers: int) -> None:
    first = min(folder.iterdir()).name
    given: dict[str, list[str]] = {
        "run": ["pictures", "4"],
        "run --json": ["pictures", "4", "--json"],
        "run --explain": ["pictures", "4", "--explain", "seen.png"],
        "run the file": [f"pictures/{first}", "4"],
        "evaluate": ["pictures"],
        "evaluate --json": ["pictures", "--json", "--explain", "mistakes.png"],
        "model": ["pictures/z7.png", "4", "--model", f"pictures/{first}"],
        "out": ["pictures/z7.png", "4", "--explain", f"nowhere/{first}"],
    }
    command = "mnistsum-evaluate" if way.startswith("evaluate") else "mnistsum-run"
    end = run_program([BIN / command, *given[way]], folder.parent, stdin=None, seconds=SECONDS)
    judge(end, command, {"model": (3,), "out": (1, 2)}.get(way, (0, 1)), may_note=True)
    said = (end.out + end.err).decode(errors="replace")
    moves = re.findall("[\x7f-\x9f\u2028\u2029\u202e\u2066\u200b\ufeff]", said)
    require(not moves, f"raw {moves!a}: {end.shown()}")
    printed = end.out.decode(errors="replace").splitlines()
    if way in ("run", "run --explain"):
        require(len(printed) == answers, f"{len(printed)} answers, expected {answers}: {end.shown()}")
        complained = len(end.err.splitlines())
        require(complained == lines - answers, f"{complained} lines, expected {lines - answers}: {end.shown()}")
    elif way == "run --json":
        require(len(printed) == lines and not end.err, f"expected {lines} objects: {end.shown()}")
        found = [strict_json(line) for line in printed]
        require(sum(each["error"] is None for each in found) == answers, f"expected {answers} answers: {end.shown()}")
    elif way == "evaluate --json":
        strict_json(end.out)
    elif way in ("model", "out", "run the file"):
        require(len(end.err.splitlines()) == (1 if end.code else 0), f"not one line: {end.shown()}")


CAMPAIGN = Campaign(
    "names",
    "folders with escape sequences, bytes that are no text, loops of links, pipes and devices in their names and files",
    (16, len(CASES), len(CASES)),
    attempt,
)
