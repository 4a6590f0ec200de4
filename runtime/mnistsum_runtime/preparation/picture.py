"""From a path, bytes, a Pillow image or an array to a grey picture over its own ground.

A file's Pillow plugin is chosen by its first bytes and imported alone: `PIL.Image.open` would import five of them,
and offer the file to each. What scanners and paint programs write is known here, all else in `more_formats`.

Threads decode side by side: nothing here is shared but a filter of warnings that each thread switches for itself.
"""

from __future__ import annotations

import os
import threading
import warnings
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from mnistsum_runtime.errors import CallError, PictureError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from numpy.typing import NDArray
    from PIL import Image, ImageFile

    Source: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | NDArray[Any]
    Grey: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]
    """[height, width]; black is 0, white is 255, 65535 or 1.0 by the type."""

Picture = TypeVar("Picture", bound="NDArray[Any]")

MAX_PIXELS = 64_000_000
"""Larger pictures are refused before they are decoded."""
MAX_SIDE = 30_000
"""Pictures with a longer side are refused too: of a thin one, each step costs more than its pixels say."""
MAX_MEMORY = 500_000_000
"""Bytes that decoding may take, by `_bytes_per_pixel`: of some pictures less than `MAX_PIXELS` are decoded."""
MAX_BYTES = 64_000_000
"""Larger files are refused before they are read."""
MOST_READS = 1_000_000
"""A plugin that takes more steps than this through a file is stopped: headers can be made of millions of empty parts,
each a few bytes long, and one part costs a plugin microseconds. Files of phones and scanners take some thousands."""
MOST_SLOW_SAMPLES = 4_000_000
"""Pixels, times their colours, of what Pillow decodes in Python, half a microsecond each: `_SLOW_DECODERS`."""
MOST_TEXT, MOST_COMMENTS = 24_000_000, 1000
"""Bytes of a PNM that is text, and its comments, each of which costs a copy of a megabyte."""
MOST_SCANS = 100
"""Of a JPEG, which has some ten; each is a pass over all pixels, however few bytes it has."""
DRAFT_SIDE = 1000
"""A JPEG is decoded at a half, a quarter or an eighth of its size while its longer side stays at least this long."""

_FORMATS = (
    (b"\x89PNG\r\n\x1a\n", "PIL.PngImagePlugin", "PngImageFile"),
    (b"\xff\xd8\xff", "PIL.JpegImagePlugin", "JpegImageFile"),
    (b"GIF8", "PIL.GifImagePlugin", "GifImageFile"),
    (b"II*\0", "PIL.TiffImagePlugin", "TiffImageFile"),
    (b"MM\0*", "PIL.TiffImagePlugin", "TiffImageFile"),
    (b"RIFF", "PIL.WebPImagePlugin", "WebPImageFile"),
    (b"BM", "PIL.BmpImagePlugin", "BmpImageFile"),
    *((b"P%d" % kind, "PIL.PpmImagePlugin", "PpmImageFile") for kind in range(1, 7)),
)
"""First bytes of a file, module of the plugin, class in the module."""

