"""What the world sends: pictures that cost too much, objects that are none, folders with pipes, outputs over inputs."""

import copy
import os
import pickle
import resource
import struct
import subprocess
import sys
import warnings
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from calling import assert_one_line, call
from mnistsum_runtime import CallError, MnistsumError, ModelError, PictureError, Predictor
from mnistsum_runtime.commands import evaluate, run_options
from mnistsum_runtime.errors import WorkError
from mnistsum_runtime.preparation import picture, prepare, tiff
from mnistsum_runtime.preparation.picture import MAX_SIDE, read_picture
from tiny_model import drawn_digit


def png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


SEVEN = png(Image.fromarray(drawn_digit(7)))

# Cost.


@pytest.mark.parametrize("size", [(1, MAX_SIDE + 1), (MAX_SIDE + 1, 1)])
def test_a_side_is_bounded_before_anything_is_decoded(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    content = png(Image.new("L", size))
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    with pytest.raises(PictureError, match="a side has at most 30,000") as caught:
        read_picture(content)
    assert caught.value.kind == "too_large"


def test_the_sides_of_arrays_and_images_are_bounded_too() -> None:
    for source in (np.zeros((MAX_SIDE + 1, 1), np.uint8), Image.new("L", (1, MAX_SIDE + 1))):
        with pytest.raises(PictureError, match="a side has at most"):
            read_picture(source)


@pytest.mark.parametrize(
    ("mode", "form", "megapixels"),
    [("RGB", "PNG", 64), ("RGBA", "PNG", 38), ("LA", "PNG", 38), ("F", "TIFF", 31), ("CMYK", "TIFF", 55)],
)
def test_pictures_that_decode_to_more_bytes_may_have_fewer_pixels(
    mode: str, form: str, megapixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scale = 1000  # the bounds, and the picture, a thousandth of what they are
    monkeypatch.setattr(picture, "MAX_MEMORY", picture.MAX_MEMORY // scale)
    monkeypatch.setattr(picture, "MAX_PIXELS", picture.MAX_PIXELS // scale)
    for factor, passes in ((0.95, True), (1.05, False)):
        side = int((megapixels * factor * 1e6 / scale) ** 0.5)
        buffer = BytesIO()
        Image.new(mode, (side, side)).save(buffer, form)
        if passes:
            assert read_picture(buffer.getvalue()).shape == (side, side)
        else:
            with pytest.raises(PictureError, match=r"at most \d+ megapixels are decoded"):
                read_picture(buffer.getvalue())


@pytest.mark.slow
def test_the_largest_picture_with_transparency_stays_under_600_mb(tmp_path: Path) -> None:
    image = Image.new("RGBA", (6100, 6100), (255, 255, 255, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (2000, 1000, 2600, 5000))
    path = tmp_path / "large.png"
    image.save(path, compress_level=1)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    script = "from mnistsum_runtime.commands.run import main; main()"
    done = subprocess.run([sys.executable, "-P", "-c", script, str(path), "4"], capture_output=True, check=False)
    assert done.returncode == 0
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert peak == before or peak * 1024 < 600e6


@pytest.mark.parametrize(
    ("header", "pixel"), [(b"P5\n%d %d\n200\n", b"\xbe"), (b"P2\n%d %d\n255\n", b"9 "), (b"P1\n%d %d\n", b"1 ")]
)
def test_what_is_decoded_in_python_may_have_fewer_pixels(header: bytes, pixel: bytes) -> None:
    assert read_picture(header % (20, 20) + pixel * 400).shape == (20, 20)
    with pytest.raises(PictureError, match="at most 4 megapixels are decoded"):
        read_picture(header % (2100, 2000) + pixel * 2100 * 2000)


def png_of_chunks(kind: bytes, data: bytes, count: int) -> bytes:
    """A good PNG with many chunks more, before its pixels."""
    chunk = len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
    place = SEVEN.index(b"IDAT") - 4
    return SEVEN[:place] + chunk * count + SEVEN[place:]


def gif_of_comments(count: int) -> bytes:
    buffer = BytesIO()
    Image.fromarray(drawn_digit(7)).save(buffer, "GIF")
    content = buffer.getvalue()
    place = content.index(b"\x2c\0\0\0\0")
    return content[:place] + b"\x21\xfe\x01a\0" * count + content[place:]


def jpeg(**options: Any) -> bytes:
    buffer = BytesIO()
    Image.fromarray(drawn_digit(7)).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def jpeg_of_parts(part: bytes, count: int) -> bytes:
    content = jpeg()
    return content[:2] + part * count + content[2:]


def jpeg_of_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    content = jpeg(progressive=True)
    start = content.rindex(b"\xff\xda")
    return content[:start] + content[start:-2] * count + content[-2:]


def tiff_of_strips(count: int) -> bytes:
    """Of one pixel, with a field of `count` places."""
    fields = [(256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (279, 1)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
    entries += struct.pack("<HHII", 273, 4, count, 200)
    return b"II*\0" + struct.pack("<IH", 8, len(fields) + 1) + entries + b"\0" * 200 + b"\x08\0\0\0" * count


BOMBS = {
    "chunks of a PNG": (png_of_chunks(b"teSt", b"", 300), 100),
    "texts of a PNG": (png_of_chunks(b"tEXt", b"a\0b", 300), 100),
    "comments of a GIF": (gif_of_comments(300), 100),
    "comments of a JPEG": (jpeg_of_parts(b"\xff\xfe\0\x03a", 300), 100),
    "segments of a JPEG": (jpeg_of_parts(b"\xff\xe5\0\x02", 300), 100),
}


@pytest.mark.parametrize(("content", "steps"), BOMBS.values(), ids=BOMBS.keys())
def test_a_file_of_endless_parts_is_stopped(content: bytes, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_picture(content).shape == (28, 28)
    monkeypatch.setattr(picture._File, "left", steps)
    with pytest.raises(PictureError, match="made of so many parts that it is not decoded: save it anew") as caught:
        read_picture(content)
    assert caught.value.kind == "too_large"


def test_three_million_empty_parts_take_no_minute() -> None:
    """The bound as it ships; without it a plugin goes on for a minute and a half."""
    with pytest.raises(PictureError, match="made of so many parts"):
        read_picture(jpeg_of_parts(b"\xff\xe5\0\x02", 3_000_000))


def test_the_scans_of_a_jpeg_are_counted() -> None:
    assert read_picture(jpeg_of_scans(picture.MOST_SCANS - 20)).shape == (28, 28)
    with pytest.raises(PictureError, match="made of so many parts"):
        read_picture(jpeg_of_scans(picture.MOST_SCANS + 1))


def test_scans_after_a_jpegs_end_are_not_its_own() -> None:
    assert read_picture(jpeg() + jpeg_of_scans(200)).shape == (28, 28)


def test_the_strips_of_a_tiff_are_counted_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.TiffImagePlugin.TiffImageFile", lambda _: pytest.fail("opened"))
    with pytest.raises(PictureError, match="made of so many parts"):
        read_picture(tiff_of_strips(tiff.MOST_VALUES + 1))


def test_comments_of_a_picture_that_is_text_are_counted() -> None:
    header, pixels = b"P2\n20 20\n255\n", b"9 " * 400
    assert read_picture(header + b"# a\n" * 900 + pixels).shape == (20, 20)
    with pytest.raises(PictureError, match="made of so many parts"):
        read_picture(header + b"# a\n" * 1100 + pixels)


def test_text_is_bounded_by_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "MOST_TEXT", 5000)
    with pytest.raises(PictureError, match="made of so many parts"):
        read_picture(b"P2\n20 20\n255\n" + b" " * 5000 + b"9 " * 400)


def test_exif_that_no_camera_writes_is_not_read() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    tall = Image.new("L", (10, 20))
    for padding, shape in ((0, (10, 20)), (2_000_000, (20, 10))):
        buffer = BytesIO()
        tall.save(buffer, "PNG", exif=exif.tobytes() + b"\0" * padding)
        assert read_picture(buffer.getvalue()).shape == shape


def test_too_little_memory_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(Image.Image, "load", fail)
        patched.setattr("PIL.ImageFile.ImageFile.load", fail)
        with pytest.raises(PictureError, match="too little memory to decode it") as caught:
            read_picture(SEVEN)
        assert caught.value.kind == "too_large"
    monkeypatch.setattr(prepare, "prepare_scan", fail)
    with pytest.raises(PictureError, match="too little memory to prepare it"):
        prepare.prepare_picture(np.pad(drawn_digit(7), 20))


def test_a_palette_picture_without_its_palette_is_damaged() -> None:
    """Found by `make campaign`, one of 20,000."""
    content = png(Image.fromarray(drawn_digit(7)).convert("P"))
    start = content.index(b"PLTE") - 4
    length = int.from_bytes(content[start : start + 4], "big")
    with pytest.raises(PictureError, match="cut off or damaged") as caught:
        read_picture(content[:start] + content[start + 12 + length :])
    assert caught.value.kind == "truncated"


# Objects.


class Raises:
    """Raises, whatever is asked of it."""

    def __fspath__(self) -> str:
        raise RuntimeError("no path")

    def __array__(self) -> None:
        raise RuntimeError("no array")


class Bytes:
    """A path in bytes."""

    def __fspath__(self) -> bytes:
        return b"nothing.png"


SOURCES: dict[str, Any] = {
    "nothing": None,
    "a number": 7,
    "a list": [[0, 1], [1, 0]],
    "a buffer": bytearray(SEVEN),
    "a file": BytesIO(SEVEN),
    "a class": Raises,
    "what raises": Raises(),
    "a path in bytes": Bytes(),
    "a null": "a\0b",
    "a lone surrogate": "\ud800.png",
    "a long name": "a" * 5000,
    "a masked array": np.ma.masked_array(drawn_digit(7), drawn_digit(7) > 0),
    "no axes": np.array(3, np.uint8),
    "no pixels": np.zeros((0, 5), np.uint8),
    "objects": np.array([[None, 1]], object),
    "complex numbers": np.zeros((30, 30), complex),
    "dates": np.zeros((30, 30), "datetime64[s]"),
    "texts": np.full((30, 30), "a"),
    "records": np.zeros((30, 30), [("a", "u1")]),
    "int64": drawn_digit(7).astype(np.int64),
    "signed bytes": drawn_digit(7).astype(np.int8),
    "NaN": np.full((30, 30), np.nan),
    "large floats": np.full((30, 30), 1e300),
    "two channels": np.zeros((30, 30, 2), np.uint8),
    "four axes": np.zeros((1, 1, 30, 30), np.uint8),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
def test_what_is_no_picture_is_an_error_of_ours_without_a_warning(predictor: Predictor, source: Any) -> None:
    with warnings.catch_warnings(), pytest.raises(MnistsumError) as caught:
        warnings.simplefilter("error")
        predictor.predict(source, 4)
    assert "\n" not in str(caught.value)


ARRAYS: dict[str, Any] = {
    "big-endian": drawn_digit(7).astype(">u2") * 257,
    "read-only": np.frombuffer(drawn_digit(7).tobytes(), np.uint8).reshape(28, 28),
    "every second": np.repeat(np.repeat(drawn_digit(7), 2, 0), 2, 1)[::2, ::2],
    "turned twice": np.rot90(np.rot90(drawn_digit(7), 2), 2),
    "in columns": np.asfortranarray(drawn_digit(7)),
    "half floats": (drawn_digit(7) / 255).astype(np.float16),
    "long floats": (drawn_digit(7) / 255).astype(np.longdouble),
    "a matrix": drawn_digit(7).view(np.ndarray).view(type("Own", (np.ndarray,), {})),
    "bool": drawn_digit(7) > 0,
}


@pytest.mark.parametrize("source", ARRAYS.values(), ids=ARRAYS.keys())
def test_an_array_of_any_layout_is_read(predictor: Predictor, source: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert predictor.predict(source, 4).value == 11


@pytest.mark.parametrize(
    "error",
    [
        PictureError("no_digit", "nothing there"),
        CallError("a wrong call"),
        ModelError("a bad model"),
        WorkError("no disk"),
        MnistsumError("any"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_go_to_other_processes_whole(error: MnistsumError) -> None:
    error.add_note("a note")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(again), str(again), again.exit_code) == (type(error), str(error), error.exit_code)
        assert again.__notes__ == ["a note"]
        assert getattr(again, "kind", None) == getattr(error, "kind", None)


def test_answers_go_to_other_processes(predictor: Predictor) -> None:
    answer = predictor.predict(drawn_digit(7), 4)
    again = pickle.loads(pickle.dumps(answer))
    assert again.to_json("a") == answer.to_json("a")


# Standard error.


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "group4", "jpeg"])
def test_damaged_tiff_says_one_line_and_no_more(compression: str, tmp_path: Path) -> None:
    buffer = BytesIO()
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 60), np.uint8))
    (image.convert("1") if compression == "group4" else image).save(buffer, "TIFF", compression=compression)
    paths = []
    for index in range(8):
        content = bytearray(buffer.getvalue())
        for place in np.random.default_rng(index).integers(8, len(content), 6):
            content[place] ^= 0xFF
        path = tmp_path / f"{index}.tif"
        path.write_bytes(content)
        paths.append(str(path))
    script = "from mnistsum_runtime.commands.run import main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, *paths, "4"], capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1)
    assert all(line.startswith("mnistsum-run: ") for line in done.stderr.splitlines()), done.stderr
    assert done.stdout.count("\n") + done.stderr.count("\n") == len(paths)


# Folders.


@pytest.fixture
def odd_folder(tmp_path: Path) -> Path:
    """A picture among what is called so and is none."""
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "a7.png").write_bytes(SEVEN)
    os.mkfifo(folder / "b7.png")
    (folder / "c7.png").symlink_to("c7.png")
    (folder / "d7.png").symlink_to("/dev/zero")
    (folder / "e7.png").symlink_to("nowhere")
    (folder / "f7.png").mkdir()
    (folder / "loop").symlink_to(folder)
    return folder


def test_a_folder_is_answered_whatever_lies_in_it(odd_folder: Path, model_file: Path) -> None:
    done = call(run_options.command, odd_folder, 4, "--model", model_file)
    assert done.code == 1
    assert done.out.count("7 + 4 = 11") == 1
    lines = done.err.splitlines()
    assert [line.split(": ", 2)[2] for line in lines] == [
        "cannot be read: a pipe or a device, not a file",
        "cannot be read: Too many levels of symbolic links",
        "cannot be read: a pipe or a device, not a file",
        "cannot be read: No such file or directory",
    ]


def test_evaluate_tells_what_it_left_out(odd_folder: Path, model_file: Path) -> None:
    done = call(evaluate.command, odd_folder, "--model", model_file)
    assert done.code == 1
    assert done.err.count("cannot be read") == 4
    assert "100.00%" in done.out


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_told(tmp_path: Path, model_file: Path) -> None:
    (tmp_path / "a7.png").write_bytes(SEVEN)
    (tmp_path / "closed").mkdir(mode=0)
    done = call(evaluate.command, tmp_path, "--model", model_file)
    assert done.code == 1
    assert done.err.splitlines()[0].endswith("closed: cannot be read: Permission denied")


def test_names_of_folders_reach_no_terminal_raw(tmp_path: Path, model_file: Path) -> None:
    folder = tmp_path / "7\x1b[2J\nall  100.00%"
    folder.mkdir()
    (folder / "a7.png").write_bytes(SEVEN)
    done = call(evaluate.command, tmp_path, "--model", model_file)
    assert "\x1b" not in done.out + done.err
    assert r"7\x1b[2J\nall" in done.out


# Outputs over inputs.


def spellings(path: Path) -> list[Path | str]:
    hard, soft = path.with_name("hard.png"), path.with_name("soft.png")
    hard.hardlink_to(path)
    soft.symlink_to(path)
    folder = path.parent
    return [path, f"{folder}/../{folder.name}/{path.name}", f"{folder}//{path.name}", hard, soft]


def test_no_picture_is_drawn_over_however_it_is_written(tmp_path: Path, model_file: Path) -> None:
    path = tmp_path / "a7.png"
    path.write_bytes(SEVEN)
    for out in spellings(path):
        for pictures in (path, tmp_path):
            done = call(run_options.command, pictures, 4, "--explain", out, "--model", model_file)
            assert_one_line(done, 2, "is one of the pictures: name another file")
        assert_one_line(call(evaluate.command, tmp_path, "--explain", out, "--model", model_file), 2, "one of the pic")
    assert path.read_bytes() == SEVEN


def test_no_model_and_no_references_are_drawn_over(tmp_path: Path, model_file: Path) -> None:
    path, model = tmp_path / "a7.png", tmp_path / "m.onnx"
    path.write_bytes(SEVEN)
    model.write_bytes(model_file.read_bytes())
    references = tmp_path / "m.references.npz"
    references.write_bytes(b"references")
    for command, arguments in ((run_options.command, (path, 4)), (evaluate.command, (tmp_path,))):
        for out, what in ((model, "is the model"), (references, "is the model's references")):
            assert_one_line(call(command, *arguments, "--explain", out, "--model", model), 2, what)
    assert references.read_bytes() == b"references"


def test_a_drawing_of_before_is_drawn_anew(tmp_path: Path, model_file: Path) -> None:
    path, out = tmp_path / "a7.png", tmp_path / "out" / "seen.png"
    path.write_bytes(SEVEN)
    out.parent.mkdir()
    for _ in range(2):
        assert call(run_options.command, path, 4, "--explain", out, "--model", model_file).code == 0
    assert out.read_bytes().startswith(b"\x89PNG")
