"""The way in from Python: pictures and numbers to predictions."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Literal, overload

import numpy as np

from mnistsum_runtime import contract
from mnistsum_runtime.errors import CallError, PictureError
from mnistsum_runtime.model import Model, open_named_model
from mnistsum_runtime.picture import read_picture
from mnistsum_runtime.prediction import Prediction
from mnistsum_runtime.preparation import prepare_picture
from mnistsum_runtime.reliability import reason_for_doubt, reason_in_preparation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnistsum_runtime.operations import Operation
    from mnistsum_runtime.picture import Source
    from mnistsum_runtime.prepared import PreparedPicture

BATCH_SIZE = 64
"""Pictures of `predict_many` that go through the network at once; more costs memory and gains nothing."""

_ONE_HOT = np.eye(contract.NUMBERS, dtype=np.float32)


class Predictor:
    """Reads a handwritten digit and computes with it and a second number.

    Opening one takes about 10 ms, so keep it. It may be used from several threads.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        threads: int = 1,
        *,
        operation: str | None = None,
        optimise: bool = True,
    ) -> None:
        """Open a model.

        Args:
            model: An `.onnx` file made by mnistsum-export, or `int8`, the shipped int8 one; by default the shipped one.
            threads: How many threads one inference may use, 1 or more.
            operation: `sum` or `product`: which shipped model, by default `sum`; a file must be of it.
            optimise: False opens sooner and with less memory, and answers more slowly: for a single picture.

        Raises:
            CallError: `threads` is not a whole number from 1, or there is no such operation.
            ModelError: The file is missing, damaged, not such a model, or of another operation.
        """
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise CallError(f"threads must be a whole number from 1, found {threads!r}")
        self.model: Model = open_named_model(model, operation, threads, optimise=optimise)
        self._outputs = [contract.DIGIT, self.model.operation.name]
        self._values = self.model.operation.classes

    def predict(self, image: Source, number: int, name: str = "the picture") -> Prediction:
        """Answer for one picture.

        Args:
            image: A file's path, its bytes, a Pillow image or a numpy array; see `read_picture`.
            number: The second number, 0..9.
            name: What an error calls a picture that has no path.

        Raises:
            PictureError: The picture gives no answer; `kind` says why.
            CallError: `number` is not 0..9, or `image` is nothing that could be a picture.
        """
        check_number(number)  # a wrong call is told before a picture is read
        return self.predict_prepared(prepare_picture(read_picture(image, name), name), number)

    def predict_prepared(self, prepared: PreparedPicture, number: int) -> Prediction:
        """Answer for a picture that `prepare_picture` has prepared, for who wants to see what it did.

        Raises:
            CallError: `number` is not 0..9.
        """
        return self._infer([prepared], [check_number(number)])[0]

    @overload
    def predict_many(
        self, images: Iterable[Source], numbers: int | Sequence[int], on_error: Literal["raise"] = "raise"
    ) -> list[Prediction]: ...

    @overload
    def predict_many(
        self, images: Iterable[Source], numbers: int | Sequence[int], on_error: Literal["return"]
    ) -> list[Prediction | PictureError]: ...

    def predict_many(
        self,
        images: Iterable[Source],
        numbers: int | Sequence[int],
        on_error: Literal["raise", "return"] = "raise",
    ) -> Sequence[Prediction | PictureError]:
        """Answer for many pictures, which share the network's batches; the answers are in the order of `images`.

        Args:
            images: As `predict` takes them.
            numbers: One number for each picture, or one for all.
            on_error: What a picture without an answer does: `raise` its `PictureError` at once, or `return` it in its
                place so that the others are answered.

        Raises:
            PictureError: With `on_error="raise"`.
            CallError: A number is not 0..9, or there are not as many as pictures.
        """
        if on_error not in ("raise", "return"):
            raise CallError(f"on_error must be 'raise' or 'return', found {on_error!r}")
        images = list(images)
        numbers = [numbers] * len(images) if isinstance(numbers, int) else list(numbers)
        if len(images) != len(numbers):
            raise CallError(f"expected one number for each picture, found {len(numbers)} for {len(images)}")
        numbers = [check_number(number) for number in numbers]
        answers: list[Prediction | PictureError] = []
        pairs = zip(images, numbers, strict=True)
        while batch := list(islice(pairs, BATCH_SIZE)):
            answers.extend(self._answer_batch(batch, on_error))
        return answers

    def _answer_batch(
        self, batch: list[tuple[Source, int]], on_error: Literal["raise", "return"]
    ) -> Iterator[Prediction | PictureError]:
        prepared: list[PreparedPicture | PictureError] = []
        for image, _ in batch:
            try:
                prepared.append(prepare_picture(read_picture(image)))
            except PictureError as error:
                if on_error == "raise":
                    raise
                prepared.append(error)
        good = [
            (picture, number)
            for picture, (_, number) in zip(prepared, batch, strict=True)
            if not isinstance(picture, PictureError)
        ]
        predictions = iter(self._infer([picture for picture, _ in good], [n for _, n in good]) if good else [])
        for picture in prepared:
            yield picture if isinstance(picture, PictureError) else next(predictions)

    def _infer(self, prepared: list[PreparedPicture], numbers: list[int]) -> list[Prediction]:
        """Run the network on one batch."""
        if len(prepared) == 1:  # views instead of np.stack and an index array: 7 us of the 120 of a single answer
            fields, one_hot = prepared[0].field[None, None], _ONE_HOT[numbers[0] : numbers[0] + 1]
        else:
            fields, one_hot = np.stack([picture.field for picture in prepared])[:, None], _ONE_HOT[numbers]
        digits, values = self.model.session.run(self._outputs, {contract.IMAGE: fields, contract.NUMBER: one_hot})
        return [self._judge(*answer) for answer in zip(prepared, numbers, digits, values, strict=True)]

    def _judge(
        self,
        prepared: PreparedPicture,
        number: int,
        digit_logits: NDArray[np.float32],
        value_logits: NDArray[np.float32],
    ) -> Prediction:
        """One answer: the labels, how sure they are, and whether they are to be relied on."""
        operation = self.model.operation
        digit_temperature, value_temperature, least = self.model.calibration
        digit, digits = softmax(digit_logits, digit_temperature)
        best, values = softmax(value_logits, value_temperature)
        value = self._values[best]
        reason = None
        # Written so that a network that answers NaN is not relied on either.
        if not (digits[digit] >= least and values[best] >= least and value == operation.function(digit, number)):
            disagreement = describe_disagreement(operation, digit, number, value)
            reason = reason_for_doubt(digits, float(values[best]), disagreement, least)
        return Prediction(operation, number, digit, value, digits, values, reason or reason_in_preparation(prepared))


