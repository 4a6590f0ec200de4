"""`mnistsum-export`: options and printing, nothing else."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from mnistsum_runtime import __version__
from mnistsum_runtime.commands.options import require_extra, run_command
from mnistsum_runtime.contract import FP32, INT8
from mnistsum_runtime.errors import CallError, WorkError
from mnistsum_runtime.terminal import write_error

if TYPE_CHECKING:
    from mnistsum_export.proof.prove import Proof

NAME = "mnistsum-export"
SHIPPED_CHECKPOINT = Path(__file__).parents[2] / "artifacts" / "sum" / "checkpoint.safetensors"
"""There in a checkout, and only there."""
OPSET = 17
TOLERANCE = 1e-4
SAMPLES = 1000
_OF_A_MODULE = ("inputs", "model", "outputs", "labels", "dynamic", "constant", "atol", "rtol")
_TOLD = ("operation", "precision", "exporter")
"""What the last line says of a file before its opset, where its record has it."""
_OF_THE_NETWORK = ("checkpoint", "precision", "tolerance", "samples")


class Exported(Protocol):
    """What a network's export, fp32 or int8, says of itself."""

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""


@click.command(NAME, context_settings={"max_content_width": 100})
@click.option(
    "--opset", type=int, help=f"ONNX operator set of the file, 13 to 23.  [default: {OPSET}, or that of --model]"
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The file to write; its references go beside it.  "
    "[default of a checkpoint: mnistsum.onnx, or mnistsum-int8.onnx]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
@click.option("--verbose", is_flag=True, help="Where a module cannot be converted, also print what torch says.")
@click.option(
    "--module",
    metavar="PACKAGE.MODULE:FACTORY",
    help="A module of your own, from a function that makes it; needs --inputs.",
)
@click.option(
    "--inputs",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="Examples: an array [rows, ...] for each input.",
)
@click.option("--outputs", metavar="NAME,...", help="Names of the outputs.  [default: a dict's keys, or output]")
@click.option(
    "--labels", multiple=True, metavar="NAME[=AXIS]", help="An output that is class logits: labels must be equal too."
)
@click.option(
    "--dynamic",
    multiple=True,
    metavar="INPUT=AXIS:DIM",
    help="A dimension that is free beside the batch: text=1:length.",
)
@click.option("--constant", multiple=True, metavar="NAME", help="An output that may be the same for all examples.")
@click.option("--atol", multiple=True, metavar="[NAME=]X", help="Absolute tolerance.  [default: 0]")
@click.option(
    "--rtol",
    multiple=True,
    metavar="[NAME=]X",
    help="Tolerance relative to an output's spread.  [default: 1e-4, or more where float32 rounds more]",
)
@click.option(
    "--model", type=click.Path(path_type=Path), metavar="FILE.onnx", help="Prove this file instead of converting."
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="Without --module: a file from mnistsum-train.  [default: the shipped one, in a checkout]",
)
@click.option(
    "--precision",
    type=click.Choice([FP32, INT8]),
    help="Of a checkpoint. int8: quantised with training digits, compared with fp32 on others.  [default: fp32]",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, min_open=True),
    help=f"Of a checkpoint, fp32: largest difference of a logit that passes.  [default: {TOLERANCE:g}]",
)
@click.option(
    "--samples",
    type=click.IntRange(1, 10_000),
    help=f"Of a checkpoint, fp32: test digits to compare on, each with all ten numbers.  [default: {SAMPLES}]",
)
@click.option(
    "--page",
    type=click.Path(path_type=Path),
    metavar="FILE.html",
    help="Of a checkpoint: write also a page that reads drawn digits and verifies itself, offline, in one file.",
)
@click.version_option(__version__)
def command(
    opset: int | None, output: Path | None, as_json: bool, verbose: bool, module: str | None, **given: Any
) -> None:
    """Turn a PyTorch network into an ONNX file, and prove that the file answers as torch does.

    \b
      mnistsum-export --module nets:make_net --inputs examples.npz --output net.onnx
      mnistsum-export --checkpoint runs/mine/checkpoint.safetensors --output mine.onnx

    The examples go through torch, through onnxruntime (optimised and as written, in batches of 1, 2, 7 and 64) and
    through onnx's reference evaluator. What is measured on the very bytes that are written goes into the file's
    metadata. Unless every output is within its tolerance and every label the same, nothing is written, the submodule
    at which the two part is named, and the exit code is 1.

    Without --module it is the network that reads digits, with MNIST's test digits, and blank, saturated and noise
    pictures. Its int8 file answers a little differently by nature: it is written if it gets at most 0.05 points less
    right on the 5,000 validation pictures with all ten numbers, and has at most 40 % of fp32's bytes.

    References for mnistsum-verify are written beside the file, NAME.references.npz beside NAME.onnx. --page writes all
    of it, and onnxruntime for browsers (`make web` fetches it once), into one HTML file.

    Exit code: 0 proven and written, 1 not proven, 2 the call was wrong, 3 the checkpoint or model cannot be
    read.
    """  # noqa: D301  (click needs the backspace itself)
    require_extra("export", "torch", "torchvision", "safetensors", "onnx", "onnxruntime")
    _require_one_kind(module, given)
    try:
        if module is not None:
            with _printing_to_stderr():  # whatever a user's module prints is no result
                proof = _prove_module(module, opset, output, given)
            _print(proof.to_dict(), str(proof), as_json)
            for warning in proof.warnings:
                write_error(f"{NAME}: warning: {warning}")
        else:
            record, table = _export_network(OPSET if opset is None else opset, output, given)
            _print(record, table, as_json)
    except WorkError as error:
        if not verbose:
            error.__notes__ = []
        raise


