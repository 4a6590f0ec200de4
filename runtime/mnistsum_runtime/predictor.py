"""The way in from Python: pictures and numbers to predictions."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from numbers import Real
from typing import TYPE_CHECKING, Literal, overload

from mnistsum_runtime import contract
from mnistsum_runtime.errors import CallError, PictureError
from mnistsum_runtime.inference import NetworkInput, answer
from mnistsum_runtime.model import Model, open_named_model
from mnistsum_runtime.preparation.picture import read_colours, read_picture
from mnistsum_runtime.preparation.prepare import prepare_picture
from mnistsum_runtime.threads import check_threads

if TYPE_CHECKING:
    from PIL import Image

    from mnistsum_runtime.explain.panels import Record
    from mnistsum_runtime.prediction import Prediction
    from mnistsum_runtime.preparation.picture import Grey, Source
    from mnistsum_runtime.preparation.prepared import PreparedPicture

BATCH_SIZE = 64
"""Pictures of `predict_many` that go through the network at once; more costs memory and gains nothing."""

GROUP_PIXELS = 4_000_000
"""Of pictures that `predict_many` has read and not yet prepared, roughly: one more of any size may be among them."""


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
        min_confidence: float | None = None,
    ) -> None:
        """Open a model.

        Args:
            model: An `.onnx` file made by mnistsum-export, or the name of a shipped model: `sum`, `product`,
                `sum-int8`, `product-int8`, or `int8`, that of `operation`. By default the shipped one of `operation`.
            threads: How many threads one inference may use, 1 to 256.
            operation: `sum` or `product`: which shipped model, by default `sum`; a file must be of it.
            optimise: False opens sooner and with less memory, and answers more slowly: for a single picture.
            min_confidence: 0..1, what both confidences of a reliable answer must reach, in place of the model's own
                limit. A higher one calls fewer answers reliable, and of those fewer are wrong. No confidence changes,
                nor does any other doubt; of a model without calibration no answer becomes reliable.

        Raises:
            CallError: `threads` is not a whole number from 1 to 256, there is no such operation, `model` is no path, or
                `min_confidence` is not a number from 0 to 1.
            ModelError: The file is missing, damaged, not such a model, or of another operation.
        """
        check_threads(threads)
        limit = None if min_confidence is None else check_confidence(min_confidence)
        self.model: Model = open_named_model(model, operation, threads, optimise=optimise)
        if limit is not None:
            self.model = self.model._replace(calibration=self.model.calibration.with_limit(limit))

    @classmethod
    def of(cls, model: Model) -> Predictor:
        """Answer with a model that is open already."""
        predictor = cls.__new__(cls)
        predictor.model = model
        return predictor

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
        return answer(self.model, [NetworkInput.of(prepared, check_number(number))], keep_fields=True)[0]

    def explain(self, image: Source, number: int, name: str = "the picture") -> Image.Image:
        """Draw what is seen in one picture and decided about it: the panel of `mnistsum-run --explain`.

        A picture that gives no answer has a panel too, which says why.

        Args:
            image: As `predict` takes it.
            number: The second number, 0..9.
            name: What the panel calls a picture that has no path.

        Returns:
            A Pillow image, RGB.

        Raises:
            CallError: As of `predict`.
        """
        from mnistsum_runtime.explain.panels import draw_panel

        if isinstance(image, str | os.PathLike):
            name = os.fsdecode(image)
        return draw_panel(self.predict_and_record(image, number, name))

    def predict_and_record(self, source: Source | PictureError, number: int, name: str) -> Record:
        """Answer as `predict` does, and keep what was seen on the way, as far as it came.

        Raises:
            CallError: As of `predict`.
        """
        from mnistsum_runtime.explain.panels import Record

        grey = colours = prepared = None
        number = check_number(number)
        try:
            if isinstance(source, PictureError):
                raise source
            grey, colours = read_picture(source, name), read_colours(source, name)
            prepared = prepare_picture(grey, name)
            found = answer(self.model, [NetworkInput.of(prepared, number)])[0]
        except PictureError as error:
            return Record(name, grey, colours, prepared, error)
        return Record(name, grey, colours, prepared, found)

    @overload
    def predict_many(
        self,
        images: Iterable[Source],
        numbers: int | Sequence[int],
        on_error: Literal["raise"] = "raise",
        names: Sequence[str] | None = None,
    ) -> list[Prediction]: ...

    @overload
    def predict_many(
        self,
        images: Iterable[Source],
        numbers: int | Sequence[int],
        on_error: Literal["return"],
        names: Sequence[str] | None = None,
    ) -> list[Prediction | PictureError]: ...

    def predict_many(
        self,
        images: Iterable[Source],
        numbers: int | Sequence[int],
        on_error: Literal["raise", "return"] = "raise",
        names: Sequence[str] | None = None,
    ) -> Sequence[Prediction | PictureError]:
        """Answer for many pictures, which share the network's batches; the answers are in the order of `images`.

        Args:
            images: As `predict` takes them.
            numbers: One number for each picture, or one for all.
            on_error: What a picture without an answer does: `raise` its `PictureError` (of several, the first's), or
                `return` it in its place so that the others are answered.
            names: What errors call the pictures that have no path, one for each.

        Raises:
            PictureError: With `on_error="raise"`.
            CallError: A number is not 0..9, or there are not as many numbers or names as pictures.
        """
        if on_error not in ("raise", "return"):
            raise CallError(f"on_error must be 'raise' or 'return', found {on_error!r}")
        try:
            images = list(images)
        except TypeError as error:
            raise CallError(f"images must be a sequence of pictures, found {type(images).__name__}") from error
        numbers = check_numbers(numbers, len(images))
        answers: list[Prediction | PictureError] = []
        names = ["the picture"] * len(images) if names is None else list(names)
        if len(names) != len(images):
            raise CallError(f"expected one name for each picture, found {len(names)} for {len(images)}")
        asked = zip(images, numbers, names, strict=True)
        while batch := list(islice(asked, BATCH_SIZE)):
            answers.extend(self._answer_batch(batch, on_error))
        return answers

    def _answer_batch(
        self, batch: list[tuple[Source, int, str]], on_error: Literal["raise", "return"]
    ) -> Iterator[Prediction | PictureError]:
        found: list[NetworkInput | PictureError] = []
        for group in read_in_groups(batch):
            found += [prepare_input(*each) for each in group]
        if on_error == "raise":
            for error in found:
                if isinstance(error, PictureError):
                    raise error
        inputs = [each for each in found if not isinstance(each, PictureError)]
        predictions = iter(answer(self.model, inputs) if inputs else [])
        for each in found:
            yield each if isinstance(each, PictureError) else next(predictions)


def read_in_groups(batch: list[tuple[Source, int, str]]) -> Iterator[list[tuple[Grey | PictureError, int, str]]]:
    """Read the pictures of a batch, and give them on in groups of about `GROUP_PIXELS`, each with its number and name.

    Decoding and preparing in turns, each would find the processor's caches full of the other: 0.1 ms a picture.
    """
    group: list[tuple[Grey | PictureError, int, str]] = []
    pixels = 0
    for image, number, name in batch:
        try:
            picture = read_picture(image, name)
            pixels += picture.size
            group.append((picture, number, name))
        except PictureError as error:
            group.append((error, number, name))
        if pixels >= GROUP_PIXELS:
            yield group
            group, pixels = [], 0
    yield group


def prepare_input(picture: Grey | PictureError, number: int, name: str) -> NetworkInput | PictureError:
    """What the network is given for a picture that was read; why nothing, where it could not be, or shows no digit."""
    if isinstance(picture, PictureError):
        return picture
    try:
        return NetworkInput.of(prepare_picture(picture, name), number)
    except PictureError as error:
        return error


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


def check_numbers(numbers: int | Sequence[int], count: int) -> list[int]:
    """A plain int for each of so many pictures.

    Raises:
        CallError: There are not as many numbers, or not one for all, or one is not 0..9.
    """
    try:
        each = [numbers] if isinstance(numbers, str) else list(numbers)  # type: ignore[arg-type]
    except TypeError:
        each = [check_number(numbers)] * count  # type: ignore[arg-type]
    if len(each) != count:
        raise CallError(f"expected one number for each picture, found {len(each)} for {count}")
    return [check_number(number) for number in each]


def check_confidence(confidence: float) -> float:
    """The limit of a reliable answer as a plain float.

    Raises:
        CallError: It is not a number from 0 to 1 (True, NaN and "0.9" are not).
    """
    if isinstance(confidence, bool) or not isinstance(confidence, Real) or not 0 <= confidence <= 1:
        raise CallError(f"the least confidence must be a number from 0 to 1, found {confidence!r}")
    return float(confidence)
