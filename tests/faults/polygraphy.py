"""What Polygraphy says of a file: `polygraphy run` with its own comparison, in an environment of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
import onnxruntime
import torch

from build_cache import make_once
from child_process import run, run_well
from faults.fault import Network
from faults.table import PASSED, REFUSED, WARNED, Result, shortened
from faults.torch_checks import tensors
from mnistsum_export.proof.module import flatten

VERSION = "0.53.6"
REQUIREMENTS = (f"polygraphy=={VERSION}", f"onnx=={onnx.__version__}", f"onnxruntime=={onnxruntime.__version__}")
"""The same engine as this one: what differs is the comparison."""
MARKS = ("[W]", "[E]", "[!]")
"""How its warnings and errors begin."""
SUMMARY = ("Accuracy Summary", "Runtime:", "Mismatched outputs")
"""Lines that say again what others said, with the time or a path."""
TO_JSON = """
import sys
import numpy as np
from polygraphy.comparator import IterationResult, RunResults
from polygraphy.json import save_json
inputs, answers = ({name: array for name, array in np.load(f"{name}.npz").items()} for name in ("inputs", "answers"))
save_json([inputs], "inputs.json")
results = RunResults()
results["torch"] = [IterationResult(outputs=answers, runner_name="torch")]
results.save("answers.json")
"""


def environment() -> Path:
    """The folder of the commands of Polygraphy's environment, which is made at the first call."""

    def make(folder: Path) -> None:
        click.echo(f"installing Polygraphy {VERSION} ...", err=True)
        python = folder / "bin/python"
        run_well([sys.executable, "-m", "venv", folder])
        run_well([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS])

    return (
        make_once(f"polygraphy-{VERSION}-onnxruntime-{onnxruntime.__version__}-onnx-{onnx.__version__}", make) / "bin"
    )


def save_examples(network: Network, folder: Path) -> None:
    """Write all examples, and what torch answers to them, in Polygraphy's own form."""
    with torch.inference_mode():
        answers = flatten(network.module()(*tensors(network)))
    named = dict(zip(network.outputs, answers, strict=True))
    save_arrays(folder / "inputs.npz", network.examples())
    save_arrays(folder / "answers.npz", {name: tensor.numpy() for name, tensor in named.items()})
    run_well([environment() / "python", "-c", TO_JSON], folder=folder)


def save_arrays(path: Path, arrays: dict[str, Any]) -> None:
    """As `numpy.savez`, whose annotation has no names that are not known."""
    np.savez(path, **arrays)


def check_polygraphy(model: Path) -> Result:
    """Compare a file with torch's answers, which `save_examples` has put beside it."""
    program: list[str | Path] = [environment() / "python", environment() / "polygraphy"]
    data = ["--load-inputs", "inputs.json", "--load-outputs", "answers.json"]
    result = run([*program, "run", model.name, "--onnxrt", *data, "--log-format", "no-colors"], folder=model.parent)
    said = (result.stdout + result.stderr).replace(f"{model.parent}/", "")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(MARKS) and not any(word in line for word in SUMMARY)]
    if result.returncode != 0:
        return Result(REFUSED, shortened("; ".join(telling or lines[-1:])))
    return Result(WARNED if telling else PASSED, shortened("; ".join(telling)))
