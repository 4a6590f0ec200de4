"""`mnistsum-evaluate`: labels, accuracy, mistakes, exit codes."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from mnistsum_runtime import Predictor
from mnistsum_runtime.commands.evaluate import command
from mnistsum_runtime.commands.options import exit_code_of as exit_code
from mnistsum_runtime.explain.panels import ContactSheet
from mnistsum_runtime.measure.evaluation import label_of
from tiny_model import drawn_digit

Evaluate = Callable[..., tuple[int, str, list[str]]]


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], model_file: Path) -> Evaluate:
    def evaluate(*arguments: object) -> tuple[int, str, list[str]]:
        monkeypatch.setattr(sys, "argv", ["mnistsum-evaluate", *map(str, arguments), "--model", str(model_file)])
        code = exit_code(command)
        out, err = capfd.readouterr()
        return code, out, err.splitlines()

    return evaluate


def save(path: Path, digit: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(drawn_digit(digit)).save(path)


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("7/photo.png", 7),
        ("7/photo-3.png", 7),
        ("photo-3.png", 3),
        ("a/IMG_2041-3.jpg", 3),
        ("a/3_left.png", 3),
        ("12/a.png", None),
        ("seven.png", None),
        ("x.mp4/seven.jp2", None),
    ],
)
def test_the_label_is_the_folder_s_name_or_the_last_digit_before_the_ending(path: str, label: int | None) -> None:
    assert label_of(Path(path)) == label


def test_accuracy_by_folder_and_over_all(evaluate: Evaluate, tmp_path: Path) -> None:
    save(tmp_path / "3" / "a.png", 3)
    save(tmp_path / "3" / "b.png", 8)
    save(tmp_path / "mixed" / "one-1.png", 1)
    save(tmp_path / "mixed" / "two_2.png", 2)
    code, out, err = evaluate(tmp_path, "--json")
    found = json.loads(out)
    assert (code, err) == (0, [])
    assert (found["pictures"], found["digit_right"], found["both_right"], found["unanswered"]) == (4, 3, 3, 0)
    assert (found["digit_accuracy"], found["reliable_share"], found["accuracy_where_reliable"]) == (0.75, 1.0, 0.75)
    assert [(row["name"], row["pictures"], row["digit_right"]) for row in found["folders"]] == [
        ("3", 2, 1),
        ("mixed", 2, 2),
    ]
    (mistake,) = found["mistakes"]
    assert (mistake["image"], mistake["label"], mistake["digit"]) == (str(tmp_path / "3" / "b.png"), 3, 8)


def test_the_table_for_people_ends_with_the_mistakes(evaluate: Evaluate, tmp_path: Path) -> None:
    save(tmp_path / "3" / "a.png", 3)
    save(tmp_path / "3" / "b.png", 8)
    code, out, _ = evaluate(tmp_path, "--number", 4)
    lines = out.splitlines()
    assert code == 0
    assert [line.split() for line in lines[:3]] == [
        ["folder", "pictures", "digit", "both", "reliable", "right", "of", "those"],
        ["3", "2", "50.00%", "50.00%", "100.00%", "50.00%"],
        ["all", "2", "50.00%", "50.00%", "100.00%", "50.00%"],
    ]
    assert lines[3].startswith(f"label 3, {tmp_path / '3' / 'b.png'}: digit 8 (")
    assert "8 + 4 = 12" in lines[3]


def test_another_limit_changes_what_is_called_reliable_alone(evaluate: Evaluate, tmp_path: Path) -> None:
    save(tmp_path / "three-3.png", 3)
    usual, strict = (json.loads(evaluate(tmp_path, "--json", *limit)[1]) for limit in ([], ["--min-confidence", 1]))
    assert (usual["both_right"], usual["reliable"]) == (1, 1)
    assert (strict["both_right"], strict["reliable"]) == (1, 0)


def test_without_a_number_the_pictures_take_0_to_9_in_turn(evaluate: Evaluate, tmp_path: Path) -> None:
    for index in range(12):
        save(tmp_path / "5" / f"{index:02}.png", 3)
    numbers = [mistake["number"] for mistake in json.loads(evaluate(tmp_path, "--json")[1])["mistakes"]]
    assert numbers == [*range(10), 0, 1]


def test_a_picture_without_an_answer_counts_as_wrong_and_ends_with_1(evaluate: Evaluate, tmp_path: Path) -> None:
    save(tmp_path / "three-3.png", 3)
    (tmp_path / "cut-3.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    code, out, _ = evaluate(tmp_path, "--json")
    found = json.loads(out)
    assert code == 1
    assert (found["pictures"], found["unanswered"], found["digit_accuracy"]) == (2, 1, 0.5)
    assert found["mistakes"][0]["error"]["kind"] == "truncated"


def test_files_without_a_label_are_named_on_standard_error(evaluate: Evaluate, tmp_path: Path) -> None:
    save(tmp_path / "three-3.png", 3)
    save(tmp_path / "seven.png", 7)
    (tmp_path / "notes-3.txt").write_text("not a picture")
    code, _, err = evaluate(tmp_path)
    assert (code, err) == (0, ["mnistsum-evaluate: 1 without a label left out: seven.png"])


@pytest.mark.parametrize("case", ["missing", "empty", "unlabelled", "a file", "number", "limit", "no limit"])
def test_a_wrong_call_is_one_line_and_ends_with_2(evaluate: Evaluate, tmp_path: Path, case: str) -> None:
    save(tmp_path / "unlabelled" / "seven.png", 7)
    (tmp_path / "empty").mkdir()
    arguments: dict[str, list[object]] = {
        "missing": [tmp_path / "missing"],
        "empty": [tmp_path / "empty"],
        "unlabelled": [tmp_path / "unlabelled"],
        "a file": [tmp_path / "unlabelled" / "seven.png"],
        "number": [tmp_path, "--number", "10"],
        "limit": [tmp_path, "--min-confidence", "1.5"],
        "no limit": [tmp_path, "--min-confidence", "nan"],
    }
    code, out, err = evaluate(*arguments[case])
    assert (code, out, len(err)) == (2, "", 1)


def test_the_mistakes_are_drawn_and_nothing_is_written_without_one(
    evaluate: Evaluate, predictor: Predictor, tmp_path: Path
) -> None:
    sheet = tmp_path / "mistakes.png"
    save(tmp_path / "photos" / "three-3.png", 3)
    code, _, err = evaluate(tmp_path / "photos", "--explain", sheet)
    assert (code, err, sheet.exists()) == (0, [f"mnistsum-evaluate: no mistakes, {sheet} was not written"], False)
    mistake = tmp_path / "photos" / "eight-3.png"
    save(mistake, 8)
    assert evaluate(tmp_path / "photos", "--number", 4, "--explain", sheet)[0] == 0
    expected = ContactSheet()
    expected.add(predictor.predict_and_record(str(mistake), 4, str(mistake)), "   (label 3)")
    assert sheet.read_bytes() == expected.to_png()
