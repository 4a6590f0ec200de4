"""Arrays and objects of every kind given to `predict`: an answer or a `MnistsumError`, and no warning."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from campaign.forking import Job
from campaign.trying import Campaign, Try, require
from mnistsum_runtime.errors import MnistsumError

DTYPES = (
    *("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "g", "c8", "c16", ">u2", ">f4", ">i4"),
    *("U3", "S3", "O", "M8[s]", "m8[s]", "V4", [("r", "u1"), ("g", "u1"), ("b", "u1")]),
)
SHAPES: tuple[tuple[int, ...], ...] = (
    *((), (0,), (5,), (0, 0), (0, 28), (1, 1), (28, 28), (28, 28, 1), (28, 28, 2), (28, 28, 3), (28, 28, 4)),
    *((28, 28, 5), (1, 28, 28), (28, 28, 0), (1, 1, 28, 28), (200, 150), (3, 4000), (1,) * 30, (600, 700, 3)),
)
VALUES = (0, 1, 255, 65535, -1, 2**31 - 1, float("nan"), float("inf"), float("-inf"), 1e-45, 1e308, 0.5, 1.0000001)
MODES = (
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "HSV",
    "LAB",
    "I",
    "F",
    "I;16",
    "I;16B",
)


class Named:
    """Something that says that it is a path."""

    def __init__(self, name: object) -> None:
        self.name = name

    def __fspath__(self) -> Any:
        """What it gives out as its name."""
        return self.name


class Arraylike:
    """Something that becomes an array when it is asked."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        return np.zeros((28, 28), np.uint8)


