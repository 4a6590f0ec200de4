"""Every onnxruntime build on every processor: does it install, start, verify, and if not, how does it die?

Usage: python -m boards.measure (with tests/ on PYTHONPATH)

Each cell is kept in runs/boards/ as soon as it is measured: interrupted, the same command goes on.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from boards.runtimes import BUILDS, DEBIAN, PROCESSORS, PYTHON, Build, NoWheelError, Processor, site
from boards.table import explain, find_problems, to_known
from child_process import run_well
from mnistsum_runtime.atomic import write_atomically
from pi.comparison import worst_difference
from pi.debian import debian_root
from pi.emulator import EmulatedPi
from pi.possible import main as require_possible
from pi.readme import read_lines
from pi.run_on_pi import prepare, root_after
from pi.wheelhouse import ROOT, build_wheel

KEPT = ROOT / "runs" / "boards"
KNOWN = ROOT / "runtime/mnistsum_runtime/measure/known.json"


@click.command("measure")
def command() -> None:
    """Write artifacts/boards.json, and what the doctor knows of it.

    Exit code 1, and nothing written, if a cell is empty or a failure is not explained.
    """
    require_possible()
    prepare([])
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        package = install_package(Path(name))
        cells = [cell for build in BUILDS for processor in PROCESSORS for cell in [kept(build, processor, package)]]
    cells = [cell | {"explanation": explain(cell)} for cell in cells]
    builds, processors = [build.name for build in BUILDS], [processor.name for processor in PROCESSORS]
    problems = find_problems(cells, builds, processors)
    if problems:
        raise click.ClickException("; ".join(problems))
    about = {"python": {"wheel": PYTHON, "debian": "3.13"}, "qemu": qemu_version()}
    boards = {processor.name: processor.boards for processor in PROCESSORS}
    content = {**about, "builds": builds, "processors": boards, "cells": cells}
    write_atomically(ROOT / "artifacts/boards.json", f"{json.dumps(content, indent=1)}\n".encode())
    write_atomically(KNOWN, to_known(cells).encode())


def install_package(folder: Path) -> Path:
    """mnistsum's wheel alone in a folder for PYTHONPATH: one for all, since it is pure Python."""
    package = folder / "package"
    wheel = build_wheel(folder)
    run_well([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", package, wheel])
    return package


def qemu_version() -> str:
    """Of the emulator."""
    from pi.debian import qemu

    return run_well([qemu("aarch64"), "--version"]).split()[2]


def kept(build: Build, processor: Processor, package: Path) -> dict[str, Any]:
    """The cell, measured unless it has been."""
    file = KEPT / f"{build.version}-{build.origin}-{processor.qemu}.json"
    if not file.exists():
        click.echo(f"onnxruntime {build.name} on {processor.name} ...", err=True)
        write_atomically(file, f"{json.dumps(measure(build, processor, package))}\n".encode())
    cell: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return cell


def measure(build: Build, processor: Processor, package: Path) -> dict[str, Any]:
    """One cell: the build installed on the processor's system, and asked to verify the shipped model."""
    cell: dict[str, Any] = {
        "build": build.name,
        "onnxruntime": build.version,
        "origin": build.origin,
        "processor": processor.name,
        "part": processor.part,
        "machine": processor.system("", "").machine,
        "numpy": None,
        "installs": False,
        "starts": False,
        "verifies": False,
        "largest_difference": None,
        "how": None,
    }
    with tempfile.TemporaryDirectory() as home:
        try:
            pi = install(build, processor, package, Path(home))
        except NoWheelError as error:
            return cell | {"how": str(error)}
        return cell | {"installs": True} | verify(pi)


def install(build: Build, processor: Processor, package: Path, home: Path) -> EmulatedPi:
    """A system with the build: Debian's packages as runtime/platforms.md says, or a wheel beside Python.

    Raises:
        NoWheelError: There is no wheel for it.
    """
    folders, paths = {"package": package}, ["/home/pi/package"]
    if build.origin == DEBIAN:
        system = processor.system("trixie", "3.13")
        lines = read_lines((ROOT / "runtime" / "platforms.md").read_text(encoding="utf-8")).debian.splitlines()
        root = root_after(system, [line for line in lines if line.startswith("sudo ")])
    else:
        system = processor.system("bookworm", PYTHON)
        folders["site"] = site(build, processor)
        paths.append("/home/pi/site")
        root = debian_root(system.suite, system.architecture)
    return EmulatedPi(system, root, home, folders, {"PYTHONPATH": ":".join(paths)})


def verify(pi: EmulatedPi) -> dict[str, Any]:
    """What the commands say there; of a failure the doctor tells how far it came."""
    result = pi.shell("python3 package/bin/mnistsum-verify --json")
    if result.returncode in (0, 1) and result.stdout:
        report = json.loads(result.stdout)
        found = {
            "numpy": report["here"]["numpy"],
            "starts": True,
            "verifies": result.returncode == 0,
            "largest_difference": worst_difference(report),
        }
        return found if result.returncode == 0 else found | {"how": "answers differ from those recorded"}
    page = json.loads(pi.shell("python3 package/bin/mnistsum-doctor --json || true").stdout)
    checks = {check["check"]: check for check in page["checks"]}
    *_, last = (check for check in page["checks"] if check["verdict"] == "problem")
    return {
        "numpy": checks["numpy installed"]["found"],
        "starts": checks.get("importing onnxruntime", {}).get("verdict") == "ok",
        "how": f"{last['check']}: {last['found']}",
    }


if __name__ == "__main__":
    command()
