"""The formats of phones, archives and icons; imported only for a file that `picture` does not know by itself.

What else Pillow opens is left out:

- EPS and WMF are programs, which Ghostscript or Windows would run. GRIB, BUFR, HDF5 and MPEG Pillow does not decode.
- PSD, FPX, MIC, DCX, FLI, IPTC and ICNS hold documents, films or other files, each with sizes of its own to be bounded.
- QOI, BLP, DDS, MSP, XPM and FITS are decoded in Python, some a pixel at a time: minutes, for a file of a few bytes.
- PCX, IM, SPIDER, SUN, SGI, XBM, PIXAR, PCD, McIdas, IMT, GBR, FTEX and XV thumbnails come from no phone, scanner or
  paint program of this century, and most begin with a byte or two with which other files begin too.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from mnistsum_runtime.errors import PictureError


class Found(NamedTuple):
    """What reads a file."""

    signature: bytes
    """What the file was known by: the longer, the surer."""
    module: str
    """Of the plugin."""
    plugin: str
    """A class in the module."""
    content: bytes
    """What the plugin is to be given."""
    size: tuple[int, int] = (0, 0)
    """Width and height, where the plugin would decode before it tells them."""


_PNG = b"\x89PNG\r\n\x1a\n"
_ICO = b"\0\0\1\0"
_CODESTREAM = b"\xff\x4f\xff\x51"
_JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"
_TGA_END = b"TRUEVISION-XFILE.\0"

_HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_SHARED_BRANDS = frozenset((b"mif1", b"mif2", b"msf1", b"miaf"))
"""Of pictures in such a container, whatever coded them."""
_MOST_BRANDS_BYTES = 1024
"""Of the box that lists the brands no more is looked at; files have five brands or so."""
_OTHERS = (
    (b"%PDF-", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"8BPS", "a Photoshop document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1aE\xdf\xa3", "a film or a recording"),
)
"""What people take for pictures, by its first bytes."""
_TEXT_BYTES = 1024
"""Within these, a text says what it is."""
_ITEMS_BYTES = 4096
"""Within these, a file whose brands do not say it names the codec of its items."""


def recognise(content: bytes, name: str) -> Found | None:
    """The plugin for a file, and the bytes that it is to be given; None if it is no picture that is known.

    Raises:
        PictureError: It is one, but damaged, or what decodes it is not installed.
    """
    if content[4:8] == b"ftyp":
        return _recognise_container(content, name)
    if content.startswith(_ICO):
        return _recognise_icon(content, name)
    if content.startswith((_JP2, _CODESTREAM)):
        _require_pillow("JPEG 2000", "jpg_2000", name)  # refuses by itself a header that belies the size in the data
        return Found(_CODESTREAM, "PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile", content)
    # TGA has no first bytes. Its second version has last ones; of the first, only the file's name tells, and the plugin
    # refuses a header that does not make sense.
    if content.endswith(_TGA_END):
        return Found(_TGA_END, "PIL.TgaImagePlugin", "TgaImageFile", content)
    if name.lower().endswith(".tga"):
        return Found(b"", "PIL.TgaImagePlugin", "TgaImageFile", content)
    return None


def name_other(content: bytes) -> str | None:
    """What a file is that shows something, as people see it, and is no picture that is read; None if nobody knows."""
    if content[4:8] == b"ftyp":
        return "a camera's raw file" if content[8:12] == b"crx " else "a film or a recording"
    begins = content[:_TEXT_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if begins.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    if begins.startswith((b"<svg", b"<?xml", b"<!--")) and b"<svg" in begins:
        return "an SVG drawing"
    return next((title for signature, title in _OTHERS if content.startswith(signature)), None)


def _recognise_container(content: bytes, name: str) -> Found | None:
    """HEIC and AVIF are kept in the same container as films are: its brands, the first one before the others, tell.

    Reference: ISO/IEC 14496-12, 4.3; ISO/IEC 23008-12, 10; AV1 Image File Format 1.1, 6.
    """
    length = min(int.from_bytes(content[:4], "big"), _MOST_BRANDS_BYTES)
    brands = [content[8:12], *(content[start : start + 4] for start in range(16, length, 4))]
    coded = next((brand for brand in brands if brand in _HEIC_BRANDS | _AVIF_BRANDS), None)
    if coded is None:
        if _SHARED_BRANDS.isdisjoint(brands):
            return None
        coded = b"avif" if b"av01" in content[:_ITEMS_BYTES] else b"heic"
    if coded in _AVIF_BRANDS:
        _require_pillow("AVIF", "avif", name)
        return Found(b"ftypavif", "PIL.AvifImagePlugin", "AvifImageFile", content)
    _require_heif(name)
    return Found(b"ftypheic", "pillow_heif", "HeifImageFile", content)


def _require_heif(name: str) -> None:
    try:
        import pillow_heif

        pillow_heif.libheif_version()  # a library that cannot be loaded is told only when it is used
    except ImportError as error:
        advice = "install what decodes it: pip install 'mnistsum[heic]'"
        raise PictureError("unsupported", f"{name}: a HEIC picture (HEIF): {advice}") from error


def _require_pillow(title: str, feature: str, name: str) -> None:
    """Pillow before 11.3 has no AVIF, and any can be built without the libraries for some formats."""
    import PIL
    from PIL import features

    if not features.check(feature):
        found = f"this Pillow, {PIL.__version__}, does not decode it"
        advice = "pip install --upgrade Pillow brings one that does (11.3 or newer for AVIF)"
        raise PictureError("unsupported", f"{name}: a picture in {title}: {found}: {advice}")


def _recognise_icon(content: bytes, name: str) -> Found:
    """The largest picture of an icon, as the only one of its file.

    The directory's sizes are hints: each picture's own header says what decoding makes of it.
    """
    best, largest, size = (0, 0), b"", (0, 0)
    for place in range(6, 6 + 16 * int.from_bytes(content[4:6], "little"), 16):
        entry = content[place : place + 16]
        if len(entry) < 16:
            break
        length, offset = struct.unpack("<II", entry[8:])
        width, height, bits = _icon_size(content[offset : offset + 32])
        if (width * height, bits) > best:
            best, largest, size = (width * height, bits), entry, (width, height)
    if not largest:
        raise PictureError("truncated", f"{name}: the picture is cut off or damaged: there is none in the icon")
    length, offset = struct.unpack("<II", largest[8:])
    alone = _ICO + b"\1\0" + largest[:6] + struct.pack("<HII", best[1], length, 22) + content[offset : offset + length]
    return Found(_ICO, "PIL.IcoImagePlugin", "IcoImageFile", alone, size)


def _icon_size(header: bytes) -> tuple[int, int, int]:
    """Width, height and bits a pixel of a picture in an icon: a PNG, or a BMP without its file header; 0 if neither."""
    if len(header) < 32:
        return 0, 0, 0
    if header.startswith(_PNG):
        width, height = struct.unpack_from(">II", header, 16)
        return width, height, 32
    # The height counts the mask below the picture too, and is negative where the rows go down.
    if header[:4] == b"\x0c\0\0\0":
        width, height, bits = struct.unpack_from("<HH2xH", header, 4)
    else:
        width, height, bits = struct.unpack_from("<ii2xH", header, 4)
    return abs(width), abs(height) // 2, bits
