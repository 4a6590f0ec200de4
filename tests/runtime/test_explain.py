"""`mnistsum-run --explain`: a PNG that shows what was seen, whatever was given."""

import sys
from base64 import b64encode
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mnistsum_runtime import CallError, Predictor
from mnistsum_runtime.commands.evaluate import command as evaluate
from mnistsum_runtime.commands.options import exit_code_of as exit_code
from mnistsum_runtime.commands.run_options import command
from mnistsum_runtime.errors import PictureError
from mnistsum_runtime.explain.panels import MOST_PANELS, ContactSheet, describe_preparation
from mnistsum_runtime.explain.png_rows import PngRows
from mnistsum_runtime.preparation.prepared import PreparedPicture
from tiny_model import drawn_digit


def explain(monkeypatch: pytest.MonkeyPatch, model: Path, out: Path, *arguments: object) -> int:
    call = ["mnistsum-run", *map(str, arguments), "--explain", str(out), "--model", str(model)]
    monkeypatch.setattr(sys, "argv", call)
    return exit_code(command)


def panel(seen_by: Predictor, picture: object) -> Image.Image:
    sheet = ContactSheet()
    sheet.add(seen_by.predict_and_record(picture, 4, "a picture"))  # type: ignore[arg-type]
    return Image.open(BytesIO(sheet.to_png()))


def test_the_answers_are_printed_as_ever_and_the_sheet_is_a_png(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model_file: Path, seven: Path, tmp_path: Path
) -> None:
    out = tmp_path / "seen.png"
    assert explain(monkeypatch, model_file, out, seven, 4) == 0
    assert capsys.readouterr() == (f"{seven}: digit 7 (100.00%), 7 + 4 = 11 (99.92%)\n", "")
    with Image.open(out) as sheet:
        assert sheet.format == "PNG"


@pytest.mark.parametrize(
    ("name", "form"),
    [("seen.png", "PNG"), ("seen.PNG", "PNG"), ("seen.jpg", "JPEG"), ("a.b.jpeg", "JPEG"), ("seen.webp", "WEBP")],
)
def test_the_name_says_the_format(
    monkeypatch: pytest.MonkeyPatch, model_file: Path, seven: Path, tmp_path: Path, name: str, form: str
) -> None:
    assert explain(monkeypatch, model_file, tmp_path / name, seven, 4) == 0
    assert explain(monkeypatch, model_file, tmp_path / "expected.png", seven, 4) == 0
    with Image.open(tmp_path / name) as sheet, Image.open(tmp_path / "expected.png") as expected:
        assert sheet.format == form
        difference = np.abs(np.asarray(sheet, np.int16) - np.asarray(expected, np.int16))
        assert difference.mean() < 1 and (form == "JPEG" or not difference.any())


@pytest.mark.parametrize("name", ["seen", "seen.gif", "seen.pdf", ".png", "seen.png.", "png"])
def test_another_ending_is_a_wrong_call_before_anything_is_answered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model_file: Path, seven: Path, name: str
) -> None:
    out = seven.with_name(name)
    assert explain(monkeypatch, model_file, out, seven, 4) == 2
    expected = f"{out}: the name of a drawing must end in .png, .jpg, .jpeg or .webp\n"
    assert capsys.readouterr() == ("", f"mnistsum-run: {expected}")
    monkeypatch.setattr(sys, "argv", ["mnistsum-evaluate", str(seven.parent), "--explain", str(out)])
    seven.rename(seven.with_name("7.png"))
    assert exit_code(evaluate) == 2
    assert capsys.readouterr() == ("", f"mnistsum-evaluate: {expected}")


def test_a_format_that_this_pillow_does_not_write_is_a_wrong_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model_file: Path, seven: Path, tmp_path: Path
) -> None:
    Image.init()
    monkeypatch.delitem(Image.SAVE, "WEBP")
    assert explain(monkeypatch, model_file, tmp_path / "seen.webp", seven, 4) == 2
    assert capsys.readouterr().err.endswith("seen.webp: this Pillow does not write WEBP: take .png\n")


def test_a_picture_without_an_answer_has_a_panel_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model_file: Path, seven: Path, tmp_path: Path
) -> None:
    one, two = tmp_path / "one.png", tmp_path / "two.png"
    assert explain(monkeypatch, model_file, one, seven, 4) == 0
    assert explain(monkeypatch, model_file, two, seven, tmp_path / "missing.png", 4) == 1
    assert "no such file" in capsys.readouterr().err
    with Image.open(one) as first, Image.open(two) as second:
        assert second.height == 2 * first.height


