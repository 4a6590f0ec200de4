"""Files of other networks, proven here, to be verified on a Pi."""

from pathlib import Path

from mnistsum_export.proof.prove import prove
from zoo.architectures import ARCHITECTURES

NAMES = ("mobilenet_v3_small", "masked_attention", "bidirectional_lstm", "three_outputs", "u_net")
"""Of the zoo: convolutions, an integer and a boolean input, recurrence, an output that is no float, resizing."""


def prove_others(folder: Path) -> list[Path]:
    """Prove five networks of the zoo at opset 17; the model files, each with its references beside it."""
    files = []
    for architecture in (architecture for architecture in ARCHITECTURES if architecture.name in NAMES):
        specimen = architecture.make(seed=0)
        proof = prove(
            specimen.module,
            specimen.examples,
            output=folder / f"{architecture.name}.onnx",
            outputs=specimen.outputs,
            labels=specimen.labels,
            dynamic=specimen.dynamic,
        )
        files.append(proof.file.output)
    return files
