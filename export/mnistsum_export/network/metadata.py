"""What a model file says of itself, in its `metadata_props`."""

import json
import platform
from importlib.metadata import version

import onnx

from mnistsum_export.network.int8_receipt import Int8Receipt
from mnistsum_export.proof.parity import Parity
from mnistsum_runtime import __version__, contract
from mnistsum_runtime.reliability import Calibration
from mnistsum_train.checkpoint import Checkpoint, tensor_hash


def with_metadata(model: onnx.ModelProto, checkpoint: Checkpoint, opset: int, receipt: Parity | Int8Receipt) -> bytes:
    """The bytes that ship: the model with its description and the receipt. `model` itself stays as it is."""
    operation = checkpoint.network.operation
    # Of the file, not of the network that it was quantised from.
    accuracy = (
        receipt.test.accuracy(operation.name)
        if isinstance(receipt, Int8Receipt)
        else checkpoint.facts.get("accuracy", {})
    )
    versions = {"mnistsum": __version__, "python": platform.python_version()}
    versions |= {package: version(package) for package in ("torch", "onnx", "onnxruntime")}
    described = onnx.ModelProto()
    described.CopyFrom(model)
    calibration = checkpoint.facts.get("calibration")  # absent where only weights were kept: an uncalibrated file
    onnx.helper.set_model_props(
        described,
        {
            contract.META_OPERATION: operation.name,
            contract.META_CLASSES: json.dumps(list(operation.classes)),
            contract.META_INPUT: contract.INPUT_DESCRIPTION,
            contract.META_OPSET: str(opset),
            contract.META_CHECKPOINT: tensor_hash(checkpoint.network.state_dict()),
            contract.META_VERSIONS: json.dumps(versions),
            contract.META_ACCURACY: json.dumps(accuracy),
            contract.META_PARITY: receipt.to_json(),
        }
        | ({contract.META_PRECISION: contract.INT8} if isinstance(receipt, Int8Receipt) else {})
        | ({} if calibration is None else Calibration(**calibration).to_metadata()),
    )
    content: bytes = described.SerializeToString(deterministic=True)
    return content