def test_a_sheet_that_cannot_be_written_is_one_line_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model_file: Path, seven: Path, tmp_path: Path
) -> None:
    assert explain(monkeypatch, model_file, tmp_path / "none" / "seen.png", seven, 4) == 1
    out, err = capsys.readouterr()
    assert out.startswith(f"{seven}: digit 7")
    assert err.startswith("mnistsum-run: cannot write ") and err.count("\n") == 1


def test_a_picture_is_never_drawn_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model_file: Path, seven: Path
) -> None:
    before = seven.read_bytes()
    assert explain(monkeypatch, model_file, seven, seven, 4) == 2
    assert capsys.readouterr() == (
        "",
        f"mnistsum-run: {seven} is one of the pictures: name another file to draw into\n",
    )
    assert seven.read_bytes() == before


def test_rows_compressed_one_by_one_are_the_picture() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    png = PngRows(7)
    png.add(pixels[:2].tobytes())
    png.add(pixels[2:].tobytes())
    with Image.open(BytesIO(png.finish())) as image:
        assert np.array_equal(np.asarray(image), pixels)


def test_the_field_is_shown_pixel_for_pixel(predictor: Predictor) -> None:
    shown = np.asarray(panel(predictor, drawn_digit(7)).convert("L"))
    enlarged = np.kron(drawn_digit(7), np.ones((9, 9), np.uint8))
    places = np.lib.stride_tricks.sliding_window_view(shown, enlarged.shape)[::2]
    assert any((window == enlarged).all() for row in places for window in row[550:556])


def test_a_notebook_shows_what_the_network_saw_and_both_outputs(predictor: Predictor) -> None:
    answer = predictor.predict(drawn_digit(7), 4)
    png = answer._repr_png_()
    assert png is not None
    shown = np.asarray(Image.open(BytesIO(png)).convert("RGB"))
    enlarged = np.kron(drawn_digit(7), np.ones((9, 9), np.uint8))
    assert np.array_equal(shown[45:297, 16:268], np.repeat(enlarged[:, :, None], 3, 2))
    bars = shown[:, 284:].reshape(-1, 3).astype(np.int16)
    assert (bars[:, 1] - bars[:, 0] > 50).any()  # green: reliable
    html = answer._repr_html_()
    assert html.startswith("<img ") and b64encode(png).decode() in html
    assert f'alt="{answer!r}"' in html


def test_many_answers_keep_no_pictures(predictor: Predictor) -> None:
    (answer,) = predictor.predict_many([drawn_digit(7)], 4)
    assert answer.field is None
    assert answer._repr_html_() == f"<code>{answer!r}</code>"


@pytest.mark.parametrize("picture", [drawn_digit(7), "missing.png"])
def test_explain_is_the_panel_as_an_image(predictor: Predictor, picture: object) -> None:
    sheet = ContactSheet()
    name = picture if isinstance(picture, str) else "the picture"
    sheet.add(predictor.predict_and_record(picture, 4, name))  # type: ignore[arg-type]
    drawn = predictor.explain(picture, 4)  # type: ignore[arg-type]
    assert np.array_equal(np.asarray(drawn), np.asarray(Image.open(BytesIO(sheet.to_png()))))
    with pytest.raises(CallError):
        predictor.explain(picture, 10)  # type: ignore[arg-type]


def squares(shown: Image.Image) -> list[NDArray[np.int16]]:
    """What is drawn in a panel's three squares, the picture, its ink and the field: [252, 252, RGB]."""
    pixels = np.asarray(shown.convert("RGB"), np.int16)
    return [pixels[64:316, left : left + 252] for left in (16, 284, 552)]


def test_the_ink_is_red_and_nothing_else_is(predictor: Predictor) -> None:
    picture = np.pad(255 - np.kron(drawn_digit(3), np.ones((6, 6), np.uint8)), 18, constant_values=255)
    red = [square[:, :, 0] - square[:, :, 1] > 100 for square in squares(panel(predictor, picture))]
    ink = np.asarray(Image.fromarray(picture).resize((252, 252))) < 128
    assert red[1][ink].mean() > 0.95
    assert red[1][~ink].mean() < 0.02
    assert not red[0].any() and not red[2].any()


