"""Whole picture files of every format and mode that Pillow writes here: what the mutations begin with."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from random import Random

from PIL import Image, ImageDraw, features

from campaign.mutating import make_png

WIDTH, HEIGHT = 203, 149
TIFF_COMPRESSIONS: dict[str | None, tuple[str, ...]] = {
    **dict.fromkeys((None, "packbits", "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "lzma", "zstd"), ()),
    "jpeg": ("L", "RGB", "CMYK"),
    **dict.fromkeys(("group3", "group4", "tiff_ccitt"), ("1",)),
}
"""The modes that libtiff writes with each; of the others it complains on standard error. Nothing: all."""
_OPTIONS: dict[str, tuple[dict[str, object], ...]] = {
    "PNG": ({}, {"optimize": True}, {"transparency": 0}),
    "JPEG": ({}, {"progressive": True}, {"quality": 5, "subsampling": 2}, {"restart_marker_rows": 1}),
    "GIF": ({}, {"interlace": 0}, {"transparency": 0}),
    "WEBP": ({}, {"lossless": True}),
    "BMP": ({},),
    "PPM": ({},),
    "AVIF": ({"speed": 10},),
    "JPEG2000": ({}, {"irreversible": True}, {"no_jp2": True}),
    "TGA": ({}, {"compression": "tga_rle"}),
    "ICO": ({}, {"bitmap_format": "bmp"}),
    "MPO": ({},),
    "TIFF": tuple({} if name is None else {"compression": name} for name in TIFF_COMPRESSIONS),
}
_ENDINGS = {"JPEG": "jpg", "JPEG2000": "jp2", "TIFF": "tif", "PPM": "pnm"}
_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "YCbCr", "LAB", "I")


@cache
def whole_pictures() -> tuple[tuple[str, bytes], ...]:
    """The ending and the bytes of each."""
    return tuple(_written())


def _written() -> Iterator[tuple[str, bytes]]:
    drawn = Image.new("L", (WIDTH, HEIGHT), 250)
    ImageDraw.Draw(drawn).line([(60, 30), (140, 30), (90, 120)], 20, 14)
    for kind, choices in _OPTIONS.items():
        if kind == "AVIF" and not features.check("avif"):
            continue
        for mode in _MODES:
            try:
                image = drawn.convert("RGB").convert(mode) if mode == "LAB" else drawn.convert(mode)
            except ValueError:
                continue
            for options in choices:
                only = TIFF_COMPRESSIONS.get(str(options["compression"]), ()) if kind == "TIFF" and options else ()
                if only and mode not in only:
                    continue
                content = _write(image, kind, options)
                if content is not None:
                    yield _ENDINGS.get(kind, kind.lower()), content
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        frames = [drawn.rotate(angle) for angle in (5, 10)]
        content = _write(drawn, kind, {"save_all": True, "append_images": frames})
        if content is not None:
            yield _ENDINGS.get(kind, kind.lower()), content


def _write(image: Image.Image, kind: str, options: dict[str, object]) -> bytes | None:
    """The file, or None where the format does not have the mode or the option."""
    buffer = BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    try:
        if kind in ("JPEG", "PNG", "WEBP") and image.mode == "RGB":
            image.save(buffer, kind, exif=exif, **options)
        else:
            image.save(buffer, kind, **options)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):
        return None
    return buffer.getvalue()


SHAPES = ((1, 64_000_000), (64_000_000, 1), (8000, 8000), (100, 640_000), (600_000, 100), (30_000, 2_000), (9000, 9000))
_COLOURS = ((1, 0, 1), (8, 0, 8), (16, 0, 16), (8, 2, 24), (8, 6, 32), (16, 6, 64), (8, 4, 16))
"""Depth, PNG's colour type, bits a pixel."""


def many_pixels(random: Random) -> bytes:
    """A small PNG of millions of pixels: a row of ink here and there, or noise of a few rows again and again."""
    width, height = random.choice(SHAPES)
    depth, colour, bits = random.choice(_COLOURS)
    row = b"\0" + bytes([random.choice((0, 255))]) * ((width * bits + 7) // 8)
    ink = b"\0" + random.randbytes(min(len(row) - 1, 5000)).ljust(len(row) - 1, b"\x80")
    packer = zlib.compressobj(1)
    packed = bytearray()
    group = max(1, min(height, 4_000_000 // len(row)))
    block = row * (group - 1) + ink if random.random() < 0.5 else row * group
    for start in range(0, height, group):
        packed += packer.compress(block[: len(row) * min(group, height - start)])
    return make_png(width, height, depth, colour, bytes(packed + packer.flush()))
