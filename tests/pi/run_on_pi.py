"""Install the wheel on emulated Raspberry Pis as runtime/platforms.md tells, and compare their answers with ours here.

Usage: python -m pi.run_on_pi [--all] (with tests/ on PYTHONPATH)
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import click

from build_cache import make_once
from child_process import run_well
from mnistsum_runtime.contract import FP32, INT8
from mnistsum_runtime.model import model_name
from mnistsum_runtime.operations import OPERATIONS
from mnistsum_runtime.proof.references import references_path
from pi.comparison import (
    check_other_verification,
    check_verification,
    compare_answers,
    parse_answers,
    worst_difference,
)
from pi.debian import debian_root, install_tools, qemu
from pi.emulator import EmulatedPi
from pi.possible import main as require_possible
from pi.proven import prove_others
from pi.readme import Lines, read_lines
from pi.systems import DEBIAN_SYSTEMS, OTHER_DEBIAN_SYSTEMS, SYSTEMS, System
from pi.wheelhouse import PICTURE, PYTHONS, REQUIREMENTS, ROOT, fill_wheelhouse

SAMPLES = ROOT / "artifacts" / "samples"
NUMBERS = (0, 4, 9)
OTHERS = "others"
"""Folder in the wheelhouse with files of other networks and their references."""
BIN = "mnistsum-venv/bin"
"""Where its lines put the commands, in the home folder."""


@dataclass
class Outcome:
    """What one system gave."""

    system: System
    answers: int = 0
    """Pictures with a number and an operation."""
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What `mnistsum-verify --json` printed, by the model's file name."""
    problems: list[str] = field(default_factory=list)
    """A line each; the test passes if no system has one."""

    def __str__(self) -> str:
        """A few lines for people."""
        here = next(iter(self.reports.values()), {}).get("here", {})
        versions = ", ".join(f"{name} {here.get(name)}" for name in ("python", "onnxruntime", "numpy", "Pillow"))
        lines = [f"{self.system}: {'FAILED' if self.problems else 'ok'}", f"  {versions}"]
        if not self.problems:
            lines.append(f"  {self.answers} answers as on this machine")
        for name, report in self.reports.items():
            pairs, outputs = report["inference"]["pairs"], report["inference"]["outputs"]
            equal = min(output["labels_equal"] for output in outputs)
            compared = min(output["labels_compared"] for output in outputs)
            lines.append(
                f"  {name}, {pairs} references: largest logit difference {worst_difference(report):.1e}, "
                f"labels equal {equal} of {compared}"
            )
        return "\n".join([*lines, *(f"  {problem}" for problem in self.problems)])


@dataclass(frozen=True)
class Here:
    """What the boards are given, and what this machine says of it."""

    lines: Lines
    wheel: Path
    """mnistsum's, in a wheelhouse that also has the files of `OTHERS`."""
    models: Mapping[str, tuple[str, str]]
    """Operation and precision of every model in the wheel, by its file name."""
    answers: Sequence[dict[str, Any]]


@click.command("run_on_pi")
@click.option("--all", "everywhere", is_flag=True, help="Try Debian's own packages on a 64-bit Pi 5 and on a PC too.")
def command(everywhere: bool) -> None:
    """Run the lines of runtime/platforms.md in Debian systems under QEMU.

    On each 64-bit system: the installation with and without a network. On a 32-bit one: that of Debian's own packages.
    Then mnistsum-run on the sample pictures, mnistsum-verify on every shipped model and on five other networks that are
    proven here. Exit code 1 if a line fails or an answer differs from this machine's.
    """
    require_possible()
    try:
        lines = read_lines((ROOT / "runtime" / "platforms.md").read_text(encoding="utf-8"))
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    with_debian = [*DEBIAN_SYSTEMS, *(OTHER_DEBIAN_SYSTEMS if everywhere else ())]
    prepare([*SYSTEMS, *with_debian])
    with tempfile.TemporaryDirectory() as name:
        wheelhouse = Path(name)
        click.echo("building the wheelhouse ...", err=True)
        wheel = fill_wheelhouse(wheelhouse, [python for python in PYTHONS if python in {s.python for s in SYSTEMS}])
        models = shipped_models(wheel)
        here = Here(lines, wheel, models, answers_here(operations_of(models)))
        click.echo("proving other networks ...", err=True)
        (wheelhouse / OTHERS).mkdir()
        prove_others(wheelhouse / OTHERS)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            wheels = pool.map(lambda system: try_system(system, install_wheels, here), SYSTEMS)
            packages = pool.map(lambda system: try_system(system, install_packages, here), with_debian)
            outcomes = [*wheels, *packages]
    click.echo("\n".join(map(str, outcomes)))
    if any(outcome.problems for outcome in outcomes):
        sys.exit(1)