@pytest.mark.parametrize(
    ("picture", "filled"),
    [
        (drawn_digit(7), [True, True, True]),
        (np.zeros((5, 5), np.uint8), [True, False, False]),
        (np.full((300, 2), 7, np.uint16), [True, False, False]),
        (np.linspace(0, 1, 3000, dtype=np.float32).reshape(1, 3000), [True, False, False]),
        (np.eye(2, dtype=np.bool_), [True, False, False]),
        (PictureError("not_found", "a\nmessage " + "x" * 500), [False, False, False]),
        (b"not a picture", [False, False, False]),
    ],
)
def test_a_panel_shows_any_picture_as_far_as_it_came(predictor: Predictor, picture: object, filled: list[bool]) -> None:
    shown = panel(predictor, picture)
    assert [bool((square < 200).any()) for square in squares(shown)] == filled
    words = np.asarray(shown.convert("RGB"), np.int16)[35:60]  # the answer: red where there is none
    assert bool((words[:, :, 0] - words[:, :, 1] > 100).any()) is not filled[1]


def test_a_sheet_has_two_columns_from_four_on_and_an_end(predictor: Predictor, tmp_path: Path) -> None:
    seen = predictor.predict_and_record(drawn_digit(7), 4, "seven")
    sheet = ContactSheet()
    for _ in range(MOST_PANELS + 2):
        sheet.add(seen)
    out = tmp_path / "seen.png"
    assert sheet.write(out) == f"{out} shows the first {MOST_PANELS}, 2 more are not on it"
    with Image.open(out) as drawn:
        assert drawn.height * 2 == MOST_PANELS * panel(predictor, drawn_digit(7)).height
    three, four = ContactSheet(), ContactSheet()
    for _ in range(3):
        three.add(seen)
        four.add(seen)
    four.add(seen)
    sizes = [Image.open(BytesIO(sheet.to_png())).size for sheet in (three, four)]
    assert sizes[1] == (2 * sizes[0][0], sizes[0][1] * 2 // 3)


def test_each_decision_is_said_in_words() -> None:
    prepared = PreparedPicture(
        np.zeros((28, 28), np.float32),
        untouched=False,
        box=(10, 50, 20, 40),
        dark_ink=True,
        ground_level=231.4,
        unevenness=0.32,
        lines_removed=1,
        specks_dropped=2,
        strangers_dropped=1,
        parts=2,
        cut=True,
        thickening=-0.7,
    )
    words = "\n".join(describe_preparation(prepared))
    for expected in (
        "dark ink on a light ground (level 231)",
        "uneven light removed (32%)",
        "1 line removed",
        "2 specks dropped",
        "1 larger part dropped",
        "20x40 pixels at (20, 10), 2 parts",
        "runs into the picture's edge",
        "reduced 2.0 x",
        "thinned by 0.7 pixels",
    ):
        assert expected in words
    assert describe_preparation(PreparedPicture(prepared.field)) == ["28x28 in MNIST's form, on black: unchanged"]


def test_nothing_of_it_is_imported_without_the_option(seven: Path, model_file: Path) -> None:
    import subprocess

    script = (
        "import sys\nfrom mnistsum_runtime.commands.run_options import command\n"
        "from mnistsum_runtime.commands.options import exit_code_of\n"
        "exit_code_of(command)\n"
        "print({'PIL.ImageDraw', 'PIL.ImageFont', 'mnistsum_runtime.explain.panels'} & set(sys.modules))"
    )
    call = [sys.executable, "-c", script, str(seven), "4", "--model", str(model_file)]
    assert subprocess.run(call, capture_output=True, text=True, check=True).stdout.splitlines()[1] == "set()"


BLUE = (
    np.where(drawn_digit(7)[:, :, None] > 0, np.array([20, 40, 200], np.uint8), np.uint8(255)).repeat(6, 0).repeat(6, 1)
)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "array", "image", "turned"])
def test_the_picture_is_shown_in_its_colours(form: str, predictor: Predictor) -> None:
    image = Image.fromarray(BLUE)
    source: object = BLUE if form == "array" else image
    if form in ("PNG", "JPEG", "turned"):
        buffer, exif = BytesIO(), Image.Exif()
        if form == "turned":
            exif[0x0112] = 6
            image = image.rotate(90)
        image.save(buffer, "JPEG" if form == "turned" else form, exif=exif)
        source = buffer.getvalue()
    shown = np.asarray(panel(predictor, source).convert("RGB")).astype(int)[64 : 64 + 252, 16 : 16 + 252]
    blue = (shown[:, :, 2] - shown[:, :, 0]) > 100
    assert 0.02 < blue.mean() < 0.3
    expected = np.asarray(Image.fromarray(BLUE).resize((252, 252))).astype(int)
    assert (blue == (expected[:, :, 2] - expected[:, :, 0] > 100)).mean() > 0.97
