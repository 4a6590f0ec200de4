"""Install the wheel on emulated Raspberry Pis as the README tells, and compare their answers with this machine's.

Usage: python -m pi.run_on_pi (with tests/ on PYTHONPATH)
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
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
from pi.proven import prove_others
from pi.readme import Lines, read_lines
from pi.systems import SYSTEMS, System
from pi.wheelhouse import ROOT, fill_wheelhouse

SAMPLES = ROOT / "artifacts" / "samples"
NUMBERS = (0, 4, 9)
OTHERS = "others"
"""Folder in the wheelhouse with files of other networks and their references."""
BIN = "mnistsum/bin"
"""Where the README's lines put the commands, in the home folder."""


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


@click.command("run_on_pi")
def command() -> None:
    """Run the README's lines for the Raspberry Pi in Debian arm64 systems under QEMU.

    On each system: the installation with and without a network, mnistsum-run on the sample pictures, mnistsum-verify
    on every shipped model and on five other networks that are proven here. Exit code 1 if a line fails or an answer
    differs from this machine's.
    """
    try:
        lines = read_lines((ROOT / "README.md").read_text(encoding="utf-8"))
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    install_tools()
    qemu()
    for system in SYSTEMS:
        debian_root(system.suite)
    with tempfile.TemporaryDirectory() as name:
        wheelhouse = Path(name)
        click.echo("building the wheelhouse ...", err=True)
        wheel = fill_wheelhouse(wheelhouse)
        models = shipped_models(wheel)
        here = answers_here(operations_of(models))
        click.echo("proving other networks ...", err=True)
        (wheelhouse / OTHERS).mkdir()
        prove_others(wheelhouse / OTHERS)
        with ThreadPoolExecutor(len(SYSTEMS)) as pool:
            outcomes = list(pool.map(lambda system: try_system(system, lines, wheel, models, here), SYSTEMS))
    click.echo("\n".join(map(str, outcomes)))
    if any(outcome.problems for outcome in outcomes):
        sys.exit(1)


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


def try_system(
    system: System,
    lines: Lines,
    wheel: Path,
    models: Mapping[str, tuple[str, str]],
    here: Sequence[dict[str, Any]],
) -> Outcome:
    """Install in both ways and ask for every answer on one system."""
    outcome = Outcome(system)
    try:
        home = home_after(system, lines.first)
        for network, what, text in (
            (True, "with a network", lines.with_network),
            (False, "without a network", lines.without_network),
        ):
            with tempfile.TemporaryDirectory() as name:
                click.echo(f"{system}: installing {what} ...", err=True)
                pi = EmulatedPi(system, Path(name) / "home", {} if network else {"wheelhouse": wheel.parent})
                shutil.copytree(home, pi.home, symlinks=True)
                for picture in picture_names():
                    shutil.copy(SAMPLES / picture, pi.home)
                if network:
                    shutil.copy(wheel, pi.home)
                said(pi.shell(text, network))
                if not network:
                    ask(pi, outcome, models, here, wheel.parent)
    except PiError as error:
        outcome.problems += str(error).splitlines()
    return outcome


def home_after(system: System, lines: str) -> Path:
    """A home folder in which the section's first lines have been run: once, until they change."""

    def make(folder: Path) -> None:
        click.echo(f"{system}: making the virtual environment ...", err=True)
        said(EmulatedPi(system, folder).shell(lines))

    digest = hashlib.sha256(lines.encode()).hexdigest()[:12]
    return make_once(f"home-{system.suite}-{digest}", make)


def ask(
    pi: EmulatedPi,
    outcome: Outcome,
    models: Mapping[str, tuple[str, str]],
    here: Sequence[dict[str, Any]],
    wheelhouse: Path,
) -> None:
    """Run the commands as they were installed, and note what differs."""
    click.echo(f"{pi.system}: asking ...", err=True)
    lines = "\n".join(f"{BIN}/mnistsum-run {' '.join(options)}" for options in calls(operations_of(models)))
    there = parse_answers(said(pi.shell(lines)))
    outcome.problems += compare_answers(here, there)
    outcome.answers = len(there)
    for name, (operation, precision) in models.items():
        model = "" if precision == FP32 else f" --model {precision}"
        result = pi.shell(f"{BIN}/mnistsum-verify --json --operation {operation}{model}")
        report = outcome.reports[name] = read_report(result)
        outcome.problems += check_verification(report, operation, precision, pi.system.python)
    for path in sorted((wheelhouse / OTHERS).glob("*.onnx")):
        for file in (path, references_path(path)):
            shutil.copy(file, pi.home)
        report = outcome.reports[path.name] = read_report(pi.shell(f"{BIN}/mnistsum-verify --json --model {path.name}"))
        outcome.problems += check_other_verification(report, pi.system.python)


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
