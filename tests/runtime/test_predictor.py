"""`Predictor`: the same answer by every way in, and wrong calls and models refused in one line."""

import copy
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from PIL import Image

import mnistsum_runtime
from mnistsum_runtime import CallError, MnistsumError, ModelError, PictureError, Prediction, Predictor, contract
from mnistsum_runtime.inference import describe_disagreement, softmax
from mnistsum_runtime.model import shipped_model
from mnistsum_runtime.operations import PRODUCT, SUM
from mnistsum_runtime.predictor import BATCH_SIZE
from tiny_model import drawn_digit, make_tiny_model


@pytest.mark.parametrize("number", range(10))
@pytest.mark.parametrize("digit", range(10))
def test_digit_and_sum_are_read(predictor: Predictor, digit: int, number: int) -> None:
    prediction = predictor.predict(drawn_digit(digit), number)
    assert (prediction.digit, prediction.number, prediction.value) == (digit, number, digit + number)
    assert prediction.operation is SUM
    assert prediction.consistent


def test_path_bytes_image_and_array_give_the_same_answer(predictor: Predictor, seven: Path) -> None:
    sources: list[Any] = [seven, str(seven), seven.read_bytes(), Image.open(seven), drawn_digit(7)]
    answers = [predictor.predict(source, 4) for source in sources]
    assert {answer.digit_probabilities.tobytes() for answer in answers} == {answers[0].digit_probabilities.tobytes()}


def test_probabilities_sum_to_one_and_carry_the_confidences(predictor: Predictor) -> None:
    prediction = predictor.predict(drawn_digit(5), 4)
    assert prediction.digit_probabilities.shape == (10,)
    assert prediction.value_probabilities.shape == (19,)
    assert prediction.digit_probabilities.sum() == pytest.approx(1, abs=1e-6)
    assert prediction.value_probabilities.sum() == pytest.approx(1, abs=1e-6)
    assert prediction.digit_confidence == prediction.digit_probabilities[5]
    assert prediction.value_confidence == prediction.value_probabilities[9]


def test_several_threads_may_use_one_predictor(predictor: Predictor) -> None:
    """Pictures in MNIST's form and scans, alone and in batches, over and over: bit for bit what one thread answers."""
    small = [drawn_digit(digit) for digit in range(10)]
    scans = [np.pad(255 - field.repeat(5, 0).repeat(5, 1), 9 + n, constant_values=255) for n, field in enumerate(small)]
    sources: list[Any] = [*small, *scans]
    pairs = [(source, number) for number in range(10) for source in sources]  # what runs together differs
    alone = [predictor.predict(source, number) for source, number in pairs]

    def answer_all(_: int) -> list[Prediction]:
        return predictor.predict_many([source for source, _ in pairs], [number for _, number in pairs])

    together = answer_all(0)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            single = threads.map(lambda pair: predictor.predict(*pair), pairs * 3)
            batches = threads.map(answer_all, range(3))
            found = list(single), [answer for batch in batches for answer in batch]
    finally:
        sys.setswitchinterval(before)
    for expected, answers in zip((alone, together), found, strict=True):
        assert [bits(answer) for answer in answers] == [bits(answer) for answer in expected] * 3


def bits(answer: Prediction) -> tuple[object, ...]:
    """All of an answer, its probabilities bit for bit."""
    probabilities = (answer.digit_probabilities.tobytes(), answer.value_probabilities.tobytes())
    return answer.number, answer.digit, answer.value, answer.reason, *probabilities


def test_softmax_stands_large_logits() -> None:
    best, probabilities = softmax(np.array([0.0, 1000.0], np.float32), 1.0)
    assert (best, probabilities.tolist()) == (1, [0.0, 1.0])


def test_a_prediction_cannot_be_changed(predictor: Predictor) -> None:
    prediction = predictor.predict(drawn_digit(5), 4)
    with pytest.raises(AttributeError):
        prediction.digit = 3  # type: ignore[misc]


