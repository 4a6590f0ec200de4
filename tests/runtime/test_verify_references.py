"""The references' file: deterministic, without pickles, and refused unless it is whole and of this very model."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest

from mnistsum_runtime.errors import ModelError
from mnistsum_runtime.measure.recorded import Recorded, read_recorded
from mnistsum_runtime.model import open_model
from mnistsum_runtime.operations import PRODUCT
from mnistsum_runtime.proof import references
from mnistsum_runtime.proof.references import References, references_path
from recording import old_arrays, record, write_recorded
from tiny_model import make_tiny_model


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    write_recorded(path)
    return path


def refusal(model_path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_recorded(open_model(model_path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("model", "references"),
    [("a.onnx", "a.references.npz"), ("a", "a.references.npz"), ("a.v2", "a.v2.references.npz")],
)
def test_references_lie_beside_the_model(model: str, references: str) -> None:
    assert references_path(Path("folder", model)) == Path("folder", references)


def test_what_is_read_is_what_was_written(model_path: Path) -> None:
    read = read_recorded(open_model(model_path))
    written = Recorded.of(record(open_model(model_path)))
    for field in References.__dataclass_fields__:
        np.testing.assert_equal(getattr(read.references, field), getattr(written.references, field))
    assert [(s.name, s.content, s.ink.tobytes(), s.number, s.answer) for s in read.samples] == [
        (s.name, s.content, s.ink.tobytes(), s.number, s.answer) for s in written.samples
    ]


def test_bytes_do_not_depend_on_the_clock(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    references = record(open_model(model_path))
    first = references.to_bytes()
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    monkeypatch.setattr("time.localtime", lambda *_: (2033, 5, 18, 3, 33, 20, 2, 138, 0))
    assert references.to_bytes() == first


def test_missing_references_are_named_with_the_remedy(model_path: Path) -> None:
    references_path(model_path).unlink()
    expected = f"no references at {references_path(model_path)}: copy both files again from where mnistsum-export wrote"
    assert refusal(model_path).startswith(expected)


def test_references_of_another_model_are_refused(model_path: Path, tmp_path: Path) -> None:
    other = make_tiny_model()
    other.doc_string = "the same answers, other bytes"
    model_path.write_bytes(other.SerializeToString())
    assert "belong to another model" in refusal(model_path)


def test_references_of_another_operation_are_refused_even_with_the_right_hash(model_path: Path, tmp_path: Path) -> None:
    product = tmp_path / "product.onnx"
    write_recorded(product, make_tiny_model(PRODUCT).SerializeToString())
    forged = replace(record(open_model(product)), model_sha256=open_model(model_path).sha256())
    references_path(model_path).write_bytes(forged.to_bytes())
    assert "classes {'digit': 10, 'product': 37}, the model has {'digit': 10, 'sum': 19}" in refusal(model_path)


def test_references_of_another_precision_are_refused_even_with_the_right_hash(model_path: Path) -> None:
    forged = replace(record(open_model(model_path)), precision="int8")
    references_path(model_path).write_bytes(forged.to_bytes())
    assert "int8, the model is fp32" in refusal(model_path)


def test_references_that_cannot_be_read_are_not_called_damaged(model_path: Path) -> None:
    references_path(model_path).unlink()
    references_path(model_path).mkdir()
    assert "cannot be read: Is a directory" in refusal(model_path)


def write_header(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the header of references in place."""
    with np.load(path) as archive:
        arrays = dict(archive)
    header = json.loads(arrays["header"].tobytes())
    change(header)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(path, **arrays)


@pytest.mark.parametrize("tolerance", [float("inf"), float("nan"), -1.0])
def test_a_tolerance_that_would_pass_anything_or_nothing_is_refused(model_path: Path, tolerance: float) -> None:
    def change(header: dict[str, Any]) -> None:
        header["outputs"]["sum"]["tolerance"] = tolerance

    write_header(references_path(model_path), change)
    assert ("a tolerance is -1" if tolerance < 0 else "its header says") in refusal(model_path)


