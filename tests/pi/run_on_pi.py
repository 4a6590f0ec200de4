"""Install the wheel on emulated Raspberry Pis as the README tells, and compare their answers with this machine's.

Usage: python -m pi.run_on_pi [--out FILE] (with tests/ on PYTHONPATH)
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from build_cache import make_once
from child_process import run_well
from mnistsum_runtime.atomic import write_atomically
from pi.comparison import check_verification, compare_answers, parse_answers, worst_difference
from pi.debian import debian_root, install_tools, qemu
from pi.emulator import EmulatedPi
from pi.readme import Lines, read_lines
from pi.systems import SYSTEMS, System
from pi.wheelhouse import ROOT, fill_wheelhouse

SAMPLES = ROOT / "artifacts" / "samples"
NUMBERS = (0, 4, 9)
BIN = "mnistsum/bin"
"""Where the README's lines put the commands, in the home folder."""


@dataclass
class Outcome:
    """What one system gave."""

    system: System
    answers: int = 0
    """Pairs of a sample picture and a number."""
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What `mnistsum-verify --json` printed, by precision."""
    problems: list[str] = field(default_factory=list)
    """A line each; the test passes if no system has one."""

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, for a table."""
        here = next(iter(self.reports.values()), {}).get("here", {})
        return {
            "board": self.system.board,
            "processor": self.system.processor,
            "suite": self.system.suite,
            "versions": here,
            "answers_equal": self.answers,
            "models": {
                precision: {
                    "largest_difference": worst_difference(report),
                    "pairs": report["inference"]["pairs"],
                    "labels_compared": min(o["labels_compared"] for o in report["inference"]["outputs"]),
                    "labels_equal": min(o["labels_equal"] for o in report["inference"]["outputs"]),
                }
                for precision, report in self.reports.items()
            },
        }

    def __str__(self) -> str:
        """A few lines for people."""
        facts = self.to_dict()
        versions = ", ".join(
            f"{name} {facts['versions'].get(name)}" for name in ("python", "onnxruntime", "numpy", "Pillow")
        )
        lines = [f"{self.system}: {'FAILED' if self.problems else 'ok'}", f"  {versions}"]
        if not self.problems:
            lines.append(f"  {self.answers} answers as on this machine")
        lines += [
            f"  {precision}, {model['pairs']} references: largest logit difference {model['largest_difference']:.1e}, "
            f"labels equal {model['labels_equal']} of {model['labels_compared']}"
            for precision, model in facts["models"].items()
        ]
        return "\n".join([*lines, *(f"  {problem}" for problem in self.problems)])


@click.command("run_on_pi")
@click.option("--out", type=click.Path(path_type=Path), help="Also write the figures to this JSON file.")
def command(out: Path | None) -> None:
    """Run the README's lines for the Raspberry Pi in Debian arm64 systems under QEMU.

    On each system: the installation with and without a network, mnistsum-run on the sample pictures and
    mnistsum-verify on every shipped model. Exit code 1 if a line fails or an answer differs from this machine's.
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
        here = answers_here()
        with ThreadPoolExecutor(len(SYSTEMS)) as pool:
            outcomes = list(pool.map(lambda system: try_system(system, lines, wheel, here), SYSTEMS))
    click.echo("\n".join(map(str, outcomes)))
    if any(outcome.problems for outcome in outcomes):
        sys.exit(1)
    if out is not None:
        content = json.dumps([outcome.to_dict() for outcome in outcomes], indent=2)
        write_atomically(out, f"{content}\n".encode())


def answers_here() -> list[dict[str, Any]]:
    """What this machine answers on the sample pictures with each number."""
    executable = Path(sys.executable).with_name("mnistsum-run")
    answers = []
    for number in NUMBERS:
        answers += parse_answers(run_well([executable, "--json", *picture_names(), str(number)], folder=SAMPLES))
    return answers


def picture_names() -> list[str]:
    """The sample pictures, by name."""
    return sorted(path.name for path in SAMPLES.glob("*.png"))


def shipped_precisions(wheel: Path) -> list[str]:
    """The precisions whose models are in the wheel; fp32 must be."""
    with zipfile.ZipFile(wheel) as archive:
        int8 = any(name.endswith("-int8.onnx") for name in archive.namelist())
    return ["fp32", "int8"] if int8 else ["fp32"]


def try_system(system: System, lines: Lines, wheel: Path, here: Sequence[dict[str, Any]]) -> Outcome:
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
                    ask(pi, outcome, shipped_precisions(wheel), here)
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


def ask(pi: EmulatedPi, outcome: Outcome, precisions: Sequence[str], here: Sequence[dict[str, Any]]) -> None:
    """Run the commands as they were installed, and note what differs."""
    click.echo(f"{pi.system}: asking ...", err=True)
    pictures = " ".join(picture_names())
    calls = "\n".join(f"{BIN}/mnistsum-run --json {pictures} {number}" for number in NUMBERS)
    there = parse_answers(said(pi.shell(calls)))
    outcome.problems += compare_answers(here, there)
    outcome.answers = len(there)
    for precision in precisions:
        model = "" if precision == "fp32" else f" --model {precision}"
        result = pi.shell(f"{BIN}/mnistsum-verify --json{model}")
        if result.returncode not in (0, 1):
            said(result)
        report = json.loads(result.stdout)
        outcome.reports[precision] = report
        outcome.problems += check_verification(report, precision, pi.system.python)


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
