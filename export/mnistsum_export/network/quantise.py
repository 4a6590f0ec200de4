"""From a float graph to an int8 one: onnxruntime's static quantisation, with what this network needs of it.

QuantizeLinear and DequantizeLinear around the float operators (QDQ), so that the file stays standard ONNX; onnxruntime
fuses them into integer operators when it loads it.

- Weights are signed, one scale per output channel; activations unsigned, one scale per tensor (U8S8: the fastest here).
- Weights keep to 7 bits (`reduce_range`). x86 processors without VNNI add two products of 8 x 8 bits in 16 bits, which
  saturates: 2 * 255 * 127 is over 32,767, 2 * 255 * 64 is not. All processors then compute the same integers.
- The heads and the gate's last layer stay float: 2 % of the weights. Logits in steps of 1/256 of their range tie and
  lose their order, and a gate in such steps is not closed where it should be.
"""

import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx

from mnistsum_export.network.probes import to_inputs
from mnistsum_export.proof.examples import Arrays, batches
from mnistsum_runtime.contract import NUMBERS
from mnistsum_train.data import Part

CALIBRATION_PICTURES = 1000
"""Of the training part, which is in a fixed random order; the i-th with the number i modulo 10."""
_BATCH = 50


def quantise(model: onnx.ModelProto, training: Part) -> onnx.ModelProto:
    """Quantise a graph that carries the contract; `model` itself stays as it is.

    Args:
        model: Of `convert`, opset 13 or later (per-channel QDQ).
        training: At least `CALIBRATION_PICTURES` training pictures. Never test pictures.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    float_model = onnx.ModelProto()
    float_model.CopyFrom(model)
    quiet = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it recommends a preparation step that finds nothing to do in this graph
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "int8.onnx")
            quantize_static(
                float_model,
                file,
                _CalibrationReader(training.first(CALIBRATION_PICTURES)),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=_heads(model),
            )
            quantised = onnx.load(file)
            del quantised.metadata_props[:]  # what onnxruntime says of the way there
            return quantised
    finally:
        logging.disable(quiet)


def _heads(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes that make the outputs: back from these, up to the first layer with weights on every way."""
    wanted = {output.name for output in model.graph.output}
    names = []
    for node in reversed(model.graph.node):  # which is in topological order
        if wanted & set(node.output):
            names.append(node.name)
            if node.op_type != "Gemm":
                wanted |= set(node.input)
    return names


class _CalibrationReader:
    """Feeds the calibration pictures in batches, the way onnxruntime asks for them (its CalibrationDataReader)."""

    def __init__(self, part: Part) -> None:
        self._batches = batches(to_inputs(part.images[:, 0].numpy(), np.arange(len(part)) % NUMBERS), _BATCH)

    def get_next(self) -> Arrays | None:
        """The next feed, None at the end."""
        return next(self._batches, None)