@contextmanager
def _printing_to_stderr() -> Iterator[None]:
    """Let standard output go to standard error, that of programs and of C code too."""
    with redirect_stdout(sys.stderr):
        try:
            usual = os.dup(1)
            os.dup2(2, 1)
        except OSError:  # closed by the caller: then nothing can be printed there
            yield
            return
        try:
            yield
        finally:
            os.dup2(usual, 1)
            os.close(usual)


def _require_one_kind(module: str | None, given: dict[str, Any]) -> None:
    """Raise `CallError` where options of a module and of the network are mixed, or what one needs is missing."""
    if module and given["page"]:
        raise CallError("--page is for the network that reads digits: it does not go with --module")
    wrong, why = (_OF_THE_NETWORK, "does not go with --module") if module else (_OF_A_MODULE, "needs --module")
    for name in wrong:
        if given[name]:
            raise CallError(f"--{name} {why}")
    if module and not given["inputs"]:
        raise CallError("--module needs --inputs FILE.npz, an array [rows, ...] for each input")


def _prove_module(name: str, opset: int | None, output: Path | None, given: dict[str, Any]) -> Proof:
    from mnistsum_export.proof.examples import read_examples
    from mnistsum_export.proof.factory import load_module
    from mnistsum_export.proof.prove import prove, read_model
    from mnistsum_export.proof.written import require_other_file

    if output is None:
        raise CallError("--module needs --output FILE.onnx")
    require_other_file(output, given["inputs"], given["model"])
    net = load_module(name)
    source = getattr(sys.modules[name.partition(":")[0]], "__file__", None)
    require_other_file(output, source and Path(source))
    labels = dict(_split("labels", text, int, 1) for text in given["labels"])
    dynamic: dict[str, dict[int, str]] = {}
    for text in given["dynamic"]:
        tensor, axis, dim = _parse_dynamic(text)
        dynamic.setdefault(tensor, {})[axis] = dim
    return prove(
        net,
        read_examples(given["inputs"]),
        output=output,
        outputs=given["outputs"].split(",") if given["outputs"] else None,
        labels=labels,
        opset=opset,
        dynamic=dynamic,
        constant=given["constant"],
        model=None if given["model"] is None else read_model(given["model"]),
        atol=_parse_tolerances("atol", given["atol"]),
        rtol=_parse_tolerances("rtol", given["rtol"]),
    )


