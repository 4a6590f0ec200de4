"""Whatever a picture is made of, what is read is its grey over its own ground; what cannot be read is named."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mnistsum_runtime import CallError, PictureError, read_picture
from mnistsum_runtime.preparation import picture
from mnistsum_runtime.preparation.prepare import prepare
from tiny_model import drawn_digit

PAPER = 255 - drawn_digit(7)
"""Dark ink on white, 28x28."""
MODES = ["1", "L", "P", "RGB", "RGBA", "LA", "La", "PA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"]


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def refused(source: Any) -> PictureError:
    with pytest.raises(PictureError) as caught:
        read_picture(source)
    assert "\n" not in caught.value.message
    return caught.value


def big_png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF", "PPM"])
def test_lossless_formats_give_the_same_grey(kind: str) -> None:
    assert np.array_equal(read_picture(encode(Image.fromarray(PAPER), kind)), PAPER)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_give_nearly_the_same_grey(kind: str) -> None:
    read = read_picture(encode(Image.fromarray(PAPER).resize((84, 84), 0), kind, quality=95))
    assert np.abs(read.astype(int) - np.kron(PAPER, np.ones((3, 3)))).mean() < 3


def test_path_bytes_image_and_array_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "seven.png"
    Image.fromarray(PAPER).save(path)
    for source in (path, str(path), path.read_bytes(), Image.open(path), PAPER, PAPER[:, :, None]):
        assert np.array_equal(read_picture(source), PAPER)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_pillow_gives_the_same_prepared_picture(mode: str) -> None:
    grey = Image.fromarray(PAPER)
    if mode == "I;16":
        image = Image.fromarray(PAPER.astype(np.uint16) * 257)
    elif mode == "La":
        image = grey.convert("LA").convert("La")
    elif mode == "PA":
        image = grey.convert("P").convert("PA")
    elif mode in ("YCbCr", "HSV"):
        image = grey.convert("RGB").convert(mode)
    else:
        image = grey.convert(mode)
    assert image.mode == mode
    assert np.abs(prepare(read_picture(image)) - prepare(PAPER)).max() < 0.02


@pytest.mark.parametrize("ink", [0, 90])
def test_dark_ink_on_a_transparent_ground_is_read_as_on_white(ink: int) -> None:
    drawing = np.zeros((*PAPER.shape, 4), np.uint8)
    drawing[..., :3] = ink
    drawing[..., 3] = 255 - PAPER
    read = read_picture(encode(Image.fromarray(drawing), "PNG"))
    assert read[0, 0] == 255
    assert np.abs(prepare(read) - prepare(PAPER)).max() < 0.02


def test_light_ink_on_a_transparent_ground_is_read_as_on_black() -> None:
    drawing = np.full((*PAPER.shape, 4), 255, np.uint8)
    drawing[..., 3] = 255 - PAPER
    assert np.array_equal(read_picture(drawing), 255 - PAPER)


def test_the_paper_goes_on_under_transparent_corners() -> None:
    paper = np.full((80, 80, 4), 255, np.uint8)
    paper[20:60, 38:42, :3] = 0
    paper[:5, :, 3] = paper[:, :5, 3] = 0
    read = read_picture(paper)
    assert read[0, 0] == 255
    assert read[40, 40] == 0


def test_a_palette_with_a_transparent_colour_is_read_over_its_own_ground() -> None:
    indices = Image.fromarray((drawn_digit(7) > 0).astype(np.uint8)).convert("P")
    indices.putpalette([10, 10, 10, 0, 0, 0])
    read = read_picture(encode(indices, "PNG", transparency=0))
    assert read[0, 0] == 255
    assert read.min() == 0


def test_a_16_bit_png_is_scaled_and_not_clipped_to_white() -> None:
    ramp = np.linspace(0, 65535, 28 * 28).astype(np.uint16).reshape(28, 28)
    read = read_picture(encode(Image.fromarray(ramp), "PNG"))
    assert read.dtype == np.uint16
    assert np.array_equal(read, ramp)


@pytest.mark.parametrize("white", [1, 255, 65535])
def test_a_float_tiff_is_brought_to_0_and_1(white: int) -> None:
    image = Image.fromarray((PAPER / 255 * white).astype(np.float32))
    assert np.allclose(read_picture(encode(image, "TIFF")), PAPER / 255, atol=1e-6)


def test_a_float_tiff_with_nan_is_refused() -> None:
    image = Image.fromarray(np.array([[0, np.nan]], np.float32))
    assert refused(encode(image, "TIFF")).kind == "truncated"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_respected(kind: str, orientation: int) -> None:
    from PIL import ImageOps

    content = np.full((48, 32), 255, np.uint8)
    content[4:12, 4:8] = 0  # near the top left, in a picture that is not square
    image = Image.fromarray(content)
    exif = Image.Exif()
    exif[0x0112] = orientation
    encoded = encode(image, kind, exif=exif.tobytes(), quality=95)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(BytesIO(encoded))).convert("L"))
    read = read_picture(encoded)
    assert read.shape == expected.shape
    assert np.abs(read.astype(int) - expected).max() < 20


def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size() -> None:
    read = read_picture(encode(Image.new("RGB", (4000, 3300), "white"), "JPEG"))
    assert read.shape == (825, 1000)


def test_the_first_frame_of_an_animation_is_read() -> None:
    animation = encode(Image.fromarray(PAPER), "GIF", save_all=True, append_images=[Image.new("L", (28, 28))])
    assert np.array_equal(read_picture(animation), PAPER)


def test_an_interlaced_png_with_a_colour_profile_is_read() -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(read_picture(encode(Image.fromarray(PAPER), "PNG", icc_profile=profile)), PAPER)


def test_missing_file_is_not_found(tmp_path: Path) -> None:
    error = refused(tmp_path / "none.png")
    assert error.kind == "not_found"
    assert str(tmp_path / "none.png") in error.message


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_a_name_that_cannot_be_a_file_is_refused(name: str) -> None:
    assert refused(name).kind in ("not_found", "not_readable")


def test_a_folder_is_not_readable_as_a_picture(tmp_path: Path) -> None:
    assert refused(tmp_path).kind == "not_readable"


def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.png"
    path.touch()
    assert refused(path).kind == "empty"
    assert refused(b"").kind == "empty"


@pytest.mark.parametrize("text", [b"hello, I am text", b"BMW is a car", b"P1 is a text", b"RIFF raff", b"<svg/>"])
def test_text_is_not_a_picture(text: bytes) -> None:
    assert refused(text).kind == "not_a_picture"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_cut_off_file_is_truncated(kind: str, share: float) -> None:
    noise = Image.fromarray(np.random.default_rng(5).integers(0, 256, (60, 60), dtype=np.uint8))
    content = encode(noise, kind)
    error = refused(content[: int(len(content) * share)])
    assert error.kind in ("truncated", "not_a_picture")
    if kind in ("PNG", "JPEG", "GIF", "TIFF"):
        assert error.kind == "truncated"


def test_damaged_bytes_give_an_answer_or_one_clear_line() -> None:
    rng = np.random.default_rng(7)
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "PPM"):
        content = encode(Image.fromarray(PAPER), kind)
        for _ in range(40):
            damaged = bytearray(content)
            for place in rng.integers(8, len(damaged), 4):
                damaged[place] = rng.integers(256)
            try:
                assert read_picture(bytes(damaged)).ndim == 2
            except PictureError as error:
                assert "\n" not in error.message


@pytest.mark.parametrize("size", [(8001, 8000), (100_000, 100_000), (2_000_000_000, 2)])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(self: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    assert refused(big_png_header(*size)).kind == "too_large"


def test_a_picture_just_over_pillows_own_warning_limit_gives_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert np.array_equal(read_picture(encode(Image.fromarray(PAPER), "PNG")), PAPER)


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(picture.MAX_BYTES + 1)  # sparse: takes no space
    assert refused(path).kind == "too_large"
    assert refused(Path("/dev/zero")).kind == "too_large"


def test_an_image_or_array_over_the_limit_is_refused() -> None:
    wide: NDArray[np.uint8] = np.broadcast_to(np.uint8(0), (8001, 8000))
    assert refused(wide).kind == "too_large"


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(28, np.uint8),
        np.zeros((28, 28, 2), np.uint8),
        np.zeros((1, 1, 28, 28), np.uint8),
        np.zeros((0, 28), np.uint8),
        np.zeros((28, 28), np.int64),
        np.zeros((28, 28), np.complex64),
        np.full((28, 28), "7"),
        np.full((28, 28), None),
        np.full((28, 28), np.nan),
        np.full((28, 28), np.inf),
        np.full((28, 28), 1.5, np.float32),
        np.full((28, 28), -0.1, np.float32),
        np.full((28, 28, 3), 255.0),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}{array.ravel()[:1]}",
)
def test_a_wrong_array_is_bad_array(array: NDArray[Any]) -> None:
    assert refused(array).kind == "bad_array"


def as_bool(grey: NDArray[np.uint8]) -> NDArray[Any]:
    return grey > 0


def as_colour(grey: NDArray[np.uint8]) -> NDArray[Any]:
    return np.stack([grey] * 3, axis=2)


def as_float_colour(grey: NDArray[np.uint8]) -> NDArray[Any]:
    return as_colour(grey) / 255


def as_wide_colour(grey: NDArray[np.uint8]) -> NDArray[Any]:
    return as_colour(grey).astype(np.uint16) * 257


def as_big_endian(grey: NDArray[np.uint8]) -> NDArray[Any]:
    return (grey.astype(np.uint16) * 257).astype(">u2")


def as_half(grey: NDArray[np.uint8]) -> NDArray[Any]:
    return (grey / 255).astype(np.float16)


@pytest.mark.parametrize("form", [as_bool, as_colour, as_float_colour, as_wide_colour, as_big_endian, as_half])
def test_every_kind_of_array_gives_the_same_prepared_picture(form: Callable[[NDArray[np.uint8]], NDArray[Any]]) -> None:
    assert np.array_equal(prepare(read_picture(form(drawn_digit(7)))), drawn_digit(7) / np.float32(255))


@pytest.mark.parametrize("source", [None, 7, [[0, 255]]])
def test_what_is_no_picture_at_all_is_a_wrong_call(source: Any) -> None:
    with pytest.raises(CallError, match="a picture is a path, bytes"):
        read_picture(source)
