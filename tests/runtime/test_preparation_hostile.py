"""Whatever is in a picture: an answer, or `no_digit` in one clear line."""

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageDraw

from mnistsum_runtime import PictureError
from mnistsum_runtime.preparation.picture import read_picture
from mnistsum_runtime.preparation.prepare import prepare
from tiny_model import drawn_digit

SHAPES = [(1, 1), (1, 10_000), (10_000, 1), (2, 3), (7, 7), (27, 29), (29, 29), (33, 200), (64, 64), (400, 31)]


def answer(picture: NDArray[np.generic]) -> bool:
    """Whether there is an answer, and it is one."""
    try:
        with np.errstate(all="raise", under="ignore"):
            field = prepare(read_picture(np.asarray(picture)))
    except PictureError as error:
        assert error.kind == "no_digit"
        assert "\n" not in str(error)
        return False
    assert field.shape == (28, 28)
    assert field.dtype == np.float32
    assert np.isfinite(field).all()
    assert field.min() >= 0
    assert field.max() <= 1
    return True


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_noise_of_every_density(shape: tuple[int, int]) -> None:
    generator = np.random.default_rng(5)
    answered = []
    for share in (0.001, 0.02, 0.2, 0.5, 0.9):
        answered.append(answer(generator.random(shape) < share))
        answered.append(answer((generator.random(shape) < share) * generator.integers(0, 256, shape, dtype=np.uint8)))
        answered.append(answer(generator.random(shape).astype(np.float32) * np.float32(share)))
    assert sum(answered) <= 2, "of these 15 hardly one looks like a digit"


@pytest.mark.parametrize("seed", range(6))
def test_lines_outlines_and_dots_of_one_pixel(seed: int) -> None:
    generator = np.random.default_rng((9, seed))
    answered = {"8 bit": 0, "16 bit": 0}
    for _ in range(40):
        height, width = (int(side) for side in np.exp(generator.uniform(0, np.log(300), 2)))
        image = Image.new("L", (width, height), int(generator.integers(256)))
        draw = ImageDraw.Draw(image)
        for _ in range(generator.integers(1, 6)):
            points = [
                (float(x) * width, float(y) * height)
                for x, y in generator.uniform(-0.1, 1.1, (generator.integers(2, 6), 2))
            ]
            shade = int(generator.integers(256))
            kind = generator.integers(4)
            if kind == 0:
                draw.line(points, fill=shade)
            elif kind == 1:
                draw.polygon(points, outline=shade)
            elif kind == 2:
                draw.point(points, fill=shade)
            else:
                draw.polygon(points, fill=shade)
        grain = generator.normal(0, generator.choice([0, 3, 20]), (height, width))
        levels = (np.asarray(image) + grain).clip(0, 255).astype(np.uint8)
        answered["8 bit"] += answer(levels)
        answered["16 bit"] += answer(levels.astype(np.uint16) * 257)
    assert all(0 < count < 20 for count in answered.values()), "a few of these 40 look like a digit"


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_one_colour_in_every_type(shape: tuple[int, int], value: float) -> None:
    for white, kind in ((255, np.uint8), (65535, np.uint16), (1, np.float32), (1, np.bool_)):
        assert not answer(np.full(shape, white * value).astype(kind))


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_two_halves_are_no_digit_and_a_stroke_of_the_same_two_levels_is(share: float) -> None:
    picture = np.full((120, 160), 200, np.uint8)
    picture[:, : round(160 * share)] = 40
    assert not answer(picture)
    seven = np.kron(drawn_digit(7) > 128, np.ones((4, 4), np.bool_))
    picture[:] = 200
    picture[4:116, 24:136][seven] = 40
    assert answer(picture), "the short way"
    light = np.linspace(0.6, 1, 160)
    assert answer((picture * light).astype(np.uint8)), "the deep way"


def paper() -> Image.Image:
    """A seven on grey paper, 140 pixels wide."""
    levels = np.kron(drawn_digit(7), np.ones((5, 5), np.uint8))
    return Image.fromarray((220 - levels * 0.7).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def files() -> dict[str, bytes]:
    """The seven in files that decoders find hard."""
    grey, colour = paper(), paper().convert("RGB")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    palette = Image.fromarray((np.asarray(grey) < 150).astype(np.uint8)).convert("P")
    palette.putpalette([9, 9, 9, 30, 20, 10])
    frames = [Image.new("L", grey.size, 255)]
    alpha = Image.merge("LA", (Image.new("L", grey.size, 20), grey.point([255 - level for level in range(256)])))
    return {
        "CMYK": encoded(colour.convert("CMYK"), "JPEG", quality=95),
        "progressive": encoded(colour, "JPEG", quality=95, progressive=True),
        "ICC": encoded(colour, "PNG", icc_profile=profile),
        "damaged ICC": encoded(colour, "PNG", icc_profile=b"no profile"),
        "animated": encoded(grey, "GIF", save_all=True, append_images=frames),
        "animated PNG": encoded(grey, "PNG", save_all=True, append_images=frames),
        "16 bit": encoded(Image.fromarray(np.asarray(grey).astype(np.uint16) * 16), "PNG"),
        "palette with a transparent colour": encoded(palette, "PNG", transparency=0),
        "transparent": encoded(alpha, "PNG"),
        "two levels": encoded(grey.point([255 * (level > 150) for level in range(256)]).convert("1"), "TIFF"),
    }


@pytest.mark.parametrize("name", files())
def test_files_that_decoders_find_hard_show_the_same_seven(name: str) -> None:
    field = prepare(read_picture(files()[name]))
    assert np.abs(field - prepare(np.asarray(paper()))).mean() < 0.03
