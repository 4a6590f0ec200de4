"""References of the tiny model, recorded without torch: what onnxruntime answers here is the truth."""

from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnistsum_runtime.contract import FP32
from mnistsum_runtime.model import Model, open_model
from mnistsum_runtime.preparation.picture import read_picture
from mnistsum_runtime.preparation.prepare import prepare
from mnistsum_runtime.proof.references import References, Sample, references_path
from tiny_model import drawn_digit, make_tiny_model


def enlarged(digit: int) -> bytes:
    """A PNG of dark ink on white, four times as large as the network's picture."""
    ink = Image.fromarray(255 - drawn_digit(digit)).resize((112, 112))
    sheet = Image.new("L", (150, 140), 255)
    sheet.paste(ink, (20, 10))
    buffer = BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def record(model: Model, precision: str = FP32, tolerance: float = 1e-4) -> References:
    """A hundred drawn digits, each with every number, and twenty noise pictures; three sample pictures."""
    digits = np.stack([drawn_digit(digit) for digit in range(10)]).repeat(10, axis=0)
    noise = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    pictures = np.concatenate([digits, noise])
    numbers = (np.arange(120) % 10).astype(np.uint8)
    logits: list[NDArray[np.float32]] = model.session.run(
        ["digit", model.operation.name],
        {"image": (pictures / np.float32(255))[:, None], "number": np.eye(10, dtype=np.float32)[numbers]},
    )
    samples = {f"{digit}.png": enlarged(digit) for digit in (2, 5, 7)}
    return References(
        model_sha256=model.sha256(),
        precision=precision,
        tolerance=tolerance,
        preparation_tolerance=1e-3,
        made_with={"Pillow": "13.0.0"},
        pictures=pictures,
        numbers=numbers,
        real=np.arange(120) < 100,
        digit_logits=logits[0],
        value_logits=logits[1],
        fp32_labels=np.stack([output.argmax(1) for output in logits], axis=1).astype(np.uint8),
        samples=tuple(Sample(name, content, prepare(read_picture(content))) for name, content in samples.items()),
    )


def write_recorded(path: Path, content: bytes | None = None) -> References:
    """Write a model, by default the tiny one, and its references beside it."""
    path.write_bytes(make_tiny_model().SerializeToString() if content is None else content)
    references = record(open_model(path))
    references_path(path).write_bytes(references.to_bytes())
    assert references.model_sha256 == sha256(path.read_bytes()).hexdigest()
    return references
