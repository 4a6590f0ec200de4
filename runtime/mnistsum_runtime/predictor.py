"""The way in from Python: pictures and numbers to predictions."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple, overload

import numpy as np

from mnistsum_runtime import contract
from mnistsum_runtime.errors import CallError, ModelError, PictureError
from mnistsum_runtime.model import Model, open_named_model
from mnistsum_runtime.prediction import Prediction
from mnistsum_runtime.preparation.picture import read_picture
from mnistsum_runtime.preparation.prepare import prepare_picture
from mnistsum_runtime.reliability import reason_for_doubt, reason_in_preparation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnistsum_runtime.operations import Operation
    from mnistsum_runtime.preparation.mnist_form import Ink
    from mnistsum_runtime.preparation.picture import Grey, Source
    from mnistsum_runtime.preparation.prepared import PreparedPicture

BATCH_SIZE = 64
"""Pictures of `predict_many` that go through the network at once; more costs memory and gains nothing."""

GROUP_PIXELS = 4_000_000
"""Of pictures that `predict_many` has read and not yet prepared, roughly: one more of any size may be among them."""

_ONE_HOT = np.eye(contract.NUMBERS, dtype=np.float32)


class Question(NamedTuple):
    """What the network is asked, and what is known already of how far its answer can be relied on.

    Without the rest of the preparation's record: masks as large as their pictures, kept for a whole batch, would drive
    each other out of the cache.
    """

    field: Ink
    """float32 [28, 28]."""
    number: int
    """0..9."""
    doubt: str | None
    """What the preparation saw that speaks against any answer."""

    @classmethod
    def of(cls, prepared: PreparedPicture, number: int) -> Question:
        """Ask for a prepared picture and a number."""
        return cls(prepared.field, number, reason_in_preparation(prepared))


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
        self._use(open_named_model(model, operation, threads, optimise=optimise))

    @classmethod
    def of(cls, model: Model) -> Predictor:
        """Answer with a model that is open already."""
        predictor = cls.__new__(cls)
        predictor._use(model)
        return predictor

    def _use(self, model: Model) -> None:
        self.model: Model = model
        self._outputs = [contract.DIGIT, model.operation.name]
        self._values = model.operation.classes

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
        return self._infer([Question.of(prepared, check_number(number))])[0]

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
            on_error: What a picture without an answer does: `raise` its `PictureError` (of several, the first's), or
                `return` it in its place so that the others are answered.

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
        found: list[Question | PictureError] = []
        for group in read_in_groups(batch):
            found += [ask(picture, number) for picture, number in group]
        if on_error == "raise":
            for error in found:
                if isinstance(error, PictureError):
                    raise error
        questions = [question for question in found if not isinstance(question, PictureError)]
        predictions = iter(self._infer(questions) if questions else [])
        for question in found:
            yield question if isinstance(question, PictureError) else next(predictions)

    def _infer(self, questions: list[Question]) -> list[Prediction]:
        """Run the network on one batch.

        Raises:
            ModelError: onnxruntime cannot: a file may load, and fail at its first answer.
        """
        if len(questions) == 1:  # views instead of np.stack and an index array: 7 us of the 120 of a single answer
            field, number, _ = questions[0]
            fields, one_hot = field[None, None], _ONE_HOT[number : number + 1]
        else:
            fields = np.stack([question.field for question in questions])[:, None]
            one_hot = _ONE_HOT[[question.number for question in questions]]
        try:
            digits, values = self.model.session.run(self._outputs, {contract.IMAGE: fields, contract.NUMBER: one_hot})
        except Exception as error:  # onnxruntime's errors have no common base but this
            reason = " ".join(str(error).split())
            raise ModelError(f"model {self.model.path}: onnxruntime cannot run it: {reason}") from error
        return [self._judge(*answer) for answer in zip(questions, digits, values, strict=True)]

    def _judge(
        self,
        question: Question,
        digit_logits: NDArray[np.float32],
        value_logits: NDArray[np.float32],
    ) -> Prediction:
        """One answer: the labels, how sure they are, and whether they are to be relied on."""
        operation, number = self.model.operation, question.number
        digit_temperature, value_temperature, least = self.model.calibration
        digit, digits = softmax(digit_logits, digit_temperature)
        best, values = softmax(value_logits, value_temperature)
        value = self._values[best]
        reason = None
        # Written so that a network that answers NaN is not relied on either.
        if not (digits[digit] >= least and values[best] >= least and value == operation.function(digit, number)):
            disagreement = describe_disagreement(operation, digit, number, value)
            reason = reason_for_doubt(digits, float(values[best]), disagreement, least)
        return Prediction(operation, number, digit, value, digits, values, reason or question.doubt)


def read_in_groups(batch: list[tuple[Source, int]]) -> Iterator[list[tuple[Grey | PictureError, int]]]:
    """Read the pictures of a batch, and give them on in groups of about `GROUP_PIXELS`, each with its number.

    Decoding and preparing in turns, each would find the processor's caches full of the other: 0.1 ms a picture.
    """
    group: list[tuple[Grey | PictureError, int]] = []
    pixels = 0
    for image, number in batch:
        try:
            picture = read_picture(image)
            pixels += picture.size
            group.append((picture, number))
        except PictureError as error:
            group.append((error, number))
        if pixels >= GROUP_PIXELS:
            yield group
            group, pixels = [], 0
    yield group


def ask(picture: Grey | PictureError, number: int) -> Question | PictureError:
    """The question for a picture that was read; why there is none, where it could not be, or shows no digit."""
    if isinstance(picture, PictureError):
        return picture
    try:
        return Question.of(prepare_picture(picture), number)
    except PictureError as error:
        return error


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
