"""What a forked process of a campaign is asked to do through the API; imported beforehand by the server."""

import json
import os
import sys
from pathlib import Path
from unittest import mock

import numpy as np

from mnistsum_runtime.commands import bench, doctor, evaluate, run, verify
from mnistsum_runtime.commands.entry import exit_code
from mnistsum_runtime.errors import MnistsumError, PictureError
from mnistsum_runtime.explain import panels
from mnistsum_runtime.measure import bench as measuring
from mnistsum_runtime.measure import doctor as examining
from mnistsum_runtime.measure import evaluation, recorded, samples, scratch
from mnistsum_runtime.measure.limited import run_limited
from mnistsum_runtime.predictor import Predictor
from mnistsum_runtime.proof import verification

LOADED = (run, verify, doctor, evaluate, panels, evaluation, recorded, samples, scratch, verification)
"""Modules that the commands import when they run: a forked process has them."""
SHORT = measuring.Effort(starts=1, sessions=1, seconds=0.01, pictures=3)
shipped = Predictor()
"""Open when the server forks: every picture is answered by a process that has inherited it."""


def predict_file() -> None:
    """Answer for the picture on a path, given as bytes and as a path: say what came of it."""
    path = sys.argv[1]
    by_bytes = outcome(Path(path).read_bytes())
    by_path = outcome(path)
    sys.stdout.write(by_bytes if by_bytes == by_path else f"{by_bytes}\n{by_path}")


def outcome(source: object) -> str:
    """`answer`, or the kind of the error."""
    try:
        answer = shipped.predict(source, 4)  # type: ignore[arg-type]
    except PictureError as error:
        return f"PictureError {error.kind}" + told_badly(error)
    except MnistsumError as error:
        return type(error).__name__ + told_badly(error)
    likely = answer.digit_probabilities, answer.value_probabilities
    good = all(bool(np.isfinite(array).all()) and abs(float(array.sum()) - 1) < 1e-3 for array in likely)
    return "answer" if good else "an answer with probabilities that are none"


def told_badly(error: Exception) -> str:
    """What is wrong with the message of an error; nothing, if it is a line."""
    text = str(error)
    return "" if text and len(text.splitlines()) == 1 else f" with a message that is no line: {text!r}"


def predict_with_model() -> None:
    """Open the model file of the command line through the API, and ask it once."""
    try:
        predictor = Predictor(sys.argv[1])
        answer = predictor.predict(bar(), 4)
        predictor.predict_many([bar()] * 3, 4)
    except MnistsumError as error:
        sys.stdout.write(type(error).__name__ + told_badly(error))
        return
    json.dumps(answer.to_json("bar"), allow_nan=False)
    sys.stdout.write("answer")


def bar() -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """A picture of a bar of ink."""
    picture = np.zeros((28, 28), np.uint8)
    picture[4:24, 12:16] = 255
    return picture


def bench_shortly() -> None:
    """`mnistsum-bench` with as little effort as it can."""
    with mock.patch.object(measuring, "Effort", lambda: SHORT):
        os.environ["OMP_NUM_THREADS"] = "1"
        bench.main()


def verify_limited() -> None:
    """`mnistsum-verify --limited` of a model, with seconds that are given."""
    model, seconds = sys.argv[1], float(sys.argv[2])
    sys.exit(exit_code("mnistsum-verify", lambda: run_limited("verify", ["--model", model], seconds=seconds)))


def doctor_soon() -> None:
    """`mnistsum-doctor` whose patience is short."""
    with mock.patch.object(examining, "_PATIENCE", 8):
        doctor.main()
