"""Export the shipped checkpoint at every supported opset, and verify each file on old and new onnxruntime releases.

Usage: python -m compat.measure [--checkpoint FILE] [--out FOLDER] (with tests/ on PYTHONPATH)
"""

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import click

from child_process import run, run_well
from compat.runtimes import OLD, Runtime, environment_python, newest
from compat.table import FAILED, REFUSED, VERIFIED, Result, Row, find_problems, require_verified, to_markdown
from mnistsum_export.cli import SHIPPED_CHECKPOINT
from mnistsum_runtime.atomic import write_atomically
from pi.wheelhouse import ROOT, build_wheel

SAMPLES = 100
"""Digits of the exporter's own check. What counts here is the verification by the references of each file."""
PROMISED = (17, "1.15.1")
"""The default opset on the oldest onnxruntime that pyproject.toml allows."""


@click.command("measure")
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED_CHECKPOINT, help="What is exported.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=ROOT / "artifacts", help="For compat.json and compat.md."
)
def command(checkpoint: Path, out: Path) -> None:
    """Write compat.json and compat.md: one exported file per opset on each onnxruntime release.

    Exit code 1, and nothing written, if a release verifies or refuses what mnistsum-export says it would not, or if a
    file of the default opset does not verify on the oldest release.
    """
    runtimes = [*OLD, newest()]
    pythons = {runtime.onnxruntime: environment_python(runtime) for runtime in runtimes}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        package = install_package(folder)
        rows = measure(export_all(checkpoint, folder), pythons, package)
        versions = [installed_versions(runtime, pythons[runtime.onnxruntime], package) for runtime in runtimes]
    click.echo(to_markdown(rows, versions), nl=False)
    problems = [*find_problems(rows), *require_verified(rows, *PROMISED)]
    if problems:
        raise click.ClickException("; ".join(problems))
    content = json.dumps({"runtimes": versions, "files": [row.to_dict() for row in rows]}, indent=2)
    write_atomically(out / "compat.json", f"{content}\n".encode())
    write_atomically(out / "compat.md", to_markdown(rows, versions).encode())


def install_package(folder: Path) -> Path:
    """mnistsum's wheel alone in a folder for PYTHONPATH: one for all environments, since it is pure Python."""
    package = folder / "package"
    wheel = build_wheel(folder)
    run_well([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", package, wheel])
    return package


def export_all(checkpoint: Path, folder: Path) -> list[dict[str, Any]]:
    """What mnistsum-export says of one file for each opset that it supports."""
    from mnistsum_export.network.export import export
    from mnistsum_export.proof.opsets import supported_opsets

    files = []
    for opset in supported_opsets():
        click.echo(f"exporting opset {opset} ...", err=True)
        files.append(export(checkpoint, folder / f"opset-{opset}.onnx", opset, 1e-4, SAMPLES).to_dict())
    return files


def measure(files: Sequence[Mapping[str, Any]], pythons: Mapping[str, Path], package: Path) -> list[Row]:
    """Every file on every release."""
    rows = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for file in files:
            results = pool.map(partial(verify, Path(file["output"]), package), pythons.values())
            facts = (file["opset"], file["ir_version"], file["oldest_onnxruntime"])
            rows.append(Row(*facts, dict(zip(pythons, results, strict=True))))
    return rows


def verify(model: Path, package: Path, python: Path) -> Result:
    """Run `mnistsum-verify` on a file with the onnxruntime of an environment."""
    script = package / "bin" / "mnistsum-verify"
    result = run([python, script, "--model", model, "--json"], {**os.environ, "PYTHONPATH": str(package)})
    said = " ".join(result.stderr.split())
    if result.returncode not in (0, 1) or not result.stdout:
        # 3 is the exit code for a model that is no good: here, one that onnxruntime does not load.
        return Result(REFUSED if result.returncode == 3 else FAILED, None, said)
    outputs = json.loads(result.stdout)["inference"]["outputs"]
    found = [output["largest_difference"] for output in outputs]
    return Result(VERIFIED if result.returncode == 0 else FAILED, None if None in found else max(found), said)


def installed_versions(runtime: Runtime, python: Path, package: Path) -> dict[str, str]:
    """Versions of what takes part in an answer, as they are installed in an environment."""
    module = "mnistsum_runtime.proof.provenance"
    script = f"import json; from {module} import describe_versions; print(json.dumps(describe_versions()))"
    found = json.loads(run_well([python, "-c", script], {**os.environ, "PYTHONPATH": str(package)}))
    versions = {name: str(found[name]) for name in ("onnxruntime", "numpy", "Pillow", "python", "machine")}
    if versions["onnxruntime"] != runtime.onnxruntime:
        raise click.ClickException(
            f"{python} has onnxruntime {versions['onnxruntime']}, expected {runtime.onnxruntime}"
        )
    return versions


if __name__ == "__main__":
    command()
