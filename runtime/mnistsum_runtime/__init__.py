"""Read a handwritten digit from a picture, add a number to it: the part of mnistsum that runs on the device."""

import os

# From 1.29 on, the official Linux builds of onnxruntime send telemetry unless this is set before they are imported, and
# keep a database of it in the user's cache folder. Nothing here uses a network at run time.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"

__all__ = [
    "CallError",
    "MnistsumError",
    "ModelError",
    "PictureError",
    "Prediction",
    "Predictor",
    "WorkError",
    "prepare",
    "read_picture",
]

TYPE_CHECKING = False  # as in `typing`, which takes milliseconds to import
if TYPE_CHECKING:
    from mnistsum_runtime.errors import CallError, MnistsumError, ModelError, PictureError, WorkError
    from mnistsum_runtime.prediction import Prediction
    from mnistsum_runtime.predictor import Predictor
    from mnistsum_runtime.preparation.picture import read_picture
    from mnistsum_runtime.preparation.prepare import prepare

_HOME = {
    "CallError": "errors",
    "MnistsumError": "errors",
    "ModelError": "errors",
    "PictureError": "errors",
    "Prediction": "prediction",
    "Predictor": "predictor",
    "WorkError": "errors",
    "prepare": "preparation.prepare",
    "read_picture": "preparation.picture",
}
"""The module of each public name: imported at its first use, so that the trainer does not load onnxruntime."""


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
