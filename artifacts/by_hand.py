"""What `mnistsum-run` does with a clean scan, in ten lines: for who calls the file from C++, Rust or JavaScript."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

OUTPUTS, TEMPERATURES = ["digit", "sum"], ["mnistsum.digit_temperature", "mnistsum.value_temperature"]


def read(session: Any, says: dict[str, str], grey: NDArray[np.uint8], number: int) -> tuple[int, int, bool]:
    """The digit, the sum, and whether they can be relied on.

    Args:
        session: `onnxruntime.InferenceSession("mnistsum-sum.onnx")`.
        says: What the file says of itself: `session.get_modelmeta().custom_metadata_map`.
        grey: [height, width], one digit, dark on white, 20 pixels long or longer.
        number: 0..9.
    """
    ink = 1 - grey / np.float32(255)  # light on dark, 0..1
    scale = max(np.ptp(np.flatnonzero((ink > 0.5).any(axis))) + 1 for axis in (0, 1)) / 20  # the longer side becomes 20
    masses = [np.average(np.arange(0.5, len(each)), weights=each) for each in (ink.sum(1), ink.sum(0))]
    edges = [(mass + scale * np.arange(-14.5, 14))[:, None] - np.arange(n) for mass, n in zip(masses, ink.shape)]
    rows, columns = (np.diff(edge.clip(0, 1), axis=0) / scale for edge in edges)  # a pixel: the mean of what it covers
    field = (rows @ ink @ columns.T).astype(np.float32)[None, None]  # 28x28, the centre of mass in pixel (14, 14)
    logits = session.run(OUTPUTS, {"image": field, "number": np.eye(10, dtype=np.float32)[[number]]})
    digit, value = (int(each.argmax()) for each in logits)
    sure = [1 / np.exp((each - each.max()) / float(says[key])).sum() for each, key in zip(logits, TEMPERATURES)]
    return digit, value, digit + number == value and min(sure) >= float(says["mnistsum.least_confidence"])