def prepare(systems: Sequence[System]) -> None:
    """Make what takes long once: the tools, the emulators, the systems."""
    install_tools()
    qemu("arm")  # one package has both
    for system in systems:
        debian_root(system.suite, system.architecture)


def answers_here(operations: Sequence[str]) -> list[dict[str, Any]]:
    """What this machine answers on the sample pictures with each number and each operation."""
    executable = Path(sys.executable).with_name("mnistsum-run")
    answers = []
    for options in calls(operations):
        answers += parse_answers(run_well([executable, *options], folder=SAMPLES))
    return answers


def calls(operations: Sequence[str]) -> list[list[str]]:
    """The arguments of every call of mnistsum-run."""
    return [
        ["--json", "--operation", operation, *picture_names(), str(number)]
        for operation in operations
        for number in NUMBERS
    ]


def picture_names() -> list[str]:
    """The sample pictures, by name."""
    return sorted(path.name for path in SAMPLES.glob("*.png"))


def shipped_models(wheel: Path) -> dict[str, tuple[str, str]]:
    """Operation and precision of every model in the wheel, by its file name.

    Raises:
        click.ClickException: There is none, or one that no option of the commands names.
    """
    known = {
        model_name(operation, precision): (operation.name, precision)
        for operation in OPERATIONS.values()
        for precision in (FP32, INT8)
    }
    with zipfile.ZipFile(wheel) as archive:
        found = {PurePosixPath(name).name for name in archive.namelist() if name.endswith(".onnx")}
    if not found or found - known.keys():
        raise click.ClickException(f"{wheel.name} has the models {sorted(found)}, expected some of {sorted(known)}")
    return {name: known[name] for name in sorted(found)}


def operations_of(models: Mapping[str, tuple[str, str]]) -> list[str]:
    """The operations that have an fp32 model, which is what mnistsum-run takes."""
    return [operation for operation, precision in models.values() if precision == FP32]


def try_system(system: System, install: Callable[[System, Here, Path], EmulatedPi], here: Here) -> Outcome:
    """Install in one or more ways, and ask for every answer on one system."""
    outcome = Outcome(system)
    try:
        with tempfile.TemporaryDirectory() as name:
            ask(install(system, here, Path(name)), outcome, here)
    except PiError as error:
        outcome.problems += str(error).splitlines()
    return outcome


def install_wheels(system: System, here: Here, folder: Path) -> EmulatedPi:
    """Install with a network, and again without one; the latter."""
    root, home = debian_root(system.suite, system.architecture), home_after(system, here.lines.first)
    for network, what, text in (
        (True, "with a network", here.lines.with_network),
        (False, "without a network", here.lines.without_network),
    ):
        click.echo(f"{system}: installing {what} ...", err=True)
        pi = EmulatedPi(system, root, folder / what, {} if network else {"wheelhouse": here.wheel.parent})
        shutil.copytree(home, pi.home, symlinks=True)
        if network:
            carry(here.wheel, pi.home, REQUIREMENTS)
        said(pi.shell(text, network))
    return pi