def write_raw_header(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change the bytes of the header of references in place."""
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays["header"] = np.frombuffer(change(arrays["header"].tobytes()), np.uint8)
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace(b'"tolerance": ', b'"tolerance": 1e999, "was": ', 1), "its header says 1e999"),
        (lambda text: text.decode().encode("utf-16"), "codec can't decode"),
        (lambda text: text.replace(b'"notes": {', b'"notes": {"a": ' + b"[" * 200_000, 1), "decoding a JSON array"),
    ],
    ids=["an infinity in digits", "another encoding", "nested without end"],
)
def test_a_header_that_is_no_plain_json_is_refused(
    model_path: Path, change: Callable[[bytes], bytes], reason: str
) -> None:
    write_raw_header(references_path(model_path), change)
    assert reason in refusal(model_path)


@pytest.mark.parametrize("text", ["torch\x1b]0;owned\x07", "torch\nverified", "\u202e", "\ud800"])
@pytest.mark.parametrize("place", ["a version", "the name of a version", "a sample"])
def test_text_that_a_terminal_would_obey_is_refused(model_path: Path, text: str, place: str) -> None:
    def change(header: dict[str, Any]) -> None:
        if place == "a version":
            header["made_with"]["torch"] = text
        elif place == "the name of a version":
            header["made_with"][text] = "1"
        else:
            header["notes"]["samples"][0]["name"] = text

    write_header(references_path(model_path), change)
    found = refusal(model_path)
    assert "its header has text that cannot be printed" in found
    assert found.isprintable()


@pytest.mark.parametrize("tolerance", [True, "1e9", None, [1]])
def test_a_tolerance_that_is_no_number_is_refused(model_path: Path, tolerance: object) -> None:
    def change(header: dict[str, Any]) -> None:
        header["outputs"]["sum"]["tolerance"] = tolerance

    write_header(references_path(model_path), change)
    assert "expected a number" in refusal(model_path)


@pytest.mark.parametrize("labels", [np.zeros((120, 2), np.int64), np.zeros(120)])
def test_labels_of_before_that_fit_no_output_are_refused(model_path: Path, labels: np.ndarray[Any, Any]) -> None:
    content = replace(record(open_model(model_path)), labels_before={"sum": labels}).to_bytes()
    references_path(model_path).write_bytes(content)
    assert "labels of sum are" in refusal(model_path)


@pytest.mark.parametrize("axis", [0, -1, 2, True, 1.0, "1"])
def test_a_label_axis_that_is_none_is_refused(model_path: Path, axis: object) -> None:
    def change(header: dict[str, Any]) -> None:
        header["outputs"]["sum"]["label_axis"] = axis

    write_header(references_path(model_path), change)
    assert "damaged" in refusal(model_path)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


def change(content: bytes, name: str, array: object) -> bytes:
    """The same archive with one member replaced, left out where `array` is None."""
    buffer = BytesIO()
    with np.load(BytesIO(content)) as archive:
        arrays = {key: archive[key] for key in archive.files} | {name: array}
    np.savez(buffer, **{key: value for key, value in arrays.items() if value is not None})
    return buffer.getvalue()


class Bomb:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return pytest.fail, ("a pickle was run",)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "text": lambda _: b"not an archive",
    "cut off": cut,
    "a flipped byte": flip,
    "a pickle": lambda content: change(content, "input_0", np.array([Bomb()], object)),
    "a missing array": lambda content: change(content, "output_1", None),
    "a header that is no JSON": lambda content: change(content, "header", np.frombuffer(b"{", np.uint8)),
    "another format": lambda content: change(content, "header", np.frombuffer(b'{"format": 3}', np.uint8)),
    "a header that is a list": lambda content: change(content, "header", np.frombuffer(b"[]", np.uint8)),
    "too few rows": lambda content: change(content, "input_1", np.zeros((3, 10), np.float32)),
    "no rows that count": lambda content: change(content, "labelled", np.zeros(120, np.bool_)),
    "rows of text": lambda content: change(content, "input_0", np.array(["a"] * 120)),
    "a single number": lambda content: change(content, "output_0", np.float32(1)),
    "a small ink": lambda content: change(content, "attachment_1", np.zeros((20, 20), np.float32)),
}


OLD_DAMAGE: dict[str, dict[str, Any]] = {
    "small pictures": {"pictures": np.zeros((120, 14, 28), np.uint8)},
    "too few numbers": {"numbers": np.zeros(3, np.uint8)},
    "a number over 9": {"numbers": np.full(120, 10, np.uint8)},
    "float64 numbers": {"numbers": np.zeros(120)},
    "a missing array": {"value_logits": None},
    "a small ink": {"ink_0": np.zeros((20, 20), np.float32)},
    "no samples": {"header": {"samples": []}},
    "an infinite tolerance": {"header": {"tolerance": float("inf")}},
}


@pytest.mark.parametrize("damage", OLD_DAMAGE)
def test_damaged_references_of_the_format_before_are_refused(model_path: Path, damage: str) -> None:
    arrays = old_arrays(open_model(model_path))
    for name, array in OLD_DAMAGE[damage].items():
        if name == "header":
            text = json.dumps(json.loads(arrays[name].tobytes()) | array)
            arrays[name] = np.frombuffer(text.encode(), np.uint8)
        elif array is None:
            del arrays[name]
        else:
            arrays[name] = array
    np.savez(references_path(model_path), **arrays)  # type: ignore[arg-type]
    assert refusal(model_path).startswith(f"references {references_path(model_path)}: damaged")


def test_references_are_read_within_limits(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ZipFile(references_path(model_path), "a", ZIP_DEFLATED) as archive:
        archive.writestr("more.npy", bytes(references.MAX_BYTES))
    assert "bytes unpacked, at most" in refusal(model_path)
    monkeypatch.setattr(references, "MAX_BYTES", 1000)
    assert "the most that is read" in refusal(model_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_is_not_waited_for(model_path: Path) -> None:
    references_path(model_path).unlink()
    os.mkfifo(references_path(model_path))
    assert "not a regular file" in refusal(model_path)
    model_path.unlink()
    os.mkfifo(model_path)
    with pytest.raises(ModelError, match="not a regular file"):
        open_model(model_path)


@pytest.mark.parametrize("names", [None, "ab", [None], [{}]])
def test_names_of_inputs_are_texts(model_path: Path, names: object) -> None:
    write_header(references_path(model_path), lambda header: header.update(inputs=names))
    assert "damaged" in refusal(model_path)


def test_nobody_is_advised_to_allow_pickles(model_path: Path) -> None:
    references_path(model_path).write_bytes(b"no archive")
    assert "not an .npz file" in refusal(model_path)


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_references_are_refused(model_path: Path, damage: str) -> None:
    path = references_path(model_path)
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    assert refusal(model_path).startswith(f"references {path}: damaged")


@pytest.mark.parametrize("what", ["samples", "rows", "outputs"])
def test_empty_references_are_refused_since_nothing_would_be_compared(model_path: Path, what: str) -> None:
    whole = record(open_model(model_path))
    empty = {
        "samples": replace(whole, notes={"samples": []}, attachments={}),
        "rows": replace(
            whole,
            inputs={name: array[:0] for name, array in whole.inputs.items()},
            outputs={name: array[:0] for name, array in whole.outputs.items()},
            labelled=whole.labelled[:0],
        ),
        "outputs": replace(whole, outputs={}, rules={}),
    }
    references_path(model_path).write_bytes(empty[what].to_bytes())
    assert "damaged" in refusal(model_path)


def test_no_member_needs_pickle(model_path: Path) -> None:
    with ZipFile(references_path(model_path)) as archive:
        for entry in archive.infolist():
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert np.load(BytesIO(archive.read(entry)), allow_pickle=False).dtype != object
        header = np.load(BytesIO(archive.read("header.npy")))
    assert json.loads(header.tobytes())["model_sha256"] == open_model(model_path).sha256()
