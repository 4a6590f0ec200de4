"""What the doctor's child process does: it opens a model and asks it once, and says how far it came.

Each step is a JSON list [stage, found] on a line; the stages are those of `doctor.STAGES`. What goes wrong ends the
process, and the doctor makes a sentence of that.
"""

import json
import sys
from pathlib import Path


def reached(stage: str, found: str) -> None:
    """Say that a stage is done."""
    sys.stdout.write(json.dumps([stage, found]) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Go through all stages; the model and the operation come as a JSON list in the first argument."""
    import numpy as np

    reached("numpy", np.__version__)
    import PIL
    import PIL.PngImagePlugin

    reached("Pillow", PIL.__version__)
    import onnxruntime

    reached("onnxruntime", onnxruntime.__version__)
    from mnistsum_runtime.errors import MnistsumError

    try:
        ask(*json.loads(sys.argv[1]))
    except MnistsumError as error:
        sys.exit(str(error))


def ask(model: str | None, operation: str | None) -> None:
    """Open a model as the user names it, and run it once."""
    from mnistsum_runtime.model import check_model, is_network, open_file, require_operation
    from mnistsum_runtime.predictor import Predictor
    from mnistsum_runtime.proof.model_file import sha256_of
    from mnistsum_runtime.proof.references import read_references
    from mnistsum_runtime.proof.verification import verify_inference

    opened = open_file(model, operation)
    sha256 = sha256_of(opened.path)
    name = f"{Path(opened.path).name}, sha256 {sha256[:12]}"
    if not is_network(opened):
        references = read_references(opened.path, sha256)
        reached("model", f"{name}, with its references")
        if not verify_inference(opened.session, references):
            sys.exit("the recorded inputs do not give the recorded outputs: mnistsum-verify says more")
        reached("inference", f"{len(references)} references, as recorded")
        return
    network = require_operation(check_model(opened), operation)
    reached("model", f"{name}, {network.operation.name}, carries the contract")
    import numpy as np

    picture = np.zeros((28, 28), np.uint8)
    picture[4:24, 12:16] = 255
    prediction = Predictor.of(network).predict(picture, 4)
    answer = f"digit {prediction.digit}, {network.operation.name} {prediction.value}"
    reached("inference", f"a bar of ink and 4: {answer}")