def _split(option: str, text: str, kind: Callable[[str], Any], default: Any) -> tuple[str, Any]:
    """`name=value`, or a name alone."""
    name, equals, value = text.partition("=")
    try:
        return name, kind(value) if equals else default
    except ValueError:
        raise CallError(f"--{option} {text}: expected NAME or NAME=NUMBER") from None


def _parse_dynamic(text: str) -> tuple[str, int, str]:
    name, equals, where = text.partition("=")
    axis, colon, dim = where.partition(":")
    if not (name and equals and colon and axis.isdecimal() and dim.isidentifier()):
        raise CallError(f"--dynamic {text}: expected INPUT=AXIS:DIM, for example text=1:length")
    return name, int(axis), dim


def _parse_tolerances(option: str, texts: tuple[str, ...]) -> float | dict[str, float] | None:
    """One number for all outputs, or some by name."""
    values: dict[str, float] = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        try:
            values[name] = float(number)
        except ValueError:
            raise CallError(f"--{option} {text}: expected a number, or NAME=NUMBER") from None
        if not (isfinite(values[name]) and values[name] >= 0):
            raise CallError(f"--{option} {text}: expected a number of 0 or more")
    if "" in values and len(texts) > 1:
        raise CallError(f"--{option}: give one number for all outputs, or one for each by name")
    return values.get("", values or None)


def _export_network(opset: int, output: Path | None, given: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Export, and write the page where one is wanted: the record, and the table for people."""
    checkpoint, page = given["checkpoint"], given["page"]
    if checkpoint is None:
        if not SHIPPED_CHECKPOINT.exists():
            raise CallError("no --checkpoint given, and this is not a checkout with a shipped one; or name a --module")
        checkpoint = SHIPPED_CHECKPOINT
    output = output or Path("mnistsum-int8.onnx" if given["precision"] == INT8 else "mnistsum.onnx")
    if page is None:
        exported = _prove_network(checkpoint, opset, output, given)
        return exported.to_dict(), str(exported)
    from mnistsum_export.page.onnxruntime_web import read_onnxruntime_web
    from mnistsum_export.page.written import require_own_file, write_page
    from mnistsum_train.data import mnist_files

    require_own_file(page, output, checkpoint, *mnist_files())
    web = read_onnxruntime_web()  # before the proof, which takes longer
    exported = _prove_network(checkpoint, opset, output, given)
    return exported.to_dict() | write_page(page, output, web), str(exported)


def _prove_network(checkpoint: Path, opset: int, output: Path, given: dict[str, Any]) -> Exported:
    from mnistsum_export.network.export import export
    from mnistsum_export.network.export_int8 import export_int8

    tolerance, samples = given["tolerance"], given["samples"]
    if given["precision"] == INT8:
        if not tolerance is samples is None:
            raise CallError(
                "--tolerance and --samples are of the comparison with torch, which --precision int8 does not make"
            )
        return export_int8(checkpoint, output, opset)
    if tolerance is not None and not isfinite(tolerance):  # which click's ranges let through
        raise CallError(f"--tolerance {tolerance}: expected a number above 0")
    return export(checkpoint, output, opset, tolerance or TOLERANCE, samples or SAMPLES)


def _print(record: dict[str, Any], table: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(record))
        return
    what = "".join(f"{record[key]}, " for key in _TOLD if key in record)
    click.echo(table)
    click.echo(
        f"{record['output']}: {what}opset {record['opset']}, IR version {record['ir_version']}, "
        f"{record['bytes']:,} bytes, SHA-256 {record['sha256'][:12]}, "
        f"loads with onnxruntime {record['oldest_onnxruntime']} or newer"
    )
    if "page" in record:
        click.echo(f"{record['page']}: opens in a browser, offline, {record['page_bytes']:,} bytes")


def main() -> None:
    """Entry point."""
    run_command(command)
