"""What a model file of this network says of itself, in its `metadata_props`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mnistsum_export.network.int8_receipt import Int8Receipt
from mnistsum_export.proof.receipt import tool_versions
from mnistsum_runtime import contract
from mnistsum_train.checkpoint import read_calibration
from mnistsum_train.tensors import tensor_hash

if TYPE_CHECKING:
    from mnistsum_export.proof.parity import Parity
    from mnistsum_train.checkpoint import Checkpoint


def describe_network(checkpoint: Checkpoint, opset: int, receipt: Parity | Int8Receipt) -> dict[str, str]:
    """The keys of the contract."""
    operation = checkpoint.network.operation
    # Of the file, not of the network that it was quantised from.
    accuracy = (
        receipt.test.accuracy(operation.name)
        if isinstance(receipt, Int8Receipt)
        else checkpoint.facts.get("accuracy", {})
    )
    calibration = read_calibration(checkpoint.facts)
    return (
        {
            contract.META_OPERATION: operation.name,
            contract.META_CLASSES: json.dumps(list(operation.classes)),
            contract.META_INPUT: contract.INPUT_DESCRIPTION,
            contract.META_OPSET: str(opset),
            contract.META_CHECKPOINT: tensor_hash(checkpoint.network.state_dict()),
            contract.META_VERSIONS: json.dumps(tool_versions()),
            contract.META_ACCURACY: json.dumps(accuracy),
            contract.META_PARITY: receipt.to_json(),
        }
        | ({contract.META_PRECISION: contract.INT8} if isinstance(receipt, Int8Receipt) else {})
        | ({} if calibration is None else calibration.to_metadata())
    )