def install_packages(system: System, here: Here, folder: Path) -> EmulatedPi:
    """Install Debian's packages, and our wheel on top without a network."""
    as_root = [line for line in here.lines.debian.splitlines() if line.startswith("sudo ")]
    rest = [line for line in here.lines.debian.splitlines() if not line.startswith("sudo ")]
    pi = EmulatedPi(system, root_after(system, as_root), folder)
    carry(here.wheel, pi.home)
    click.echo(f"{system}: installing on Debian's packages ...", err=True)
    said(pi.shell("\n".join(rest)))
    return pi


def carry(wheel: Path, home: Path, *more: str) -> None:
    """Copy of the wheelhouse what that page says is enough."""
    (home / "wheelhouse").mkdir()
    for name in (wheel.name, PICTURE.name, *more):
        shutil.copy(wheel.with_name(name), home / "wheelhouse")


def home_after(system: System, lines: str) -> Path:
    """A home folder in which the section's first lines have been run: once, until they change."""

    def make(folder: Path) -> None:
        click.echo(f"{system}: making the virtual environment ...", err=True)
        said(EmulatedPi(system, debian_root(system.suite, system.architecture), folder).shell(lines))

    return make_once(f"home-{system.suite}-{digest(lines)}", make)


def root_after(system: System, lines: Sequence[str]) -> Path:
    """A root in which lines of `sudo` have been run: once, until they change."""

    def make(folder: Path) -> None:
        click.echo(f"{system}: {'; '.join(lines)} ...", err=True)
        run_well(["cp", "--archive", f"{debian_root(system.suite, system.architecture)}/.", folder])
        with tempfile.TemporaryDirectory() as home:
            said(EmulatedPi(system, folder, Path(home)).shell("\n".join(lines), network=True))

    return make_once(f"root-{system.suite}-{system.architecture}-{digest(*lines)}", make)


def digest(*lines: str) -> str:
    """A short name of lines."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def ask(pi: EmulatedPi, outcome: Outcome, here: Here) -> None:
    """Run the commands as they were installed, and note what differs."""
    click.echo(f"{pi.system}: asking ...", err=True)
    for picture in picture_names():
        shutil.copy(SAMPLES / picture, pi.home)
    lines = "\n".join(f"{BIN}/mnistsum-run {' '.join(options)}" for options in calls(operations_of(here.models)))
    there = parse_answers(said(pi.shell(lines)))
    outcome.problems += compare_answers(here.answers, there)
    outcome.answers = len(there)
    for name, (operation, precision) in here.models.items():
        model = "" if precision == FP32 else f" --model {precision}"
        result = pi.shell(f"{BIN}/mnistsum-verify --json --operation {operation}{model}")
        report = outcome.reports[name] = read_report(result)
        outcome.problems += check_verification(report, operation, precision, pi.system)
    for path in sorted((here.wheel.parent / OTHERS).glob("*.onnx")):
        for file in (path, references_path(path)):
            shutil.copy(file, pi.home)
        report = outcome.reports[path.name] = read_report(pi.shell(f"{BIN}/mnistsum-verify --json --model {path.name}"))
        outcome.problems += check_other_verification(report, pi.system)


def read_report(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON object of `mnistsum-verify`.

    Raises:
        PiError: There is none.
    """
    if result.returncode not in (0, 1):
        said(result)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


class PiError(Exception):
    """A line failed on a Pi; the message is what it said."""


def said(result: subprocess.CompletedProcess[str]) -> str:
    """What the lines printed.

    Raises:
        PiError: One failed.
    """
    if result.returncode:
        end = "\n".join((result.stdout + result.stderr).splitlines()[-15:])
        raise PiError(f"exit code {result.returncode} of:\n{result.args[-1].rstrip()}\nwhich said:\n{end}")
    return result.stdout


if __name__ == "__main__":
    command()