SUFFIXES = (
    frozenset((".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".gif", ".tif", ".tiff", ".webp", ".bmp"))
    | frozenset((".dib", ".pbm", ".pgm", ".ppm", ".pnm", ".heic", ".heics", ".heif", ".heifs", ".hif", ".avif"))
    | frozenset((".avifs", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".tga", ".ico"))
)
"""Endings by which pictures are found in a folder."""

_BYTES_PER_PIXEL = {"JPEG2000": 19.0, "WEBP": 16.0, "AVIF": 9.2}
"""Of formats whose decoders keep copies of their own."""

_SLOW_DECODERS = frozenset(("ppm", "ppm_plain", "bmp_rle"))
"""PNM as text, or with another white than 255 or 65535; BMP that is compressed."""

_EXIF_KEYS = ("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp")
_EXIF_ORIENTATION = 0x0112
_LONGEST_EXIF = 1_000_000
"""Bytes, with a preview: what is longer is no camera's, and may take gigabytes to read."""

_UNUSED_ALPHA = ("BMP", "DIB", "ICO", "TGA")
"""Pillow's formats whose fourth byte many programs leave at 0 everywhere: viewers show such a picture opaque."""


class _TooManyStepsError(Exception):
    """A file that keeps its plugin busy."""


class _File(BytesIO):
    """A file's bytes, for a plugin that may read so many times."""

    left = MOST_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise _TooManyStepsError
        return super().read(size)


class _Thread(threading.local):
    decodes = False


_thread = _Thread()
_filter_lock = threading.Lock()
"""Held while the filter is put in its place, which is seldom, and never while a picture is decoded."""


class _DecodesHere(type):
    def __subclasscheck__(cls, category: type) -> bool:
        return _thread.decodes


class _WhileDecoding(Warning, metaclass=_DecodesHere):
    """Every warning counts as one of these in a thread while it decodes, and none anywhere else."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Let no warning out, nor become an error, of what this thread does; all others keep theirs.

    `warnings.catch_warnings` belongs to the whole process, so that threads would have to wait for each other, and a
    filter by module would also hush, for the rest of the program, what its own use of Pillow has to say (it may have
    made an error of `DecompressionBombWarning`).
    """
    if not _filter_is_first():
        with _filter_lock:
            if not _filter_is_first():  # `simplefilter` takes it out for a moment
                warnings.simplefilter("ignore", _WhileDecoding)
    before, _thread.decodes = _thread.decodes, True
    try:
        yield
    finally:
        _thread.decodes = before


def _filter_is_first() -> bool:
    """Whether no other filter comes before: those who set filters since, or put back older ones, did not know ours."""
    filters = warnings.filters
    return bool(filters) and filters[0][2] is _WhileDecoding


def read_picture(source: Source, name: str = "the picture") -> Grey:
    """Read a picture as grey over its own ground: turned upright, transparency and colour resolved.

    Args:
        source: A file's path, its bytes, a Pillow image, or an array [H, W], [H, W, 1], [H, W, 3] or [H, W, 4] of
            uint8, uint16, bool, or float within 0..1. An open image is for one thread at a time.
        name: What messages call a picture that has no path.

    Raises:
        PictureError: There is no such picture, or it cannot be read, or it is over a limit.
        CallError: `source` is none of these.
    """
    if isinstance(source, np.ndarray):
        return _grey_from_array(source, name)
    if isinstance(source, str | os.PathLike):
        path = _path_of(source)
        return _decode(_read_file(path), path)
    if isinstance(source, bytes):
        return _decode(source, name)
    from PIL import Image

    if isinstance(source, Image.Image):
        return _grey_from_image(source, name)
    raise CallError(f"a picture is a path, bytes, a Pillow image or a numpy array, found {type(source).__name__}")


def _path_of(source: str | os.PathLike[str]) -> str:
    try:
        return os.fsdecode(source)
    except Exception as error:  # somebody's own class may raise anything
        raise CallError(f"a picture's path cannot be had from {type(source).__name__}: {error}") from error


def _read_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise _too_many_bytes(path)
            # A pipe or a device has no size: read to the limit and one byte more, for which memory is taken first.
            return file.read(size or MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise PictureError("not_found", f"{path}: {describe_missing(path, 'file')}") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PictureError("not_readable", f"{path}: cannot be read: {reason}") from error


def describe_missing(path: str, what: str) -> str:
    """Why there is no such file or folder: whoever gives an address hopes that it is fetched."""
    scheme, found, _ = path.partition(":/")  # of two slashes pathlib leaves one
    if found and len(scheme) > 1 and scheme.isalnum():
        return "an address (URL), and nothing is fetched from a network: download it first"
    return f"no such {what}"


def _too_many_bytes(name: str) -> PictureError:
    return PictureError("too_large", f"{name}: more than {MAX_BYTES // 1_000_000} MB, the most that is read")


def _check_pixels(width: int, height: int, name: str, most: int = MAX_PIXELS) -> None:
    if width * height > most:
        limit = most // 1_000_000
        raise PictureError("too_large", f"{name}: {width}x{height} pixels, at most {limit} megapixels are decoded")
    if max(width, height) > MAX_SIDE:
        raise PictureError("too_large", f"{name}: {width}x{height} pixels, a side has at most {MAX_SIDE:,}")


def _most_pixels(image: Image.Image) -> int:
    """How many pixels of such an image are decoded."""
    most = min(MAX_PIXELS, int(MAX_MEMORY / _bytes_per_pixel(image)))
    return min(most, MOST_SLOW_SAMPLES // len(image.getbands())) if _is_slow(image) else most


def _is_slow(image: Image.Image) -> bool:
    return any(tile[0] in _SLOW_DECODERS for tile in getattr(image, "tile", ()))


def _bytes_per_pixel(image: Image.Image) -> float:
    """What decoding and flattening took at its peak, measured with pictures of 27 to 64 megapixels."""
    # Not Image.has_transparency_data, which fails on an image whose palette is missing.
    transparent = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    if image.format in _BYTES_PER_PIXEL:
        return _BYTES_PER_PIXEL[image.format] + (7.5 if transparent else 0)
    if image.mode in ("I", "F"):
        return 16
    return 13 if transparent else 9 if image.mode in ("CMYK", "YCbCr", "LAB", "HSV") else 7.5


def _decode(content: bytes, name: str) -> Grey:
    """Decode a file's bytes; nothing is decoded that is over a limit."""
    with _quiet():
        return _grey_from_image(_open_within_limits(content, name), name)


def _open_within_limits(content: bytes, name: str) -> ImageFile.ImageFile:
    """Read a file's header, and refuse what costs too much to decode."""
    if not content:
        raise PictureError("empty", f"{name}: the file is empty")
    if len(content) > MAX_BYTES:
        raise _too_many_bytes(name)
    image = _open(content, name)
    _check_pixels(*image.size, name)
    _check_steps(image, content, name)
    if image.format == "JPEG":
        # At a reduced size where that is enough: the decoder then does less.
        share = min(1.0, DRAFT_SIDE / max(image.size))
        image.draft("RGB", (max(1, int(image.width * share)), max(1, int(image.height * share))))
    return image


def read_colours(source: Source, name: str = "the picture") -> NDArray[np.uint8] | None:
    """A picture in its colours, for people to look at; None where it has none, or is transparent somewhere.

    Args:
        source: As of `read_picture`, which has read it without an error.
        name: The same.

    Returns:
        [height, width, 3], of the size of what `read_picture` returns.

    Raises:
        PictureError: As of `read_picture`.
    """
    from PIL import Image

    if isinstance(source, np.ndarray):
        colour = source.ndim == 3 and source.shape[2] in (3, 4) and source.dtype == np.uint8
        return source[:, :, :3] if colour else None
    with _quiet():
        image: Image.Image
        if isinstance(source, Image.Image):
            image = source
        else:
            content = source if isinstance(source, bytes) else _read_file(_path_of(source))
            image = _open_within_limits(content, name)
        _check_pixels(*image.size, name, _most_pixels(image))
        try:
            image = _load(image)
            grey = image.mode in ("1", "L", "I", "F") or image.mode.startswith("I;16")
            if grey or image.has_transparency_data:
                return None
            shown: NDArray[np.uint8] = upright(np.asarray(image.convert("RGB")), _exif_orientation(image))
            return shown
        except Exception as error:  # as in `_grey_from_image`
            raise _truncated(name, error) from error


def _check_steps(image: ImageFile.ImageFile, content: bytes, name: str) -> None:
    """Refuse what would be decoded for minutes, though it has neither many bytes nor many pixels."""
    if _is_slow(image):
        is_text = image.tile[0][0] == "ppm_plain"
        if is_text and (len(content) > MOST_TEXT or content.count(b"#") > MOST_COMMENTS):
            raise _too_many_steps(name)
        if isinstance(image.fp, _File):
            image.fp.left = MOST_SLOW_SAMPLES  # each may be read by itself
    elif image.format in ("JPEG", "MPO") and content.count(b"\xff\xda") > MOST_SCANS:
        from mnistsum_runtime.preparation.jpeg_scans import has_more_scans

        if has_more_scans(content, MOST_SCANS):
            raise _too_many_steps(name)


def _too_many_steps(name: str) -> PictureError:
    return PictureError("too_large", f"{name}: made of so many parts that it is not decoded: save it anew")


def _open(content: bytes, name: str) -> ImageFile.ImageFile:
    """Read a file's header with the one plugin for it."""
    known = next((form for form in _FORMATS if content.startswith(form[0])), None)
    if known is not None:
        signature, module, kind = known
    else:
        from mnistsum_runtime.preparation.more_formats import name_other, recognise

        found = recognise(content, name)
        if found is None:
            raise _not_a_picture(name, name_other(content))
        signature, module, kind, content, size = found
        _check_pixels(*size, name)
    plugin: type[ImageFile.ImageFile] = getattr(import_module(module), kind)
    _let_pillow_log_to_nobody()
    if kind == "TiffImageFile":
        from mnistsum_runtime.preparation.tiff import has_too_many_parts, silence

        silence()
        if has_too_many_parts(content):
            raise _too_many_steps(name)
    try:
        return plugin(_File(content))
    except Exception as error:  # Pillow's plugins raise whatever a damaged header leads them to
        # Two or four letters can also begin a text: only longer signatures say what a file meant to be.
        if isinstance(error, _TooManyStepsError):
            raise _too_many_steps(name) from error
        if len(signature) <= 2 or signature == b"RIFF":
            raise _not_a_picture(name) from error
        raise _truncated(name, error) from error


@cache
def _let_pillow_log_to_nobody() -> None:
    """What Pillow logs goes to the handlers that a program has set up, and no more to standard error without any."""
    from logging import NullHandler, getLogger

    getLogger("PIL").addHandler(NullHandler())


def _not_a_picture(name: str, other: str | None = None) -> PictureError:
    if other is not None:
        return PictureError("not_a_picture", f"{name}: {other}, not a picture: save what it shows as a PNG")
    known = "PNG, JPEG, GIF, TIFF, WebP, BMP, PNM, HEIC, AVIF, JPEG 2000, TGA or ICO"
    return PictureError("not_a_picture", f"{name}: not a picture ({known})")


def _truncated(name: str, error: Exception) -> PictureError:
    if isinstance(error, _TooManyStepsError):
        return _too_many_steps(name)
    reason = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, MemoryError) or "out of memory" in reason:
        return PictureError("too_large", f"{name}: too little memory to decode it")
    return PictureError("truncated", f"{name}: the picture is cut off or damaged: {reason}")


def _grey_from_image(image: Image.Image, name: str) -> Grey:
    _check_pixels(*image.size, name, _most_pixels(image))
    if 0 in image.size:
        raise PictureError("empty", f"{name}: the picture has no pixels")
    with _quiet():
        try:
            grey = _flatten(_load(image))
            orientation = _exif_orientation(image)
        except Exception as error:  # what Pillow raises on damaged data is open-ended: struct.error, IndexError ...
            raise _truncated(name, error) from error
    return upright(grey, orientation)


def _load(image: Image.Image) -> Image.Image:
    """Decode, of an animation the first frame, and show what viewers show."""
    tiles = getattr(image, "tile", None) if image.format == "GIF" and image.tell() == 0 else None
    frame = tiles[0][1] if tiles else None
    image.load()
    if frame is None or frame == (0, 0, *image.size) or image.has_transparency_data:
        return image
    # A frame that is smaller than the GIF: around it a viewer shows the ground, Pillow the palette's first colour.
    from PIL import Image

    alpha = Image.new("L", image.size)
    alpha.paste(255, frame)
    shown = image.convert("RGB")
    shown.putalpha(alpha)
    return shown


def _exif_orientation(image: Image.Image) -> int:
    """EXIF's orientation 1..8; 1, upright, where nothing usable is said (Pillow turns a TIFF by itself)."""
    if not any(key in image.info for key in _EXIF_KEYS):
        return 1  # spares the import of Pillow's TIFF plugin, which reads EXIF
    if image.format == "HEIF":
        return 1  # its own instructions for turning count, which its decoder has followed; EXIF only repeats them
    if any(len(image.info.get(key, b"")) > _LONGEST_EXIF for key in _EXIF_KEYS):
        return 1
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # a damaged note about the picture is no reason not to look at the picture
        return 1


def upright(picture: Picture, orientation: int) -> Picture:
    """Turn a picture, [H, W] or [H, W, channels], as EXIF's orientation says: a view of it.

    Values other than 2..8 leave it as it is. Reference: CIPA DC-008 (EXIF 2.32), 4.6.4, tag 0x0112.
    """
    turned: Any = picture.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else picture
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    return cast("Picture", turned)


def _flatten(image: Image.Image) -> Grey:
    """Resolve a loaded image's mode, palette, colour and transparency to grey."""
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if image.mode in ("I", "F"):
        return _grey_from_wide(np.asarray(image))
    if image.has_transparency_data:
        # "La" is the one mode that Pillow converts to nothing but "LA".
        straight = image.convert("LA") if image.mode == "La" else image.convert("RGBA").convert("LA")
        grey, alpha = straight.split()
        if image.format not in _UNUSED_ALPHA or alpha.getextrema()[1]:
            return np.asarray(over_own_ground(grey, alpha))
        image = image.convert("RGB")
    if image.mode in ("1", "L"):
        return np.asarray(image if image.mode == "L" else image.convert("L"))
    from mnistsum_runtime.preparation.colour import grey_of_contrast

    return np.asarray(grey_of_contrast(image if image.mode == "RGB" else image.convert("RGB")))


def _grey_from_wide(levels: NDArray[np.int32] | NDArray[np.float32]) -> Grey:
    """Bring Pillow's 32-bit modes to a range that is known: 0..1, 0..255 or 0..65535, else stretched to 0..1."""
    low, high = float(levels.min()), float(levels.max())
    if not np.isfinite([low, high]).all():
        raise ValueError("pixels that are not finite numbers")
    if levels.dtype == np.int32 and low >= 0 and high <= 65535:
        return levels.astype(np.uint8) if high <= 255 else levels.astype(np.uint16)
    if low >= 0:
        for white in (1, 255, 65535):
            if high <= white:
                return (levels / np.float32(white)).astype(np.float32)
    return ((levels.astype(np.float64) - low) / (high - low or 1)).astype(np.float32)


def over_own_ground(grey: Image.Image, alpha: Image.Image) -> Image.Image:
    """Lay a grey picture over the flat ground that it was drawn for.

    What is visible is either ink alone, then the ground is its opposite (white under dark ink, black under light);
    or a whole picture with paper of its own, then the paper goes on where nothing is visible.

    Args:
        grey: Mode L.
        alpha: Mode L, 255 is opaque.
    """
    from PIL import Image

    if alpha.getextrema()[0] == 255:
        return grey
    visible = np.asarray(grey.histogram(mask=alpha.point([0] * 128 + [255] * 128)))
    count = int(visible.sum())
    if count == 0:
        return Image.new("L", grey.size, 255)
    first, median, last = np.searchsorted(visible.cumsum(), np.array([0.01, 0.5, 0.99]) * count)
    share = count / (grey.width * grey.height)
    has_paper = share > 0.8 or (share > 0.5 and last - first > 64)
    mean = float(visible @ np.arange(256)) / count
    ground = int(median) if has_paper else 255 if mean < 128 else 0
    return Image.composite(grey, Image.new("L", grey.size, ground), alpha)


def _grey_from_array(array: NDArray[Any], name: str) -> Grey:
    """Check an array and bring it to grey; two-dimensional uint8, uint16 and float32 are not copied."""
    if isinstance(array, np.ma.MaskedArray):
        raise PictureError("bad_array", f"{name}: a masked array: say what is behind the mask, with its filled()")
    array = np.asarray(array)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    colour = array.ndim == 3 and array.shape[2] in (3, 4)
    if not (array.ndim == 2 or colour):
        raise PictureError(
            "bad_array",
            f"{name}: expected an array [H, W] or [H, W, 1, 3 or 4], found shape {list(array.shape)}",
        )
    if array.size == 0:
        raise PictureError("bad_array", f"{name}: the array has no pixels, its shape is {list(array.shape)}")
    _check_pixels(array.shape[1], array.shape[0], name)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(255)
    elif array.dtype.kind == "u" and array.dtype.itemsize == 2:
        array = array.astype(np.uint16, copy=False)  # in either byte order
    elif array.dtype.kind == "f":
        low, high = array.min(), array.max()
        if not (low >= 0 and high <= 1):  # also where NaN makes both comparisons false
            raise PictureError("bad_array", f"{name}: floats must be finite and 0..1, found {low:g}..{high:g}")
        array = array.astype(np.float32, copy=False)
    elif array.dtype != np.uint8:
        raise PictureError("bad_array", f"{name}: expected uint8, uint16, bool or float 0..1, found {array.dtype}")
    return _grey_from_colour(array) if colour else array


def _grey_from_colour(array: NDArray[Any]) -> Grey:
    """[H, W, 3 or 4] at 8 bits, as Pillow also reads 16-bit colour."""
    from PIL import Image

    if array.dtype == np.uint16:
        array = (array >> 8).astype(np.uint8)
    elif array.dtype == np.float32:
        array = np.rint(array * np.float32(255)).astype(np.uint8)
    return _flatten(Image.fromarray(np.ascontiguousarray(array)))
