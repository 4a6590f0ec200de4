"""What torch itself says of a fault, asked with all examples: `verify=True`, and `assert_onnx_program`."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx_ir
import torch
from torch.onnx import ONNXProgram
from torch.onnx.testing import assert_onnx_program

from faults.table import IMPOSSIBLE, PASSED, REFUSED, WARNED, Result, shortened

if TYPE_CHECKING:
    from faults.fault import Fault, Network

MARK = "\N{CROSS MARK}"
"""What `verify=True` prints behind a step that failed; it raises nothing."""
TELLING = ("large absolute difference", "large relative difference", "training mode", "fails ONNX checker")
"""Of the warnings of the exporter, those that speak of a fault."""


def tensors(network: Network) -> tuple[torch.Tensor, ...]:
    """All examples at once, in the order of `forward`."""
    return tuple(torch.from_numpy(array) for array in network.examples().values())


def export(network: Network, *, verify: bool) -> ONNXProgram:
    """Torch's exporter, asked for the same names, opset and free dimensions as `prove()`."""
    lengths = {name for axes in network.dynamic.values() for name in axes.values()}
    dims = {name: torch.export.Dim(name) for name in ("batch", *lengths)}
    axes = [{0: "batch"} | dict(network.dynamic.get(name, {})) for name in network.examples()]
    program = torch.onnx.export(
        network.module(),
        tensors(network),
        dynamo=True,
        verify=verify,
        opset_version=network.opset,
        input_names=list(network.examples()),
        output_names=list(network.outputs),
        dynamic_shapes=tuple({axis: dims[name] for axis, name in free.items()} for free in axes),
        external_data=False,
        verbose=verify,
    )
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    return program


@cache
def sound_program(network: Network) -> ONNXProgram | None:
    """A network converted by torch; None where it cannot."""
    with listening():
        try:
            return export(network, verify=False)
        except Exception:  # whatever torch raises on what it cannot export
            return None


def check_verify(fault: Fault) -> tuple[Result, ONNXProgram | None]:
    """Export the module of a fault with `verify=True`.

    Returns:
        What was said, and the program, which is there even if something was.
    """
    with listening() as said:
        try:
            program = export(fault.network, verify=True)
        except Exception as error:  # whatever torch raises on what it cannot export
            return Result(REFUSED, describe(error)), None
    failed = [line for line in said() if MARK in line or any(words in line for words in TELLING)]
    return Result(WARNED if failed else PASSED, shortened("; ".join(failed))), program


def check_assert(fault: Fault, program: ONNXProgram | None, path: Path) -> Result:
    """Ask `assert_onnx_program`.

    Args:
        fault: Anything.
        program: Of the fault's network; None where torch did not export it.
        path: Where the fault is in a graph, this file takes the place of the program's own graph.
    """
    if program is None:
        return Result(IMPOSSIBLE, "there is no program: torch does not export the module")
    try:
        if fault.change is not None:
            # In memory, also where its weights are in a second file.
            model = onnx_ir.external_data.load_to_model(onnx_ir.load(path))
            program = ONNXProgram(model, program.exported_program)
        with listening():
            assert_onnx_program(program, args=tensors(fault.network), strategy=None)
    except Exception as error:  # AssertionError where values differ, else whatever torch and onnxruntime raise
        return Result(REFUSED, describe(error))
    return Result(PASSED)


def describe(error: BaseException) -> str:
    """The first cause of an error: the exporter's own lines say only at which of its steps it was."""
    while error.__cause__ is not None:
        error = error.__cause__
    return shortened(f"{type(error).__name__}: {error}")


@contextmanager
def listening() -> Iterator[Any]:
    """Keep torch from printing.

    Yields:
        A function that gives the lines that it printed, logged or warned of.
    """
    printed = io.StringIO()
    logger = logging.getLogger("torch.onnx")
    usual, logger.handlers = logger.handlers, [logging.StreamHandler(printed)]
    with warnings.catch_warnings(record=True) as caught, redirect_stdout(printed), redirect_stderr(printed):
        warnings.simplefilter("always")
        try:
            yield lambda: list(
                dict.fromkeys([*printed.getvalue().splitlines(), *(str(warning.message) for warning in caught)])
            )
        finally:
            logger.handlers = usual
