"""What takes part in an answer, by version, and on which machine."""

import platform

import numpy as np
import onnxruntime
import PIL

from mnistsum_runtime import __version__


def describe_versions() -> dict[str, str]:
    """Everything that takes part in an answer: here, and where references were made."""
    return {
        "mnistsum": __version__,
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
        "Pillow": PIL.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
    }
