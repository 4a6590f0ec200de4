"""`make writers`: both formats are read as they are, what is damaged is told, and the table says what was measured."""

import gzip
import json
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import make_tables
import measure_sizes
import measure_writers
from labelled_sets import on_paper, read_optdigits, read_semeion, read_sets
from mnistsum_runtime.commands.entry import exit_code
from mnistsum_runtime.errors import CallError, WorkError
from mnistsum_runtime.operations import SUM
from mnistsum_runtime.reliability import Calibration
from mnistsum_train.data import Part
from tiny_model import drawn_digit, make_tiny_model

SEMEION, OPTDIGITS = "semeion.data.gz", "optdigits-orig.windep.gz"
Measure = Callable[..., tuple[int, list[str]]]


def semeion_line(ink: list[int], label: int) -> str:
    """A digit with ink at these places of 256."""
    values = [f"{int(place in ink)}.0000" for place in range(256)]
    return " ".join(values + [str(int(label == digit)) for digit in range(10)]) + " \n"


def optdigits_text(*digits: tuple[list[tuple[int, int]], int], count: int | None = None) -> str:
    """A file of digits with ink at these (row, column)."""
    lines = ["A database", "entwidth = 32", f"ntot = {len(digits) if count is None else count}"]
    for ink, label in digits:
        lines += ["".join(str(int((row, column) in ink)) for column in range(32)) for row in range(32)]
        lines.append(f" {label}")
    return "\n".join([*lines, "EOF"])