class Unspeakable:
    """Something that cannot even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError


def array(random: Random) -> Any:
    """An array of any type, shape, content and layout."""
    shape, kind = random.choice(SHAPES), random.choice(DTYPES)
    if random.random() < 0.5:
        shape, kind = random.choice(((28, 28), (150, 200), (40, 40, 3), (40, 40, 4))), random.choice(DTYPES[:18])
    generator = np.random.default_rng(random.randrange(2**32))
    made: Any = np.zeros(shape, kind)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if made.dtype.kind in "biufc":
            noise = generator.random(shape) * random.choice((1, 1, 255, 65535))
            made = np.asarray(noise if made.dtype.kind != "b" else noise > 0.5).astype(kind)
            if random.random() < 0.4 and made.size:
                value = np.array(random.choice(VALUES)).astype(made.dtype)
                made[...] = np.where(generator.random(shape) < random.choice((0.01, 1)), value, made)
        return random.choice(LAYOUTS)(made)


def _masked(made: Any) -> Any:
    return np.ma.masked_array(made, np.ones(made.shape, bool)) if made.dtype.kind in "biuf" else made


LAYOUTS: tuple[Callable[[Any], Any], ...] = (
    lambda made: made,
    lambda made: made,
    np.asfortranarray,
    lambda made: made[::-1] if made.ndim else made,
    lambda made: made[::3] if made.ndim else made,
    lambda made: made.swapaxes(0, 1) if made.ndim > 1 else made,
    lambda made: np.broadcast_to(made.ravel()[:1].reshape(1, 1), (100_000, 100_000)) if made.size else made,
    lambda made: np.broadcast_to(made.ravel()[:1].reshape(1, 1), (3000, 3000)) if made.size else made,
    lambda made: np.broadcast_to(made, (2, *made.shape)),
    _masked,
    lambda made: made.view(np.recarray) if made.dtype.names else made,
    lambda made: np.matrix(made) if made.ndim == 2 and made.dtype.kind in "iuf" else made,
)


def image(random: Random) -> Any:
    """A Pillow image: of any mode, closed, cut off, empty, or large."""
    way = random.randrange(6)
    if way == 0:
        buffer = BytesIO()
        Image.new("L", (50, 50), 9).save(buffer, random.choice(("PNG", "JPEG", "TIFF", "GIF")))
        return Image.open(BytesIO(buffer.getvalue()[: -random.randrange(1, 20)]))
    size = random.choice(((28, 28), (0, 0), (0, 5), (1, 1), (1, 3000), (90, 120)))
    made = Image.new(random.choice(MODES), size)
    if way == 1:
        made.close()
    if way == 2:
        made.info.update(
            transparency=random.choice((b"", b"\0" * 300, 7, (1, 2), "x")), exif=b"Exif\0\0junk", icc_profile=b"x"
        )
    if way == 3:
        return Image.new("1", (9000, 8000))
    return made


def other(random: Random) -> Any:
    """What is no picture, and what looks like a path."""
    return random.choice(
        (
            *(
                None,
                True,
                3,
                2.5,
                1j,
                "",
                ".",
                "/",
                "\0",
                "a\0b",
                "\ud800",
                "x" * 5000,
                "~",
                "/dev/null",
                "/proc/self/mem",
            ),
            *(b"", b"\0", bytearray(b"P5 1 1 255 a"), memoryview(b"abc"), [], [[0] * 28] * 28, {}, set(), object()),
            *(int, print, lambda: 0, iter(()), sys.stdin, Exception("x"), Arraylike(), Unspeakable(), Decimal(1)),
            *(Path(), Path("\0"), Path("nowhere.png"), Named(b"x.png"), Named(3), Named(None), Named("\0")),
            *(np.uint8(3), np.str_("a.png"), np.bytes_(b"a"), np.dtype("u1"), slice(3), ..., NotImplemented),
        )
    )


NUMBERS: tuple[Any, ...] = (
    *(-1, 10, 2**70, 3.0, 4.5, True, None, "4", "", b"4", [4], (4,), {}, float("nan"), np.int64(4), np.uint8(9)),
    *(np.float32(4), np.array(4), np.array([4]), np.array([1, 2]), Decimal(4), Fraction(4), 4j, object(), np.bool_(1)),
)


def call(random: Random) -> str:
    """One call that is wrong or odd somewhere; what came of it."""
    from campaign.in_process import bar, shipped
    from mnistsum_runtime.predictor import Predictor

    given = random.choice((array, array, array, image, other))(random)
    number: Any = 4 if random.random() < 0.8 else random.choice(NUMBERS)
    way = random.randrange(10)
    try:
        if way < 7:
            shipped.predict(given, number)
        elif way == 7:
            images: Any = random.choice(([given] * 3, [bar(), given], given, iter([given]), []))
            if isinstance(images, (list, np.ndarray)) or hasattr(images, "__next__"):
                shipped.predict_many(images, number, on_error=random.choice(("raise", "return")))
        elif way == 8:
            shipped.predict_many([bar()] * 2, [number, 4], on_error=random.choice(("raise", "x", None)))  # type: ignore[call-overload]
        else:
            odd: Any = random.choice((*NUMBERS, "inf", -0.0, 1.5))
            Predictor(**{random.choice(("min_confidence", "threads", "operation")): odd})
    except MnistsumError as error:
        return type(error).__name__ if len(str(error).splitlines()) == 1 else f"no line: {str(error)!r}"
    return "answer"


def ask() -> None:
    """In a process of its own: the call that the command line names."""
    random = Random(sys.argv[1])
    sys.stdout.write(call(random))


def attempt(current: Try) -> None:
    """One call."""
    job = Job("campaign.objects:ask", (str(current.random.random()),), str(current.folder), seconds=20)
    end = current.server.run(job)
    said = end.out.decode(errors="replace")
    require(end.code == 0 and not end.err and not end.late, f"more than a MnistsumError: {end.shown()}")
    require(said in ("answer", "PictureError", "CallError", "ModelError"), f"another outcome: {end.shown()}")
    require(end.seconds <= 10 and end.peak <= 600_000_000, f"too much of something: {end.shown()}")
    current.figures["answered" if said == "answer" else "refused"] += 1


CAMPAIGN = Campaign("objects", "arrays, images and other objects given to `Predictor`", (100, 2000, 5000), attempt)
