"""Which opsets can be asked for."""

from functools import cache

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from mnistsum_runtime.errors import CallError

OLDEST = 13
"""The contract's promise. The exporter reaches back to 11, for which nobody has asked."""
NEWEST = 23
"""The last one that torch 2.13's `torch.onnx.export(dynamo=False)` writes; it raises at 24."""

ONNXRUNTIME_RELEASES = (
    ("1.6", 13, 7),
    ("1.8", 14, 7),
    ("1.9", 15, 8),
    ("1.11", 16, 8),
    ("1.12", 17, 8),
    ("1.14", 18, 8),
    ("1.16", 19, 9),
    ("1.17", 20, 9),
    ("1.18", 21, 10),
    ("1.21", 22, 10),
    ("1.23", 23, 11),
)
"""(release, newest opset, newest IR version) of every onnxruntime that was the first to take one of them.

The subject of onnxruntime's page on compatibility (https://onnxruntime.ai/docs/reference/compatibility.html), measured
with this network's files. 1.15 reads opset 19 too, but has no average pooling of that opset, which the gate needs.
`make compat` checks the table on five releases again.
"""


@cache
def supported_opsets() -> tuple[int, ...]:
    """The opsets that the exporter, onnx's checker and the installed onnxruntime all take, ascending.

    onnxruntime is asked, with a graph of one node: what it says about itself is not public.
    """
    newest = min(NEWEST, onnx.defs.onnx_opset_version())
    return tuple(opset for opset in range(OLDEST, newest + 1) if _onnxruntime_loads(opset))


def oldest_onnxruntime(opset: int, ir_version: int) -> str:
    """The first onnxruntime release that loads a file, as "1.12". mnistsum's own runtime needs 1.15 in any case.

    Raises:
        LookupError: No release in `ONNXRUNTIME_RELEASES` does.
    """
    for release, newest_opset, newest_ir_version in ONNXRUNTIME_RELEASES:
        if opset <= newest_opset and ir_version <= newest_ir_version:
            return release
    raise LookupError(f"no onnxruntime is known that loads opset {opset} with IR version {ir_version}")


def require_supported(opset: int) -> None:
    """Raise `CallError` naming the range unless `opset` is supported."""
    opsets = supported_opsets()
    if opset not in opsets:
        raise CallError(f"opset {opset} is not supported: choose one of {opsets[0]} to {opsets[-1]}")


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