def pack(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_semeion_is_rows_of_16_bits_and_a_label_one_hot(tmp_path: Path) -> None:
    path = pack(tmp_path / SEMEION, semeion_line([0, 15, 16 * 15 + 3], 3) + semeion_line([17], 0))
    (first, label), (second, other) = read_semeion(path)
    assert (label, other) == (3, 0)
    assert first.shape == (16, 16)
    assert np.argwhere(first).tolist() == [[0, 0], [0, 15], [15, 3]]
    assert np.argwhere(second).tolist() == [[1, 1]]


@pytest.mark.parametrize("end", ["", "\n", "EOF"])
def test_optdigits_is_a_header_and_32_lines_of_32_bits_before_each_label(tmp_path: Path, end: str) -> None:
    text = optdigits_text(([(0, 0), (31, 2)], 7), ([(1, 31)], 0)).removesuffix("EOF").rstrip("\n")
    path = pack(tmp_path / OPTDIGITS, text if end == "" else f"{text}\n{end}".rstrip("\n"))
    (first, label), (second, other) = read_optdigits(path)
    assert (label, other) == (7, 0)
    assert first.shape == (32, 32)
    assert np.argwhere(first).tolist() == [[0, 0], [31, 2]]
    assert np.argwhere(second).tolist() == [[1, 31]]


GOOD = optdigits_text(([(0, 0)], 7), ([(1, 1)], 2))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (SEMEION, b"not packed", "cannot be read as packed text"),
        (SEMEION, gzip.compress(semeion_line([1], 3).encode())[:-9], "cannot be read as packed text"),
        (SEMEION, gzip.compress(b"\xff\xfe"), "cannot be read as packed text"),
        (SEMEION, gzip.compress(b""), "no digits in it"),
        (SEMEION, gzip.compress((semeion_line([1], 3) + "1 0 1\n").encode()), "line 2: expected 266 values"),
        (SEMEION, gzip.compress(semeion_line([1], 3).replace("1.0000", "2.0000").encode()), "line 1: expected 266"),
        (SEMEION, gzip.compress(semeion_line([1], 12).encode()), "line 1: expected a 1 among the last ten values"),
        (OPTDIGITS, gzip.compress(b"ntot = 0\nEOF"), "no digits in it"),
        (OPTDIGITS, gzip.compress(GOOD.replace("ntot", "n").encode()), "header says no number of digits, found 2"),
        (OPTDIGITS, gzip.compress(GOOD.replace("ntot = 2", "ntot = 3").encode()), "header says 3 digits, found 2"),
        (OPTDIGITS, gzip.compress(GOOD.replace(" 2\nEOF", "").encode()), "line 37: expected 32 lines of 32 bits"),
        (OPTDIGITS, gzip.compress(GOOD.replace(" 7\n", " x\n").encode()), "line 4: expected 32 lines of 32 bits"),
        (OPTDIGITS, gzip.compress(GOOD.replace("01000", "01002").encode()), "line 37: expected 32 lines of 32 bits"),
    ],
)
def test_a_damaged_file_is_named_with_what_was_expected(
    tmp_path: Path, file: str, content: bytes, message: str
) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(WorkError, match=message) as caught:
        read_sets(tmp_path)
    assert str(tmp_path / file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bits_become_dark_ink_on_white_eight_times_as_large_with_a_margin() -> None:
    bits = np.zeros((16, 16), np.uint8)
    bits[0:4, 12:16] = 1  # at the upper right
    picture = np.asarray(on_paper(bits))
    assert picture.shape == (8 * 16 + 80, 8 * 16 + 80)
    assert picture[40 + 16, 40 + 8 * 14] == 0
    assert (picture[:40] == 255).all()
    assert (picture[:, :40] == 255).all()
    assert (picture[40 + 8 * 6 :] == 255).all()


def test_files_lie_in_writers_or_directly_in_the_folder(tmp_path: Path) -> None:
    pack(tmp_path / "writers" / SEMEION, semeion_line([1], 3))
    pack(tmp_path / OPTDIGITS, GOOD)
    found = read_sets(tmp_path)
    assert [(digits.name, list(digits.labels)) for digits in found] == [("Semeion", [3]), ("OptDigits", [7, 2])]


def test_a_drawing_without_a_label_is_named(tmp_path: Path) -> None:
    (tmp_path / "drawings").mkdir()
    for name in ("ann_3.png", "seven.png"):
        Image.fromarray(drawn_digit(7)).save(tmp_path / "drawings" / name)
    with pytest.raises(CallError, match=r"seven\.png: expected the digit that it shows"):
        read_sets(tmp_path)


@pytest.fixture
def measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Measure:
    """Run the program on a folder: its exit code and lines. Shipped are a base and its int8, which is never sure."""
    artifacts = tmp_path / "artifacts"
    for module in (make_tables, measure_sizes, measure_writers):
        monkeypatch.setattr(module, "ARTIFACTS", artifacts)
    test = Part(torch.tensor(drawn_digit(7))[None, None], torch.tensor([7]))
    monkeypatch.setattr(measure_writers, "load_mnist", lambda **_: test)
    (artifacts / "mnistsum_artifacts").mkdir(parents=True)
    (artifacts / "sum").mkdir()
    (artifacts / "sum" / "report.json").touch()
    for suffix, calibration in (("", Calibration(1, 1, 0.5)), ("-int8", Calibration(1, 1, 1))):
        model = make_tiny_model(SUM, calibration).SerializeToString()
        (artifacts / "mnistsum_artifacts" / f"mnistsum-sum{suffix}.onnx").write_bytes(model)

    def measure(*arguments: object) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["measure_writers.py", *map(str, arguments)])
        code = exit_code(measure_writers.NAME, measure_writers.main)
        return code, capsys.readouterr().err.splitlines()

    return measure


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four drawings: a 3 and a 5 that are right, a 7 that is called 1, an empty sheet that is called 2."""
    drawings = tmp_path / "sets" / "drawings"
    drawings.mkdir(parents=True)
    for name, digit in (("a_3", 3), ("b_5", 5), ("c_1", 7)):
        Image.fromarray(drawn_digit(digit)).save(drawings / f"{name}.png")
    Image.new("L", (60, 60), 255).save(drawings / "d_2.png")
    return tmp_path / "sets"


def test_accuracy_flag_and_errors_are_measured_for_every_model(measure: Measure, folder: Path, tmp_path: Path) -> None:
    code, lines = measure(folder)
    assert code == 0
    assert lines[0] == "measure_writers: not there, left out: Semeion, OptDigits"
    measured = json.loads((tmp_path / "artifacts" / "writers.json").read_text())
    (digits,) = measured["sets"]
    assert (digits["name"], digits["source"], digits["pictures"]) == ("drawings", "drawings", 4)
    assert digits["pictures_by_digit"] == [0, 1, 1, 1, 0, 1, 0, 0, 0, 0]
    right = {"both_right": 2, "no_answer": 1, "errors_by_digit": [0, 1, 1, 0, 0, 0, 0, 0, 0, 0]}
    assert digits["models"] == {
        "base, sum": right | {"reliable": 3, "reliable_and_wrong": 1},
        "base, sum, int8": right | {"reliable": 0, "reliable_and_wrong": 0},
    }
    assert (tmp_path / "artifacts" / "risk_over_coverage.png").read_bytes().startswith(b"\x89PNG")


def test_the_table_says_what_was_measured(measure: Measure, folder: Path) -> None:
    measure(folder)
    table = make_tables.writers_table()
    assert "| drawings, 4 | base, sum | 50.00 % | 75.00 % | 1 of 3 (33.33 %) |\n" in table
    assert "|  | base, sum, int8 | 50.00 % | 0.00 % | 0 of 0 |\n" in table
    for _, _, _, model in measure_sizes.shipped():
        assert f"base, sum {sha256(model.read_bytes()).hexdigest()[:12]}; base, sum, int8 " in table


def test_the_same_sets_give_the_same_bytes_and_others_another_hash(
    measure: Measure, folder: Path, tmp_path: Path
) -> None:
    contents = []
    for _ in range(2):
        measure(folder)
        contents.append(
            [(tmp_path / "artifacts" / name).read_bytes() for name in ("writers.json", "risk_over_coverage.png")]
        )
    assert contents[0] == contents[1]
    (folder / "drawings" / "a_3.png").rename(folder / "drawings" / "e_3.png")
    measure(folder)
    before, after = (
        json.loads(content)["sets"][0]["sha256"]
        for content in (contents[0][0], (tmp_path / "artifacts" / "writers.json").read_bytes())
    )
    assert before != after


def test_a_damaged_drawing_is_one_line_and_nothing_is_written(measure: Measure, folder: Path, tmp_path: Path) -> None:
    (folder / "drawings" / "e_4.png").write_bytes(b"not a picture")
    code, lines = measure(folder)
    assert code == 1
    assert [line for line in lines if "e_4.png" in line] == lines[-1:]
    assert not (tmp_path / "artifacts" / "writers.json").exists()


@pytest.mark.parametrize("there", [True, False])
def test_nothing_there_is_one_line_that_says_what_was_looked_for(measure: Measure, tmp_path: Path, there: bool) -> None:
    if there:
        (tmp_path / "nothing").mkdir()
    code, (line,) = measure(tmp_path / "nothing")
    assert code == 2
    for word in ("drawings/", SEMEION, OPTDIGITS, "UCI Machine Learning Repository"):
        assert word in line


def test_a_call_without_a_folder_is_wrong(measure: Measure) -> None:
    assert measure() == (2, ["measure_writers: expected one FOLDER with the sets"])
