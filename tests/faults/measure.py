"""Put every planted fault before `prove()`, torch's own checks and Polygraphy, on the same examples and the same graph.

Usage: python -m faults.measure [--out FOLDER] (with tests/ on PYTHONPATH)
"""

from __future__ import annotations

import json
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path

import click
import onnx
import torch

from faults import polygraphy
from faults.fault import Fault
from faults.faults import FAULTS, SOUND
from faults.table import (
    ASSERT,
    IMPOSSIBLE,
    PASSED,
    POLYGRAPHY,
    PROVE,
    REFUSED,
    VERIFY,
    Result,
    Row,
    find_problems,
    shortened,
)
from faults.torch_checks import check_assert, check_verify, sound_program
from mnistsum_export.proof.convert import ConversionError, convert_by_tracing
from mnistsum_export.proof.signature import make_signature
from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.errors import CallError, WorkError
from pi.wheelhouse import ROOT


@click.command("measure")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "artifacts", help="For faults.json.")
def command(out: Path) -> None:
    """Write faults.json: what each check says of each planted fault.

    Exit code 1, and nothing written, if `prove()` lets one through, does not name the submodule that is to blame, or
    refuses a sound graph.
    """
    torch.set_num_threads(1)
    rows = [measure(fault) for fault in FAULTS]
    sound = [measure(twin) for twin in SOUND.values()]
    problems = find_problems(rows, sound)
    if problems:
        raise click.ClickException("; ".join(problems))
    content = {"versions": versions()} | {
        what: [row.to_dict() for row in measured] for what, measured in (("faults", rows), ("sound", sound))
    }
    write_atomically(out / "faults.json", f"{json.dumps(content, indent=2)}\n".encode())


def measure(fault: Fault) -> Row:
    """One fault through all checks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = check_prove(fault, folder / "proven.onnx")
        in_module = fault.change is None
        checks = in_the_module(fault, folder) if in_module else in_the_graph(fault, folder)
    results = {PROVE: found} | checks
    told = ", ".join(f"{check} {result.status}" for check, result in results.items())
    click.echo(f"{fault.name}: {told}", err=True)
    return Row(fault.name, fault.what, fault.where, fault.blamed, results)


def check_prove(fault: Fault, output: Path) -> Result:
    """What `prove()` says."""
    try:
        fault.prove(output)
    except (CallError, WorkError) as error:
        return Result(REFUSED, shortened(str(error)))
    return Result(PASSED)


def in_the_module(fault: Fault, folder: Path) -> dict[str, Result]:
    """Torch exports the module as it is; Polygraphy gets the file, by the older exporter where the newer one raises."""
    verified, program = check_verify(fault)
    path = folder / "model.onnx"
    results = {VERIFY: verified, ASSERT: check_assert(fault, program, path)}
    try:
        onnx.save(trace(fault) if program is None else program.model_proto, path)
        polygraphy.save_examples(fault.network, folder)
    except (ConversionError, CallError, ValueError) as error:
        return results | {POLYGRAPHY: Result(IMPOSSIBLE, f"there is no file: {shortened(str(error))}")}
    return results | {POLYGRAPHY: polygraphy.check_polygraphy(path)}


def in_the_graph(fault: Fault, folder: Path) -> dict[str, Result]:
    """The file with the fault; `verify=True` looks at its own conversion only, and cannot be asked."""
    path = folder / "model.onnx"
    fault.save(path)
    polygraphy.save_examples(fault.network, folder)
    return {
        VERIFY: Result(IMPOSSIBLE, "it looks at its own conversion only"),
        ASSERT: check_assert(fault, sound_program(fault.network), path),
        POLYGRAPHY: polygraphy.check_polygraphy(path),
    }


def trace(fault: Fault) -> onnx.ModelProto:
    """The file of torch's older exporter."""
    network = fault.network
    examples = network.examples()
    outputs = dict.fromkeys(network.outputs, next(iter(examples.values())))
    return convert_by_tracing(
        network.module(), examples, make_signature(examples, outputs, network.dynamic), network.opset
    ).model


def versions() -> dict[str, str]:
    """Of everything that took part."""
    packages = ("torch", "onnx", "onnxruntime", "onnxscript", "numpy")
    return {name: version(name) for name in packages} | {
        "polygraphy": polygraphy.VERSION,
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    command()