def test_a_prediction_is_equal_to_itself_alone_and_is_no_tuple(predictor: Predictor) -> None:
    one, other = (predictor.predict(drawn_digit(5), 4) for _ in range(2))
    assert one == one and one != other and len({one, other}) == 2  # noqa: PLR0124
    assert not isinstance(one, tuple)
    assert not {"index", "count"} & set(dir(one))


def test_a_prediction_goes_to_another_process_whole(predictor: Predictor) -> None:
    given = predictor.predict(drawn_digit(5), 4)
    for sent in (pickle.loads(pickle.dumps(given)), copy.deepcopy(given)):
        assert bits(sent) == bits(given)
        assert sent.operation == SUM
        assert sent.field is not None and sent.field.tobytes() == (drawn_digit(5) / np.float32(255)).tobytes()
        assert sent._repr_png_() == given._repr_png_()


def test_a_prediction_is_printed_in_one_line(predictor: Predictor) -> None:
    assert repr(predictor.predict(drawn_digit(7), 4)) == "Prediction(7 (100.00%), 7 + 4 = 11 (99.92%), reliable)"
    value = np.zeros(19, np.float32)
    value[[4, 12]] = 0.3, 0.7
    doubted = Prediction(SUM, 4, 7, 12, np.eye(10, dtype=np.float32)[7], value, "could be <1> or 7")
    assert str(doubted) == "Prediction(7 (100.00%), sum 12 (70.00%), unreliable: could be <1> or 7)"
    assert doubted._repr_html_() == (
        "<code>Prediction(7 (100.00%), sum 12 (70.00%), unreliable: could be &lt;1&gt; or 7)</code>"
    )
    assert doubted._repr_png_() is None


def test_the_json_line_has_the_documented_fields_in_order(predictor: Predictor) -> None:
    line = predictor.predict(drawn_digit(7), 4).to_json("seven.png")
    assert list(line) == [
        "image",
        "number",
        "digit",
        "sum",
        "digit_confidence",
        "sum_confidence",
        "consistent",
        "reliable",
        "reason",
        "error",
    ]
    assert line == {
        "image": "seven.png",
        "number": 4,
        "digit": 7,
        "sum": 11,
        "digit_confidence": 1.0,
        "sum_confidence": 0.9992,
        "consistent": True,
        "reliable": True,
        "reason": None,
        "error": None,
    }


def test_outputs_that_disagree_are_told_in_words() -> None:
    digit, value = np.full(10, 0.01, np.float32), np.full(19, 0.01, np.float32)
    digit[7], value[12] = 0.91, 0.82
    prediction = Prediction(SUM, 4, 7, 12, digit, value, describe_disagreement(SUM, 7, 4, 12))
    assert not prediction.consistent
    assert prediction.to_json("x")["consistent"] is False
    assert prediction.to_json("x")["reliable"] is False
    assert prediction.to_line("x.png") == (
        "x.png: digit 7 (91.00%), sum 12 (82.00%) (unsure: the two outputs disagree, 7 + 4 = 11)"
    )


def test_another_operation_carries_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "product.onnx"
    path.write_bytes(make_tiny_model(PRODUCT).SerializeToString())
    prediction = Predictor(path).predict(drawn_digit(7), 4)
    assert prediction.value == 28
    assert prediction.value_probabilities.shape == (37,)
    assert prediction.to_json("x")["product"] == 28
    assert "product_confidence" in prediction.to_json("x")
    assert "sum" not in prediction.to_json("x")
    assert "7 x 4 = 28" in prediction.to_line("x")


def test_many_pictures_are_answered_in_their_order_over_several_batches(predictor: Predictor) -> None:
    count = 2 * BATCH_SIZE + 3
    digits, numbers = [i % 10 for i in range(count)], [i % 7 for i in range(count)]
    answers = predictor.predict_many([drawn_digit(digit) for digit in digits], numbers)
    assert [(a.digit, a.value) for a in answers] == [(d, d + n) for d, n in zip(digits, numbers, strict=True)]
    alone = [predictor.predict(drawn_digit(d), n) for d, n in zip(digits, numbers, strict=True)]
    for one, other in zip(answers, alone, strict=True):
        assert np.allclose(one.digit_probabilities, other.digit_probabilities, atol=1e-6)


