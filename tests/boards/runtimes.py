"""The onnxruntime builds and the processors that are tried on each other."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import click

from build_cache import make_once
from child_process import run, run_well
from pi.systems import System
from pi.wheelhouse import for_python

WHEEL, DEBIAN = "wheel", "debian"
"""Where a build is from: the package index, or Debian's archive."""
PYTHON = "3.11"
"""Of bookworm, and the only one that all of these wheels are for."""
_ARMV7 = [text for each in ("manylinux_2_31", "manylinux2014", "linux") for text in ("--platform", f"{each}_armv7l")]


@dataclass(frozen=True)
class Processor:
    """A core, as QEMU emulates it."""

    qemu: str
    name: str
    boards: str
    """Raspberry Pis that have it."""
    part: int
    """Arm's number of it, as in /proc/cpuinfo."""
    architecture: str
    """Debian's name of what its system is built for."""

    def system(self, suite: str, python: str) -> System:
        """A release on it."""
        return System(suite, python, self.boards, self.qemu, self.architecture)


@dataclass(frozen=True)
class Build:
    """A release of onnxruntime as somebody built it."""

    version: str
    origin: str = WHEEL
    numpy: str = "numpy"
    """Requirement of pip. Releases before 1.19 are built for numpy 1 and do not say so."""

    @property
    def name(self) -> str:
        """For tables."""
        return self.version if self.origin == WHEEL else f"{self.version}, Debian trixie's"


PROCESSORS = (
    Processor("cortex-a53", "Cortex-A53", "Pi 3, Zero 2 W", 0xD03, "arm64"),
    Processor("cortex-a72", "Cortex-A72", "Pi 4", 0xD08, "arm64"),
    Processor("cortex-a76", "Cortex-A76", "Pi 5", 0xD0B, "arm64"),
    Processor("cortex-a7", "Cortex-A7, 32-bit", "Pi 2", 0xC07, "armhf"),
)
BUILDS = (
    Build("1.17.3", numpy="numpy<2"),
    *(Build(version) for version in ("1.19.2", "1.20.1", "1.21.0", "1.21.1", "1.23.2", "1.26.0", "1.28.0", "1.32.0")),
    Build("1.21.0", DEBIAN),
)
"""From one of the oldest to that of constraints.txt, with the one that is known to die."""


class NoWheelError(Exception):
    """The package index has no wheel for the processor."""


def site(build: Build, processor: Processor) -> Path:
    """A folder for PYTHONPATH with a wheel and what it needs, installed for the processor's system without running it.

    Raises:
        NoWheelError: There is none.
        click.ClickException: It cannot be installed for another reason.
    """
    wanted = [f"onnxruntime=={build.version}", build.numpy, "Pillow", "click"]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    if processor.architecture == "armhf":
        options = ["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON, *_ARMV7]
        result = run([*pip, "--dry-run", "--target", "nowhere", "--no-deps", *options, wanted[0]])
        if "No matching distribution" not in result.stderr:
            raise click.ClickException(f"pip on {wanted[0]} for armv7l: {result.stderr}")
        raise NoWheelError("pip: no matching distribution")

    def make(folder: Path) -> None:
        click.echo(f"installing onnxruntime {build.version} for {processor.architecture} ...", err=True)
        run_well([*pip, "--target", folder, *for_python(PYTHON), *wanted])

    return make_once(f"site-onnxruntime-{build.version}-{processor.architecture}-{PYTHON}", make)
