"""Which opsets can be asked for."""

from functools import cache

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

OLDEST = 13
"""The contract's promise. The exporter reaches back to 11, for which nobody has asked."""
NEWEST = 23
"""The last one that torch 2.13's `torch.onnx.export(dynamo=False)` writes; it raises at 24."""


@cache
def supported_opsets() -> tuple[int, ...]:
    """The opsets that the exporter, onnx's checker and the installed onnxruntime all take, ascending.

    onnxruntime is asked, with a graph of one node: what it says about itself is not public.
    """
    newest = min(NEWEST, onnx.defs.onnx_opset_version())
    return tuple(opset for opset in range(OLDEST, newest + 1) if _onnxruntime_loads(opset))


def _onnxruntime_loads(opset: int) -> bool:
    value = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")}
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "probe", [value["x"]], [value["y"]])
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=helper.find_min_ir_version_for(opsets))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        session.run(None, {"x": np.zeros(1, np.float32)})
    except Exception:  # onnxruntime's errors have no common base but this
        return False
    return True