def test_one_number_serves_many_pictures(predictor: Predictor) -> None:
    answers = predictor.predict_many((drawn_digit(digit) for digit in (3, 4)), 5)
    assert [answer.value for answer in answers] == [8, 9]
    assert predictor.predict_many([], 5) == []


def test_a_bad_picture_among_many_is_raised_or_keeps_its_place(predictor: Predictor) -> None:
    images: list[Any] = [drawn_digit(1), b"text", drawn_digit(2), np.zeros((5, 5), np.uint8)]
    with pytest.raises(PictureError, match="not a picture"):
        predictor.predict_many(images, [1, 2, 3, 4])
    first, second, third, fourth = predictor.predict_many(images, [1, 2, 3, 4], on_error="return")
    assert isinstance(first, Prediction) and first.value == 2
    assert isinstance(second, PictureError) and second.kind == "not_a_picture"
    assert isinstance(third, Prediction) and third.value == 5
    assert isinstance(fourth, PictureError) and fourth.kind == "no_digit"


def test_only_bad_pictures_are_all_returned(predictor: Predictor) -> None:
    answers = predictor.predict_many([b"", b"text"], 1, on_error="return")
    assert [getattr(answer, "kind", None) for answer in answers] == ["empty", "not_a_picture"]


@pytest.mark.parametrize("number", [10, -1, 3.0, 3.5, "3", None, True, np.float32(3), np.bool_(True)])
def test_a_number_that_is_not_0_to_9_is_a_wrong_call(predictor: Predictor, number: Any) -> None:
    with pytest.raises(CallError, match="whole number from 0 to 9, found"):
        predictor.predict(drawn_digit(7), number)
    with pytest.raises(CallError, match="whole number from 0 to 9, found"):
        predictor.predict_many([drawn_digit(7)], [number])


def test_an_integer_of_numpy_is_a_number(predictor: Predictor) -> None:
    prediction = predictor.predict(drawn_digit(7), np.int64(4))  # type: ignore[arg-type]
    assert type(prediction.number) is int
    assert predictor.predict_many([drawn_digit(7)], np.array([4]))[0].value == 11  # type: ignore[call-overload]


def test_an_integer_of_numpy_serves_many_pictures(predictor: Predictor) -> None:
    for number in (np.int64(4), np.array(4)):
        answers = predictor.predict_many([drawn_digit(3)] * 2, number)  # type: ignore[call-overload]
        assert [answer.value for answer in answers] == [7, 7]


@pytest.mark.parametrize("numbers", [4.0, None, True, np.array(4.5), object()])
def test_what_is_neither_a_number_nor_some_is_a_wrong_call(predictor: Predictor, numbers: Any) -> None:
    with pytest.raises(CallError, match="the number must be a whole number from 0 to 9"):
        predictor.predict_many([drawn_digit(3)] * 2, numbers)


def test_images_that_are_none_are_a_wrong_call(predictor: Predictor) -> None:
    for images in (None, np.array(4)):
        with pytest.raises(CallError, match="images must be a sequence of pictures, found"):
            predictor.predict_many(images, 4)  # type: ignore[arg-type]


@pytest.mark.parametrize("operation", [[], {}, 3, ("sum",), "", "add"])
def test_an_operation_that_is_none_is_a_wrong_call(operation: Any) -> None:
    with pytest.raises(CallError, match="operation must be sum or product"):
        Predictor(operation=operation)


@pytest.mark.parametrize("model", [3, [], b"model.onnx", 2.5])
def test_a_model_that_is_no_path_is_a_wrong_call(model: Any) -> None:
    with pytest.raises(CallError, match="model must be a path or the name"):
        Predictor(model)