def describe_disagreement(operation: Operation, digit: int, number: int, value: int) -> str | None:
    """What is wrong where the second output does not follow from the first; None where it does."""
    expected = operation.function(digit, number)
    if value == expected:
        return None
    return f"the two outputs disagree, {digit} {operation.symbol} {number} = {expected}"


def check_number(number: int) -> int:
    """The number as a plain int.

    Raises:
        CallError: It is not a whole number from 0 to 9 (True, 3.0 and "3" are not).
    """
    try:
        value = -1 if isinstance(number, bool) else operator.index(number)
    except TypeError:
        value = -1
    if not 0 <= value < contract.NUMBERS:
        raise CallError(f"the number must be a whole number from 0 to 9, found {number!r}")
    return value


def softmax(logits: NDArray[np.float32], temperature: float) -> tuple[int, NDArray[np.float32]]:
    """The best class, and the probabilities of all.

    Args:
        logits: [classes]; of one picture, since numpy's reductions take half as long without an axis.
        temperature: The logits are divided by it.

    Returns:
        Index of the largest logit; [classes], sums to 1.
    """
    best = int(logits.argmax())
    exponentials = logits - logits[best]
    exponentials /= temperature
    np.exp(exponentials, exponentials)
    exponentials /= np.add.reduce(exponentials)
    return best, exponentials
