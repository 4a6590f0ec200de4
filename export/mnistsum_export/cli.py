"""`mnistsum-export`: options and printing, nothing else."""

import json
from math import isfinite
from pathlib import Path

import click

from mnistsum_runtime import __version__
from mnistsum_runtime.command import require_extra, run_command
from mnistsum_runtime.errors import CallError

SHIPPED_CHECKPOINT = Path(__file__).parents[2] / "artifacts" / "sum" / "checkpoint.safetensors"
"""There in a checkout, and only there."""


@click.command("mnistsum-export", context_settings={"show_default": True, "max_content_width": 100})
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="A .safetensors file from mnistsum-train.  [default: the shipped one, in a checkout]",
)
@click.option("--opset", type=int, default=17, help="ONNX operator set of the file, 13 to 23.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("mnistsum.onnx"), help="The file to write.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0, min_open=True),
    default=1e-4,
    help="Largest difference of a logit from torch's that passes.",
)
@click.option(
    "--samples",
    type=click.IntRange(1, 10_000),
    default=1000,
    help="MNIST test digits to compare on, each with all ten numbers.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
@click.version_option(__version__)
def command(checkpoint: Path | None, opset: int, output: Path, tolerance: float, samples: int, as_json: bool) -> None:
    """Turn a checkpoint into an ONNX file, and prove that the file answers as torch does.

    The same digits, and blank, saturated and noise pictures, go through torch, through onnxruntime (optimised and
    as written, in batches of 1, 2, 7 and 64) and through onnx's reference evaluator. The result is measured on the
    very bytes that are written, and goes into the file's metadata. Unless all logits are within the tolerance and
    all labels the same, nothing is written and the exit code is 1.
    """
    require_extra("export", "torch", "torchvision", "safetensors", "onnx", "onnxruntime")
    from mnistsum_export.export import export

    if not isfinite(tolerance):  # which click's ranges let through
        raise CallError(f"--tolerance {tolerance}: expected a number above 0")
    if checkpoint is None:
        if not SHIPPED_CHECKPOINT.exists():
            raise CallError("no --checkpoint given, and this is not a checkout with a shipped one")
        checkpoint = SHIPPED_CHECKPOINT
    result = export(checkpoint, output, opset, tolerance, samples)
    if as_json:
        click.echo(json.dumps(result.to_dict()))
        return
    click.echo(str(result.parity))
    click.echo(
        f"{result.output}: {result.operation}, opset {result.opset}, IR version {result.ir_version}, "
        f"{result.size:,} bytes, SHA-256 {result.sha256[:12]}"
    )


def main() -> None:
    """Entry point."""
    run_command(command)
