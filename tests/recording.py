"""References of the tiny model, recorded without torch: what onnxruntime answers here is the truth."""

import json
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnistsum_runtime import Predictor
from mnistsum_runtime.contract import FP32, INT8
from mnistsum_runtime.measure.recorded import Recorded, Sample, attach
from mnistsum_runtime.model import Model, open_model
from mnistsum_runtime.preparation.picture import read_picture
from mnistsum_runtime.preparation.prepare import prepare
from mnistsum_runtime.proof.comparison import Rule
from mnistsum_runtime.proof.references import References, references_path
from tiny_model import drawn_digit, make_tiny_model

REAL = np.arange(120) < 100
"""The rows that are digits; the others are noise."""


def enlarged(digit: int) -> bytes:
    """A PNG of dark ink on white, four times as large as the network's picture."""
    ink = Image.fromarray(255 - drawn_digit(digit)).resize((112, 112))
    sheet = Image.new("L", (150, 140), 255)
    sheet.paste(ink, (20, 10))
    buffer = BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def pictures_and_numbers() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A hundred drawn digits, each with every number, and twenty noise pictures."""
    digits = np.stack([drawn_digit(digit) for digit in range(10)]).repeat(10, axis=0)
    noise = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    return np.concatenate([digits, noise]), (np.arange(120) % 10).astype(np.uint8)


def record(model: Model, precision: str = FP32, tolerance: float = 1e-4) -> References:
    """The hundred and twenty rows, and three sample pictures."""
    pictures, numbers = pictures_and_numbers()
    names = ["digit", model.operation.name]
    inputs: dict[str, NDArray[Any]] = {
        "image": (pictures / np.float32(255))[:, None],
        "number": np.eye(10, dtype=np.float32)[numbers],
    }
    logits: list[NDArray[np.float32]] = model.session.run(names, inputs)
    predictor = Predictor.of(model)
    samples = []
    for digit in (2, 5, 7):
        name, content = f"{digit}.png", enlarged(digit)
        answer = predictor.predict(content, 3, name).to_json(name)
        samples.append(Sample(name, content, prepare(read_picture(content)), 3, answer))
    attachments, notes = attach(tuple(samples))
    int8 = precision == INT8
    return References(
        model_sha256=model.sha256(),
        made_with={"Pillow": "13.0.0"},
        inputs=inputs,
        outputs=dict(zip(names, logits, strict=True)),
        rules=dict.fromkeys(names, Rule(tolerance, 1)),
        labelled=REAL if int8 else np.ones(120, np.bool_),
        precision=precision,
        labels_before={name: output.argmax(1) for name, output in zip(names, logits, strict=True)} if int8 else {},
        attachments=attachments,
        notes=notes,
    )


def recorded(model: Model) -> Recorded:
    """The same, with the sample pictures found."""
    return Recorded.of(record(model))


def write_recorded(path: Path, content: bytes | None = None) -> References:
    """Write a model, by default the tiny one, and its references beside it."""
    path.write_bytes(make_tiny_model().SerializeToString() if content is None else content)
    references = record(open_model(path))
    references_path(path).write_bytes(references.to_bytes())
    assert references.model_sha256 == sha256(path.read_bytes()).hexdigest()
    return references


def old_arrays(model: Model, precision: str = FP32) -> dict[str, NDArray[Any]]:
    """What references of format 1 held, which mnistsum 0.1 wrote."""
    references = record(model)
    pictures, numbers = pictures_and_numbers()
    logits = list(references.outputs.values())
    samples = Recorded.of(references).samples
    header = {
        "format": 1,
        "model_sha256": references.model_sha256,
        "precision": precision,
        "tolerance": 1e-4,
        "preparation_tolerance": 1e-3,
        "made_with": references.made_with,
        "samples": [sample.name for sample in samples],
    }
    arrays: dict[str, NDArray[Any]] = {
        "header": np.frombuffer(json.dumps(header).encode(), np.uint8),
        "pictures": pictures,
        "numbers": numbers,
        "real": REAL,
        "digit_logits": logits[0],
        "value_logits": logits[1],
        "fp32_labels": np.stack([output.argmax(1) for output in logits], axis=1).astype(np.uint8),
    }
    for index, sample in enumerate(samples):
        arrays[f"sample_{index}"] = np.frombuffer(sample.content, np.uint8)
        arrays[f"ink_{index}"] = sample.ink
    return arrays
