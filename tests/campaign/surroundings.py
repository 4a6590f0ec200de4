"""Every command in odd surroundings: the documented exit code and a line, whatever is full, missing or forbidden."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random

from campaign.forking import End, run_program
from campaign.judging import judge
from campaign.trying import ApartError, Campaign, FailedError, SkippedError, Try, require
from pi.wheelhouse import ROOT
from recording import enlarged

BIN = Path(sys.executable).parent
PATIENCE = 240.0
TOO_LITTLE = "too little for Python or onnxruntime to start"
"""The process died of the lack outside of the product: of a failed allocation in C++, or before a line of it ran."""
COMMANDS: dict[str, tuple[str, ...]] = {
    "run": ("mnistsum-run", "{}/7.png", "4"),
    "run --json": ("mnistsum-run", "{}/7.png", "4", "--json"),
    "run -": ("mnistsum-run", "-", "4"),
    "run --explain": ("mnistsum-run", "{}/7.png", "4", "--explain", "seen.png"),
    "verify": ("mnistsum-verify",),
    "verify --json": ("mnistsum-verify", "--json"),
    "verify --limited": ("mnistsum-verify", "--limited"),
    "evaluate": ("mnistsum-evaluate", "{}", "--number", "4"),
    "doctor": ("mnistsum-doctor",),
    "a wrong call": ("mnistsum-run", "{}/7.png", "44"),
    "no model": ("mnistsum-verify", "--model", "none.onnx"),
    "help": ("mnistsum-run", "--help"),
    "bench": ("bench",),
    "export": ("mnistsum-export", "--samples", "1", "--output", "m.onnx"),
    "train": ("train",),
}
HEAVY = ("bench", "export", "train")


@dataclass(frozen=True)
class Surrounding:
    """A line of a shell that runs `"$@"` somewhere."""

    script: str
    root: bool = False
    """Needs the rights to mount, or to become somebody else."""
    hears: bool = True
    """Whether standard error can be read."""
    died: bool = False
    """The process may die of it outside of the product."""


def _mounted(options: str, what: str = "tmpfs") -> Surrounding:
    """A folder of its own to work in."""
    mount = f'mount -t {what} -o {options} none "$PLACE"'
    return Surrounding(f'exec unshare -m sh -c \'{mount} && cd "$PLACE" && exec "$@"\' sh "$@"', root=True)


SURROUNDINGS: dict[str, Surrounding] = {
    "as usual": Surrounding('exec "$@"'),
    "disk of 4 kB": _mounted("size=4k"),
    "disk of 64 kB": _mounted("size=64k"),
    "disk of two files": _mounted("nr_inodes=2"),
    "read-only disk": _mounted("ro"),
    "full temporary folder": Surrounding(
        "mkdir own; exec unshare -m sh -c "
        '\'mount -t tmpfs -o size=4k none own && exec env TMPDIR="$PLACE/own" "$@"\' sh "$@"',
        root=True,
    ),
    "no temporary folder": Surrounding(
        "exec unshare -m sh -c 'for d in /tmp /var/tmp; do mount --bind $d $d && mount -o remount,ro,bind $d; done; "
        'TMPDIR=/nowhere exec "$@"\' sh "$@"',
        root=True,
    ),
    "temporary folder that is not there": Surrounding('TMPDIR=/nowhere exec "$@"'),
    "no home": Surrounding('unset HOME; exec "$@"'),
    "home that is not there": Surrounding('HOME=/nowhere exec "$@"'),
    "home that is a device": Surrounding('HOME=/dev/null exec "$@"'),
    "no environment": Surrounding('exec env -i "$@"'),
    "standard input closed": Surrounding('exec "$@" <&-'),
    "standard output closed": Surrounding('exec "$@" >&-'),
    "standard error closed": Surrounding('exec "$@" 2>&-', hears=False),
    "all closed": Surrounding('exec "$@" <&- >&- 2>&-', hears=False),
    "standard output full": Surrounding('exec "$@" > /dev/full'),
    "standard error full": Surrounding('exec "$@" 2> /dev/full', hears=False),
    "both full": Surrounding('exec "$@" > /dev/full 2> /dev/full', hears=False),
    "unbuffered and full": Surrounding('PYTHONUNBUFFERED=1 exec "$@" > /dev/full'),
    "broken pipe": Surrounding('"$@" | true; exit "${PIPESTATUS[0]}"'),
    "unbuffered broken pipe": Surrounding('export PYTHONUNBUFFERED=1; "$@" | true; exit "${PIPESTATUS[0]}"'),
    **{f"{size} MB": Surrounding(f'ulimit -v {size}000; exec "$@"', died=True) for size in (60, 150, 400, 800, 1500)},
    **{f"{count} files": Surrounding(f'ulimit -n {count}; exec "$@"', died=count < 8) for count in (4, 6, 8, 12, 20)},
    "files of no more than 8 kB": Surrounding('ulimit -f 8; exec "$@"'),
    "C locale": Surrounding('exec env LC_ALL=C LANG=C PYTHONCOERCECLOCALE=0 PYTHONUTF8=0 "$@"'),
    "unknown locale": Surrounding('exec env LC_ALL=xx_XX.unknown "$@"'),
    "ASCII output": Surrounding('PYTHONIOENCODING=ascii:strict exec "$@"'),
    "a user without rights": Surrounding(
        'chmod -R a+rX "$PLACE"; exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"', root=True
    ),
    "no network": Surrounding('exec unshare -n "$@"', root=True),
    "no /proc": Surrounding('exec unshare -m sh -c \'mount -t tmpfs none /proc && exec "$@"\' sh "$@"', root=True),
    "no /sys": Surrounding('exec unshare -m sh -c \'mount -t tmpfs none /sys && exec "$@"\' sh "$@"', root=True),
    "warnings are errors": Surrounding('PYTHONWARNINGS=error exec "$@"'),
    "another program's paths": Surrounding('PYTHONHASHSEED=3 PYTHONDONTWRITEBYTECODE=1 PYTHONOPTIMIZE=2 exec "$@"'),
    "interrupts ignored": Surrounding('trap "" INT PIPE; exec "$@"'),
    "no terminal type": Surrounding('TERM= COLUMNS=1 LINES=0 exec "$@"'),
}
CASES = [(where, what) for where in SURROUNDINGS for what in COMMANDS]
Random(16).shuffle(CASES)
CASES.sort(key=lambda case: case[1] in HEAVY)
"""The quick ones first, so that a short campaign ends soon."""


def attempt(current: Try) -> None:
    """One command, one surrounding."""
    where, what = CASES[current.index % len(CASES)]
    surrounding = SURROUNDINGS[where]
    if surrounding.root and (os.geteuid() != 0 or shutil.which("unshare") is None):
        raise SkippedError("needs root")
    pictures = current.folder / "pictures"
    (pictures / "7").mkdir(parents=True)
    for name in ("7.png", "7/a.png"):
        (pictures / name).write_bytes(enlarged(7))
    place = current.folder / "place"
    place.mkdir()
    current.folder.chmod(0o755)
    current.folder.parent.chmod(0o755)
    command = _command(what, pictures)
    environment = os.environ | {"PLACE": str(place), "OMP_NUM_THREADS": "1"}
    if what in HEAVY:
        environment["PYTHONPATH"] = os.pathsep.join((str(ROOT / "tests"),))
    end = run_program(
        ["bash", "-c", f'cd "$PLACE"; {surrounding.script}', "bash", *command],
        place,
        stdin=enlarged(7),
        seconds=PATIENCE,
        environment=environment,
    )
    _judge(where, what, surrounding, end)


def _command(what: str, pictures: Path) -> list[str]:
    name, *arguments = (text.replace("{}", str(pictures)) for text in COMMANDS[what])
    if name == "bench":
        return [sys.executable, "-c", "from campaign.in_process import bench_shortly; bench_shortly()"]
    if name == "train":
        return [sys.executable, str(ROOT / "tests" / "small_training.py"), "--epochs", "1", "--out", "trained"]
    return [str(BIN / name), *arguments]


def _judge(where: str, what: str, surrounding: Surrounding, end: End) -> None:
    name = {"bench": "mnistsum-bench", "train": "mnistsum-train"}.get(what, COMMANDS[what][0])
    label = f"{what}, {where}: "
    if surrounding.died and _died_outside(end):
        raise ApartError(TOO_LITTLE)
    require(not end.late, f"{label}{end.shown()}")
    codes = {"a wrong call": (2,), "no model": (3,)}.get(what, (0, 1, 2, 3))
    if where == "as usual" and what not in ("a wrong call", "no model"):
        codes = (0,)
    try:
        judge(end, name, codes, may_note=True)
    except FailedError as failed:
        raise FailedError(label + str(failed)) from failed
    broken = "broken pipe" in where and end.code == 1
    lines = end.err.decode(errors="replace").splitlines()
    if what == "run --json" and end.code == 1 and not lines:
        return
    if surrounding.hears and end.code and not broken and what != "doctor" and what not in HEAVY:
        wanted = [line for line in lines if re.match(f"{name}: .", line)]
        require(len(lines) == 1 == len(wanted), f"{label}not one line: {end.shown()}")
    elif what in HEAVY and surrounding.hears and end.code and not broken:
        require(re.match(f"{name}: .", lines[-1] if lines else ""), f"{label}no last line: {end.shown()}")


def _died_outside(end: End) -> bool:
    """Without a line of the product, or with all that a package said that could not be imported."""
    said = end.err.decode(errors="replace")
    if end.code == 2 and ": the installation is broken: " in said.splitlines()[-1]:
        return True
    return end.code in (-6, -11, 127, 126, 134, 139) or ("mnistsum" not in said and end.code != 0)


CAMPAIGN = Campaign(
    "surroundings",
    f"{len(COMMANDS)} calls of seven commands in {len(SURROUNDINGS)} surroundings: full disks, closed streams, "
    "no rights, little memory ...",
    (24, 250, len(CASES)),
    attempt,
)