def test_as_many_numbers_as_pictures(predictor: Predictor) -> None:
    with pytest.raises(CallError, match="found 3 for 2"):
        predictor.predict_many([drawn_digit(1), drawn_digit(2)], [1, 2, 3])


def test_on_error_is_raise_or_return(predictor: Predictor) -> None:
    with pytest.raises(CallError, match="'raise' or 'return'"):
        predictor.predict_many([], 1, on_error="ignore")  # type: ignore[call-overload]


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2", 257, 2**70])
def test_threads_are_a_whole_number_from_1_to_256(model_file: Path, threads: Any) -> None:
    with pytest.raises(CallError, match="threads"):
        Predictor(model_file, threads)


def test_two_threads_give_the_same_answer(model_file: Path, predictor: Predictor) -> None:
    two = Predictor(model_file, threads=2).predict(drawn_digit(7), 4)
    assert np.allclose(two.value_probabilities, predictor.predict(drawn_digit(7), 4).value_probabilities, atol=1e-6)


def renamed_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = "picture"
    model.graph.node[0].input[0] = "picture"


def renamed_output(model: onnx.ModelProto) -> None:
    model.graph.output[1].name = "total"
    model.graph.node[-1].output[0] = "total"


def fixed_batch(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def another_size(model: onnx.ModelProto) -> None:
    shape = model.graph.input[0].type.tensor_type.shape
    shape.dim[2].dim_value, shape.dim[3].dim_value = 14, 56


def unknown_operation(model: onnx.ModelProto) -> None:
    set_metadata(model, contract.META_OPERATION, "quotient")


def other_classes(model: onnx.ModelProto) -> None:
    set_metadata(model, contract.META_CLASSES, "[0, 1]")


def classes_that_are_no_json(model: onnx.ModelProto) -> None:
    set_metadata(model, contract.META_CLASSES, "0..18")


def another_operation(model: onnx.ModelProto) -> None:
    set_metadata(model, contract.META_OPERATION, "product")
    set_metadata(model, contract.META_CLASSES, str(list(PRODUCT.classes)))


def no_receipt(model: onnx.ModelProto) -> None:
    kept = {entry.key: entry.value for entry in model.metadata_props if entry.key != contract.META_PARITY}
    helper.set_model_props(model, kept)


def set_metadata(model: onnx.ModelProto, key: str, value: str) -> None:
    next(entry for entry in model.metadata_props if entry.key == key).value = value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (renamed_input, "expected the inputs image, number, found picture, number"),
        (renamed_output, "expected the outputs digit, sum, found digit, total"),
        (fixed_batch, "expected the input image as"),
        (another_size, "expected the input image as"),
        (unknown_operation, "its operation is 'quotient', this mnistsum knows sum, product"),
        (other_classes, "its classes are not those of the operation sum"),
        (classes_that_are_no_json, "its classes are not those of the operation sum"),
        (another_operation, "expected the outputs digit, product, found digit, sum"),
        (no_receipt, "metadata mnistsum.parity is missing"),
    ],
)
def test_a_model_without_the_contract_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    model = make_tiny_model()
    change(model)
    path = tmp_path / "changed.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError) as caught:
        Predictor(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_importing_the_package_loads_nothing_and_every_public_name_is_there() -> None:
    for name in mnistsum_runtime.__all__:
        assert getattr(mnistsum_runtime, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Perdictor'"):
        mnistsum_runtime.Perdictor  # noqa: B018


def test_all_errors_have_one_base_and_a_documented_exit_code() -> None:
    codes = {error.__name__: error.exit_code for error in (PictureError, CallError, ModelError)}
    assert codes == {"PictureError": 1, "CallError": 2, "ModelError": 3}
    assert all(issubclass(error, MnistsumError) for error in (PictureError, CallError, ModelError))


def test_the_shipped_model_is_looked_for_in_the_artifacts_package() -> None:
    from importlib.resources import files

    assert shipped_model() == str(files("mnistsum_artifacts") / "mnistsum-sum.onnx")
    assert Path(shipped_model(PRODUCT)).name == "mnistsum-product.onnx"
