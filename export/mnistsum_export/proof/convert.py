"""A torch module as an ONNX graph at exactly the opset asked for; nothing is believed of it yet."""

from __future__ import annotations

import ast
import inspect
import io
import logging
import os
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, TextIO

import onnx
import torch
from onnx import helper
from onnx.inliner import inline_local_functions
from onnx.version_converter import convert_version

from mnistsum_export.proof.examples import Arrays, take
from mnistsum_export.proof.module import first_line, to_tensors
from mnistsum_export.proof.signature import BATCH
from mnistsum_export.proof.tidy import without_notes

if TYPE_CHECKING:
    from torch import nn

    from mnistsum_export.proof.signature import Signature

TRACING, TORCH_EXPORT, GIVEN = "torch.onnx, tracing", "torch.onnx, torch.export", "given"
"""Where a graph comes from: torch's older exporter, its newer one, or the caller."""
_LEAST_OF_TORCH_EXPORT = 18
_EXAMPLE_ROWS = 2
"""A batch of one would be frozen into the graph as a constant, by either exporter."""


@dataclass(frozen=True)
class Conversion:
    """A graph, and how it came to be."""

    model: onnx.ModelProto
    """Without metadata."""
    exporter: str
    """`TRACING`, `TORCH_EXPORT` or `GIVEN`."""
    warnings: tuple[str, ...] = ()
    """What the exporter said of it that may matter, a line each."""


Exporter = Callable[["nn.Module", Arrays, "Signature", int], Conversion]


class ConversionError(Exception):
    """An exporter could not convert the module: one line, and torch's own text in `details`."""

    def __init__(self, reason: str, details: str) -> None:
        """Keep both."""
        super().__init__(reason)
        self.details = details


def exporters() -> list[Exporter]:
    """Torch's exporters, the one to try first in front (export/README.md says why)."""
    found: list[Exporter] = [convert_by_tracing]
    if find_spec("onnxscript") is not None:
        found.append(convert_by_torch_export)
    return found


def convert_by_tracing(module: nn.Module, examples: Arrays, signature: Signature, opset: int) -> Conversion:
    """Trace the module: the older exporter, which writes the opset that it is asked for.

    Args:
        module: In evaluation mode, on the CPU.
        examples: In the order of `forward`.
        signature: Names and free dimensions.
        opset: One of `supported_opsets()`.

    Raises:
        ConversionError: torch raises.
    """
    buffer = io.BytesIO()
    with _told(TRACING) as said:
        torch.onnx.export(
            module,
            to_tensors(take(examples, slice(0, _EXAMPLE_ROWS))),
            buffer,  # type: ignore[arg-type]  # the tracing exporter takes a file object, its annotation lags
            dynamo=False,
            opset_version=opset,
            input_names=list(signature.inputs),
            output_names=list(signature.outputs),
            dynamic_axes=signature.dynamic | {name: {0: BATCH} for name in signature.outputs},
        )
        model = onnx.load_from_string(buffer.getvalue())
    return Conversion(_with_output_shapes(model, signature), TRACING, tuple(said))


def convert_by_torch_export(module: nn.Module, examples: Arrays, signature: Signature, opset: int) -> Conversion:
    """Convert with `torch.export`: the newer exporter, which knows more operators, and builds at opset 18.

    What it leaves in the file beside the graph is taken out: paths of source files, and an IR version over the lowest.

    Args:
        module: In evaluation mode, on the CPU.
        examples: In the order of `forward`.
        signature: Names and free dimensions.
        opset: One of `supported_opsets()`.

    Raises:
        ConversionError: torch raises.
    """
    dims = {name: torch.export.Dim(name) for name in (BATCH, *signature.lengths)}
    with _told(TORCH_EXPORT) as said:
        program = torch.onnx.export(
            module,
            to_tensors(take(examples, slice(0, _EXAMPLE_ROWS + 1))),
            dynamo=True,
            opset_version=max(opset, _LEAST_OF_TORCH_EXPORT),
            input_names=list(signature.inputs),
            output_names=list(signature.outputs),
            dynamic_shapes=_as_forward_takes(
                module, [{axis: dims[name] for axis, name in free.items()} for free in signature.dynamic.values()]
            ),
            external_data=False,
            verbose=False,
        )
        assert program is not None  # noqa: S101  (what it returns with dynamo=True)
        model = without_notes(_with_paths(inline_local_functions(program.model_proto)))
        del model.metadata_props[:]
        # torch would convert it down too, but without the weights, and keep 18 where that fails.
        if opset < _LEAST_OF_TORCH_EXPORT:
            model = _converted_down(model, opset)
    return Conversion(_with_output_shapes(model, signature), TORCH_EXPORT, tuple(said))


