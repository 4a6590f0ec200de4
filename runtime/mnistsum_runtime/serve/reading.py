"""A picture and a number to the answer that is sent: the work of `POST /read`, and of a camera's frames."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistsum_runtime.errors import PictureError
from mnistsum_runtime.inference import NetworkInput, answer
from mnistsum_runtime.prediction import error_to_json
from mnistsum_runtime.preparation.picture import read_picture
from mnistsum_runtime.preparation.prepare import prepare_picture

if TYPE_CHECKING:
    from mnistsum_runtime.prediction import Prediction
    from mnistsum_runtime.predictor import Predictor
    from mnistsum_runtime.preparation.prepared import PreparedPicture

NAME = "the picture"
"""What a picture without a path is called."""


@dataclass
class Reading:
    """One picture's answer, and how long each step took."""

    found: Prediction | PictureError
    prepared: PreparedPicture | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    """`read`, `prepare` and `infer`, as far as it came."""

    def to_json(self, predictor: Predictor, number: int, *, detail: bool) -> dict[str, Any]:
        """The line of `mnistsum-run --json`.

        Args:
            predictor: Answered.
            number: That was asked with it.
            detail: With both outputs' probabilities, and the field that the network saw: 784 integers 0..255.
        """
        operation = predictor.model.operation
        if isinstance(self.found, PictureError):
            return error_to_json(NAME, number, operation, self.found)
        line: dict[str, Any] = dict(self.found.to_json(NAME))
        if detail and self.prepared is not None:
            line["digit_probabilities"] = [round(float(p), 4) for p in self.found.digit_probabilities]
            line["value_probabilities"] = [round(float(p), 4) for p in self.found.value_probabilities]
            line["classes"] = list(operation.classes)
            field = self.prepared.field.clip(0, 1) * np.float32(255)
            line["field"] = field.round().astype(np.uint8).ravel().tolist()
        return line


def read(predictor: Predictor, content: bytes, number: int) -> Reading:
    """Answer for the bytes of a picture file; `Predictor.predict` with a clock beside it.

    Raises:
        ModelError: The model cannot be run.
    """
    seconds: dict[str, float] = {}
    clock = time.perf_counter
    begun = clock()
    try:
        grey = read_picture(content, NAME)
        seconds["read"] = -begun + (begun := clock())
        prepared = prepare_picture(grey, NAME)
        seconds["prepare"] = -begun + (begun := clock())
    except PictureError as error:
        return Reading(_without_frames(error), None, seconds)
    found = answer(predictor.model, [NetworkInput.of(prepared, number)])[0]
    seconds["infer"] = clock() - begun
    return Reading(found, prepared, seconds)


def draw(predictor: Predictor, content: bytes, number: int) -> tuple[bytes, Prediction | PictureError]:
    """The panel of `--explain` for a picture, as the bytes of a PNG; and the answer."""
    from mnistsum_runtime.explain.panels import ContactSheet

    sheet = ContactSheet()
    record = predictor.predict_and_record(content, number, NAME)
    sheet.add(record)
    found = record.answer
    return sheet.to_png(), _without_frames(found) if isinstance(found, PictureError) else found


def _without_frames(error: PictureError) -> PictureError:
    """The error alone: its frames hold the picture, and lead by the thread's, whose result it is, round to itself."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error
