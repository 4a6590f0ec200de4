"""What the references of this network record beside its logits: sample pictures.

Of each, what preparation made of it, and what `mnistsum-run --json` answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistsum_runtime.contract import DIGIT, IMAGE, IMAGE_SIZE, NUMBER, NUMBERS
from mnistsum_runtime.errors import ModelError
from mnistsum_runtime.proof.comparison import Rule
from mnistsum_runtime.proof.references import (
    INT8,
    REMEDY,
    References,
    damage_told,
    parse,
    read_file,
    references_path,
    require_bound,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mnistsum_runtime.model import Model
    from mnistsum_runtime.operations import Operation

_OLD_FORMAT = 1
_SAMPLE, _INK = "sample_", "ink_"


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture file, what preparation made of it, and what was answered."""

    name: str
    """A file name, for the table."""
    content: bytes
    """The encoded file: PNG, JPEG ..."""
    ink: NDArray[np.float32]
    """[28, 28], 0..1."""
    number: int = 0
    """The second number that was asked with it."""
    answer: dict[str, Any] | None = None
    """The JSON object of `Prediction.to_json`; None in references from before answers were recorded."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """The references of a model of this network: the generic ones, and the sample pictures."""

    references: References
    samples: tuple[Sample, ...]

    @property
    def answered(self) -> bool:
        """Whether answers were recorded."""
        return all(sample.answer is not None for sample in self.samples)

    @classmethod
    def of(cls, references: References) -> Recorded:
        """Find the sample pictures in the attachments.

        Raises:
            ValueError: They are not as they must be. `KeyError` and `TypeError` pass as they are.
        """
        samples = tuple(
            Sample(
                name=str(sample["name"]),
                content=references.attachments[f"{_SAMPLE}{index}"].tobytes(),
                ink=references.attachments[f"{_INK}{index}"],
                number=int(sample["number"]),
                answer=sample["answer"],
            )
            for index, sample in enumerate(references.notes["samples"])
        )
        recorded = cls(references, samples)
        recorded.check()
        return recorded

    def check(self) -> None:
        """Raise `ValueError` unless there are sample pictures to compare with, each with its 28x28 ink."""
        if not self.samples:
            raise ValueError("it has no sample pictures")
        for sample in self.samples:
            if sample.ink.dtype != np.float32 or sample.ink.shape != (IMAGE_SIZE, IMAGE_SIZE):
                raise ValueError(f"the ink of {sample.name} is {sample.ink.dtype} {list(sample.ink.shape)}")
            if not (isinstance(sample.answer, dict) or sample.answer is None):
                raise ValueError(f"the answer to {sample.name} is no object")


def attach(samples: tuple[Sample, ...]) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """What goes into references for sample pictures: attachments and notes, as `Recorded.of` reads them."""
    arrays: dict[str, NDArray[Any]] = {}
    for index, sample in enumerate(samples):
        arrays[f"{_SAMPLE}{index}"] = np.frombuffer(sample.content, np.uint8)
        arrays[f"{_INK}{index}"] = sample.ink
    notes = [{"name": sample.name, "number": sample.number, "answer": sample.answer} for sample in samples]
    return arrays, {"samples": notes}


def read_recorded(model: Model) -> Recorded:
    """Read the references beside an open model, of today's format or of the one before.

    Raises:
        ModelError: They are missing, damaged, or those of another model.
    """
    content, path = read_file(model.path), references_path(model.path)
    with damage_told(model.path):
        header, arrays = parse(content)
        if header["format"] == _OLD_FORMAT:
            recorded = from_old_format(header, arrays, model.operation)
        else:
            recorded = Recorded.of(References.from_arrays(header, arrays))
    references = recorded.references
    require_bound(references, model.path, model.sha256())
    if references.precision != model.precision():
        raise ModelError(f"references {path}: {references.precision}, the model is {model.precision()}: {REMEDY}")
    expected = {DIGIT: NUMBERS, model.operation.name: len(model.operation.classes)}
    found = {name: array.shape[-1] for name, array in references.outputs.items()}
    if found != expected:
        raise ModelError(f"references {path}: classes {found}, the model has {expected}: {REMEDY}")
    return recorded


def from_old_format(header: dict[str, Any], arrays: Mapping[str, NDArray[Any]], operation: Operation) -> Recorded:
    """Read references of format 1: uint8 pictures and numbers instead of inputs, two outputs, no answers.

    Raises:
        ValueError: Something in it is not as it must be. `KeyError` and `TypeError` pass as they are.
    """
    pictures, numbers, before = arrays["pictures"], arrays["numbers"], arrays["fp32_labels"]
    if pictures.dtype != np.uint8 or pictures.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
        raise ValueError(f"pictures is {pictures.dtype} {list(pictures.shape)}")
    if numbers.dtype != np.uint8 or numbers.ndim != 1 or not (numbers < NUMBERS).all():
        raise ValueError("its numbers are not from 0 to 9")
    real, int8 = arrays["real"], header["precision"] == INT8
    rule = Rule.from_dict({"tolerance": header["tolerance"], "label_axis": 1})
    references = References(
        model_sha256=str(header["model_sha256"]),
        made_with=dict(header["made_with"]),
        inputs={
            IMAGE: (pictures / np.float32(255)).astype(np.float32)[:, None],
            NUMBER: np.eye(NUMBERS, dtype=np.float32)[numbers],
        },
        outputs={DIGIT: arrays["digit_logits"], operation.name: arrays["value_logits"]},
        rules={DIGIT: rule, operation.name: rule},
        labelled=real if int8 else np.ones_like(real),
        precision=str(header["precision"]),
        labels_before={DIGIT: before[:, 0], operation.name: before[:, 1]} if int8 else {},
    )
    references.check()
    samples = tuple(
        Sample(str(name), arrays[f"{_SAMPLE}{index}"].tobytes(), arrays[f"{_INK}{index}"])
        for index, name in enumerate(header["samples"])
    )
    recorded = Recorded(references, samples)
    recorded.check()
    return recorded