def module_paths(model: onnx.ModelProto) -> dict[str, str]:
    """By node name, the path of the submodule that it comes from, as far as torch's exporters say it."""
    return {node.name: _path_in_notes(node) or _path_in_name(node.name) for node in model.graph.node}


def _path_in_name(name: str) -> str:
    """`/layer1/layer1.0/conv1/Conv` is of the submodule layer1.0.conv1: the entries of a container repeat its name."""
    path: list[str] = []
    for part in name.split("/")[1:-1]:
        if path and part.startswith(path[-1] + "."):
            path.pop()
        path.append(part)
    return ".".join(path)


_SCOPES = "pkg.torch.onnx.name_scopes"


def _path_in_notes(node: onnx.NodeProto) -> str:
    """The newer exporter notes all scopes that a node is in, the outermost first and its own name last."""
    for note in node.metadata_props:
        if note.key == _SCOPES:
            scopes = ast.literal_eval(note.value)
            return str(scopes[-2]) if len(scopes) > 1 else ""
    return ""


def _as_forward_takes(module: nn.Module, shapes: list[dict[int, Any]]) -> tuple[Any, ...]:
    """One entry for each parameter of `forward`: what goes to `*inputs` is a tuple of its own."""
    parameters = list(inspect.signature(module.forward).parameters.values())
    starred = next((index for index, each in enumerate(parameters) if each.kind is each.VAR_POSITIONAL), len(shapes))
    return (*shapes[:starred], *([tuple(shapes[starred:])] if starred < len(shapes) else []))


def _with_paths(model: onnx.ModelProto) -> onnx.ModelProto:
    """Name the nodes of the newer exporter so that they say which submodule they are of, as the older one does."""
    for node in model.graph.node:
        path = _path_in_notes(node)
        if path:
            node.name = f"/{path.replace('.', '/')}/{node.name}"
    return model


def _converted_down(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """The same graph at an older opset; attributes that this does not have are left out, where they say nothing."""
    newer = model.opset_import[0].version
    converted = convert_version(model, opset)
    for node in converted.graph.node:
        known = onnx.defs.get_schema(node.op_type, opset).attributes
        for attribute in [attribute for attribute in node.attribute if attribute.name not in known]:
            default = onnx.defs.get_schema(node.op_type, newer).attributes[attribute.name].default_value
            if helper.get_attribute_value(attribute) == helper.get_attribute_value(default):
                node.attribute.remove(attribute)
    converted.ir_version = helper.find_min_ir_version_for(converted.opset_import)
    return converted


def _with_output_shapes(model: onnx.ModelProto, signature: Signature) -> onnx.ModelProto:
    """Write the sizes of the outputs into the graph where all but the batch are fixed: exporters often lose them."""
    if not signature.lengths:
        for value in model.graph.output:
            expected = signature.outputs.get(value.name)
            dims = value.type.tensor_type.shape.dim
            if expected is not None and len(dims) == len(expected.dims):
                for dim, size in zip(list(dims)[1:], expected.dims[1:], strict=True):
                    if not dim.HasField("dim_value"):
                        dim.dim_value = int(size)
    return model


@contextmanager
def _told(exporter: str) -> Iterator[list[str]]:
    """Keep an exporter from printing; its warnings become lines, its errors one `ConversionError`.

    Yields:
        The list that has the warnings at the end.
    """
    said: list[str] = []
    quiet = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    with TemporaryFile("w+", encoding="utf-8", errors="replace") as printed:
        try:
            with warnings.catch_warnings(record=True) as caught, _printing_into(printed):
                warnings.simplefilter("always")
                yield said
        except Exception as error:  # whatever torch raises on what it cannot convert
            printed.seek(0)
            details = f"{printed.read()}{''.join(traceback.format_exception(error))}"
            raise ConversionError(f"{exporter}: {_reason(error)}", details) from error
        finally:
            logging.disable(quiet)
    said += dict.fromkeys(
        first_line(warning.message).partition(". ")[0]
        for warning in caught
        if warning.category.__name__ == "TracerWarning"
    )


@contextmanager
def _printing_into(file: TextIO) -> Iterator[None]:
    """Let all that is printed go into a file, what torch's C++ code prints past Python too."""
    with redirect_stdout(file), redirect_stderr(file):
        usual = []
        for descriptor in (1, 2):
            try:
                usual.append((os.dup(descriptor), descriptor))
                os.dup2(file.fileno(), descriptor)
            except OSError:  # closed by the caller: then nothing can be printed there
                continue
        try:
            yield
        finally:
            file.flush()
            for copy, descriptor in usual:
                os.dup2(copy, descriptor)
                os.close(copy)


def _reason(error: BaseException) -> str:
    """The true reason in one line: the newer exporter's first lines say only at which of its steps it was."""
    causes = [error]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    return first_line(causes[-1])
