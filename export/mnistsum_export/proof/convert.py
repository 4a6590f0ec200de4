"""A network as an ONNX graph at exactly the opset asked for."""

import warnings
from io import BytesIO

import onnx
import torch

from mnistsum_runtime.contract import BATCH, DIGIT, IMAGE, IMAGE_SIZE, NUMBER, NUMBERS
from mnistsum_train.network import Network


def convert(network: Network, opset: int) -> onnx.ModelProto:
    """Trace the network into a graph with the contract's names and a dynamic batch; no metadata yet.

    torch's older, tracing exporter: it writes the opset it is asked for. The newer one (`dynamo=True`) builds at 18 and
    converts afterwards, for 13 it keeps 18 without an error, it always writes IR version 10 or later, and it puts paths
    of source files into the nodes (export/README.md).

    Args:
        network: In evaluation mode, on the CPU.
        opset: One of `supported_opsets()`.
    """
    # Two pictures: a batch of one would be frozen into the graph as a constant.
    example = (torch.zeros(2, 1, IMAGE_SIZE, IMAGE_SIZE), torch.zeros(2, NUMBERS))
    outputs = [DIGIT, network.operation.name]
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        # Above 20 it warns that it does not support the opset, and writes it: structure and parity are the judges.
        warnings.simplefilter("ignore", torch.onnx.errors.OnnxExporterWarning)
        torch.onnx.export(
            network,
            example,
            buffer,  # type: ignore[arg-type]  # the tracing exporter takes a file object, its annotation lags
            dynamo=False,
            opset_version=opset,
            input_names=[IMAGE, NUMBER],
            output_names=outputs,
            dynamic_axes={name: {0: BATCH} for name in (IMAGE, NUMBER, *outputs)},
        )
    return onnx.load_from_string(buffer.getvalue())
