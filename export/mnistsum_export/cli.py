"""`mnistsum-export`: options and printing, nothing else."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnistsum_runtime import __version__
from mnistsum_runtime.commands.options import require_extra, run_command
from mnistsum_runtime.contract import FP32, INT8
from mnistsum_runtime.errors import CallError

if TYPE_CHECKING:
    from mnistsum_export.network.export import Export
    from mnistsum_export.network.export_int8 import Int8Export

SHIPPED_CHECKPOINT = Path(__file__).parents[2] / "artifacts" / "sum" / "checkpoint.safetensors"
"""There in a checkout, and only there."""
TOLERANCE = 1e-4
SAMPLES = 1000


@click.command("mnistsum-export", context_settings={"show_default": True, "max_content_width": 100})
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="A .safetensors file from mnistsum-train.  [default: the shipped one, in a checkout]",
)
@click.option("--opset", type=int, default=17, help="ONNX operator set of the file, 13 to 23.")
@click.option(
    "--precision",
    type=click.Choice([FP32, INT8]),
    default=FP32,
    help="int8: quantised with training digits, and compared with fp32 on digits that it was not trained on.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The file to write; its references go beside it.  [default: mnistsum.onnx, or mnistsum-int8.onnx]",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, min_open=True),
    help=f"fp32: largest difference of a logit from torch's that passes.  [default: {TOLERANCE:g}]",
)
@click.option(
    "--samples",
    type=click.IntRange(1, 10_000),
    help=f"fp32: MNIST test digits to compare on, each with all ten numbers.  [default: {SAMPLES}]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
@click.version_option(__version__)
def command(
    checkpoint: Path | None,
    opset: int,
    precision: str,
    output: Path | None,
    tolerance: float | None,
    samples: int | None,
    as_json: bool,
) -> None:
    """Turn a checkpoint into an ONNX file, and prove that the file answers as torch does.

    The same digits, and blank, saturated and noise pictures, go through torch, through onnxruntime (optimised and
    as written, in batches of 1, 2, 7 and 64) and through onnx's reference evaluator. The result is measured on the
    very bytes that are written, and goes into the file's metadata. Unless all logits are within the tolerance and
    all labels the same, nothing is written and the exit code is 1.

    An int8 file answers a little differently by nature. It is written if it gets at most 0.05 points less right on
    the 5,000 validation pictures with all ten numbers, and has at most 40 % of fp32's bytes.

    References for mnistsum-verify are written beside the file, FILE.references.npz.
    """
    require_extra("export", "torch", "torchvision", "safetensors", "onnx", "onnxruntime")
    from mnistsum_export.network.export import export
    from mnistsum_export.network.export_int8 import export_int8

    if precision == INT8 and not tolerance is samples is None:
        raise CallError(
            "--tolerance and --samples are of the comparison with torch, which --precision int8 does not make"
        )
    if tolerance is not None and not isfinite(tolerance):  # which click's ranges let through
        raise CallError(f"--tolerance {tolerance}: expected a number above 0")
    if checkpoint is None:
        if not SHIPPED_CHECKPOINT.exists():
            raise CallError("no --checkpoint given, and this is not a checkout with a shipped one")
        checkpoint = SHIPPED_CHECKPOINT
    result: Export | Int8Export
    if precision == INT8:
        result = export_int8(checkpoint, output or Path("mnistsum-int8.onnx"), opset)
    else:
        result = export(checkpoint, output or Path("mnistsum.onnx"), opset, tolerance or TOLERANCE, samples or SAMPLES)
    if as_json:
        click.echo(json.dumps(result.to_dict()))
        return
    click.echo(str(result))
    click.echo(
        f"{result.output}: {result.operation}, {precision}, opset {result.opset}, IR version {result.ir_version}, "
        f"{result.size:,} bytes, SHA-256 {result.sha256[:12]}, "
        f"loads with onnxruntime {result.oldest_onnxruntime} or newer"
    )


def main() -> None:
    """Entry point."""
    run_command(command)
