"""The formats of phones, archives and icons are read as viewers show them, within limits; what cannot be is told."""

import struct
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps, features

from mnistsum_runtime import PictureError, read_picture
from mnistsum_runtime.preparation import picture
from mnistsum_runtime.preparation.more_formats import recognise
from tiny_model import drawn_digit

DRAWN = 255 - np.kron(np.roll(drawn_digit(7), -4, axis=0), np.ones((4, 4), np.uint8))
"""Dark ink on white, 112x112; nothing in the lowest rows, which Pillow's own icons of that size leave out."""
FILES = {
    "HEIF": "seven.heic",
    "AVIF": "seven.avif",
    "MPO": "seven.mpo",
    "JPEG2000": "seven.jp2",
    "TGA": "seven.tga",
    "ICO": "seven.ico",
}
LOSSLESS = ("JPEG2000", "TGA", "ICO")
RGBA = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
"""Masks of the colours in a BMP with alpha."""
RGBX = (0xFF0000, 0xFF00, 0xFF, 0)

pillow_heif.register_heif_opener()  # to write HEIC with


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    usual: dict[str, Any] = {"sizes": [image.size]} if kind == "ICO" else {"quality": 95}
    image.save(file, kind, **usual | options)
    return file.getvalue()


def refused(source: Any, name: str = "the picture") -> PictureError:
    with pytest.raises(PictureError) as caught:
        read_picture(source, name)
    assert "\n" not in caught.value.message
    return caught.value


def ink_on_nothing() -> Image.Image:
    drawing = np.zeros((*DRAWN.shape, 4), np.uint8)
    drawing[..., 2] = 90
    drawing[..., 3] = 255 - DRAWN
    return Image.fromarray(drawing)


def difference(read: NDArray[Any], expected: NDArray[Any] = DRAWN) -> int:
    assert read.shape == expected.shape
    return int(np.abs(read.astype(int) - expected).max())


@pytest.mark.parametrize("kind", FILES)
def test_every_format_is_read_from_bytes_and_from_a_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / FILES[kind]
    path.write_bytes(encode(Image.fromarray(DRAWN), kind))
    for source in (path, path.read_bytes()):
        assert difference(read_picture(source)) <= (0 if kind in LOSSLESS else 24)


@pytest.mark.parametrize("kind", ["HEIF", "AVIF", "JPEG2000", "TGA", "ICO"])
def test_ink_on_transparency_is_read_as_on_white_in_every_format_that_has_it(kind: str) -> None:
    read = read_picture(encode(ink_on_nothing(), kind))
    assert read[0, 0] == 255
    assert read.min() < 40


def test_folders_find_the_endings_that_pillow_knows_for_what_is_read() -> None:
    Image.init()
    read = {module for _, module, _ in picture._FORMATS} | {"PIL.MpoImagePlugin", "PIL.AvifImagePlugin"}
    read |= {"PIL.Jpeg2KImagePlugin", "PIL.TgaImagePlugin", "PIL.IcoImagePlugin", "pillow_heif.as_plugin"}
    formats = {name for name, (plugin, _) in Image.OPEN.items() if plugin.__module__ in read}
    known = {ending for ending, name in Image.registered_extensions().items() if name in formats}
    # Left out are those of TGA and PNM that are more often drawings, sounds and fonts.
    assert known - picture.SUFFIXES <= {".icb", ".vda", ".vst", ".pfm"}
    assert {Path(name).suffix for name in FILES.values()} <= picture.SUFFIXES


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"])
def test_a_heic_picture_is_known_by_any_of_its_brands(brand: bytes) -> None:
    content = encode(Image.fromarray(DRAWN), "HEIF")
    assert content[8:12] == b"heix"
    assert difference(read_picture(content[:8] + brand + content[12:])) <= 24


@pytest.mark.parametrize("brands", [b"avif", b"avis", b"mif1    avif", b"mif1    miaf"])
def test_an_avif_picture_is_known_by_its_brands_or_its_codec(brands: bytes) -> None:
    content = encode(Image.fromarray(DRAWN), "AVIF")
    box = (content[:8] + brands).ljust(int.from_bytes(content[:4], "big"), b"\0")
    found = recognise(box + content[len(box) :], "seven")
    assert found is not None
    assert found[1:3] == ("PIL.AvifImagePlugin", "AvifImageFile")


@pytest.mark.parametrize("brand", [b"isom", b"mp42", b"qt  ", b"crx ", b"M4A "])
def test_a_film_in_the_same_container_is_not_a_picture(brand: bytes) -> None:
    what = "a camera's raw file" if brand == b"crx " else "a film or a recording"
    error = refused(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0isomiso2" + bytes(100))
    assert error.kind == "not_a_picture"
    assert error.message == f"the picture: {what}, not a picture: save what it shows as a PNG"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "a PostScript document"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"PK\x03\x04\x14\0", "a ZIP archive or an office document"),
        (b"\xef\xbb\xbf\n <!DOCTYPE html><html>", "a web page"),
        (b"<html lang='en'>", "a web page"),
        (b"<?xml version='1.0'?>\n<!-- drawn -->\n<SVG xmlns=''/>", "an SVG drawing"),
        (b"\x1aE\xdf\xa3\x01", "a film or a recording"),
    ],
)
def test_what_people_take_for_a_picture_is_named(content: bytes, what: str) -> None:
    error = refused(content, "seven.png")
    assert (error.kind, error.message) == (
        "not_a_picture",
        f"seven.png: {what}, not a picture: save what it shows as a PNG",
    )


@pytest.mark.parametrize("content", [b"<?xml version='1.0'?><html/>", b"a text", b"\0" * 100, b"%PD"])
def test_what_nobody_knows_is_told_with_what_is_read(content: bytes) -> None:
    error = refused(content)
    assert error.kind == "not_a_picture"
    assert "HEIC, AVIF, JPEG 2000, TGA or ICO" in error.message


@pytest.mark.parametrize("address", ["http://example.org/7.png", "https://a/7.png", "s3://a/7.png", "file:///7.png"])
def test_an_address_is_no_file_and_told_as_one(address: str) -> None:
    for source in (address, Path(address)):
        error = refused(source)
        assert error.kind == "not_found"
        assert error.message == f"{source}: an address (URL), and nothing is fetched from a network: download it first"
    assert refused("c:/7.png").message == "c:/7.png: no such file"
    assert refused("7:/7.png").message == "7:/7.png: no such file"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["HEIF", "AVIF", "MPO", "JPEG2000"])
def test_every_orientation_is_followed_once(kind: str, orientation: int) -> None:
    content = np.full((96, 64), 255, np.uint8)
    content[8:24, 8:16] = 0  # near the top left, in a picture that is not square
    image = Image.fromarray(content)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    if kind == "JPEG2000":  # Pillow neither writes nor reads EXIF there
        assert difference(read_picture(encode(image, kind, exif=exif.tobytes())), content) == 0
    else:
        assert difference(read_picture(encode(image, kind, exif=exif.tobytes())), expected) <= 24


def test_exif_alone_does_not_turn_a_heic_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encode(Image.new("L", (64, 96), 255), "HEIF", exif=exif.tobytes())
    assert b"irot" in content and b"Exif" in content
    assert read_picture(content).shape == (64, 96)
    assert read_picture(content.replace(b"irot", b"skip")).shape == (96, 64)


@pytest.mark.parametrize("kind", ["AVIF", "WEBP", "MPO", "HEIF"])
def test_the_first_picture_of_several_is_read(kind: str) -> None:
    others = [Image.new("L", (112, 112), 90)] * 2
    content = encode(Image.fromarray(DRAWN), kind, save_all=True, append_images=others)
    assert difference(read_picture(content)) <= 24


def test_a_raw_jpeg_2000_codestream_and_16_bits_are_read() -> None:
    assert difference(read_picture(encode(Image.fromarray(DRAWN), "JPEG2000", no_jp2=True))) == 0
    wide = DRAWN.astype(np.uint16) * 257
    assert difference(read_picture(encode(Image.fromarray(wide), "JPEG2000")), wide) == 0


@pytest.mark.parametrize("options", [{}, {"compression": "tga_rle"}, {"orientation": 1}])
@pytest.mark.parametrize("mode", ["L", "RGB", "P", "LA", "RGBA"])
def test_every_kind_of_tga_is_read(mode: str, options: dict[str, Any]) -> None:
    assert difference(read_picture(encode(Image.fromarray(DRAWN).convert(mode), "TGA", **options))) == 0


def test_an_old_tga_is_known_by_its_name_alone(tmp_path: Path) -> None:
    content = encode(Image.fromarray(DRAWN), "TGA")
    old = content[: -len(b"\0" * 8 + b"TRUEVISION-XFILE.\0")]
    assert difference(read_picture(old, "seven.TGA")) == 0
    assert refused(old).kind == "not_a_picture"
    for text in (b"a text that is called so", b"\0\0\2", bytes(18), bytes(500)):
        assert refused(text, "text.tga").kind == "not_a_picture"


def test_of_an_icon_the_largest_picture_is_read_whatever_its_directory_says() -> None:
    big, small = Image.fromarray(DRAWN), Image.new("L", (16, 16), 99)
    sizes = [(16, 16), (112, 112)]
    content = bytearray(encode(big, "ICO", sizes=sizes, append_images=[small], bitmap_format="bmp"))
    assert content[4] == 2
    assert difference(read_picture(bytes(content))) == 0
    for place in (6, 22):
        content[place : place + 2] = b"\x20\x20"
    assert difference(read_picture(bytes(content))) == 0


def icon(*pictures: bytes) -> bytes:
    start = 6 + 16 * len(pictures)
    directory = b""
    for each in pictures:
        directory += struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, len(each), start)
        start += len(each)
    return struct.pack("<HHH", 0, 1, len(pictures)) + directory + b"".join(pictures)


def bmp(masks: tuple[int, ...] | None, alpha: NDArray[np.uint8], header: int) -> bytes:
    """A 32-bit BMP of `DRAWN` without its file header, with BI_BITFIELDS where there are masks."""
    pixels = np.dstack([DRAWN, DRAWN, DRAWN, alpha])[::-1]
    sizes = (header, 112, 112, 1, 32, 0 if masks is None else 3, pixels.nbytes, 0, 0, 0, 0)
    start = struct.pack("<IiiHHIIiiII", *sizes) + struct.pack("<4I", *(masks or (0, 0, 0, 0)))
    start = start[:header].ljust(header, b"\0")
    if header == 40 and masks is not None:
        start += struct.pack("<3I", *masks[:3])
    return start + pixels.tobytes()


def bmp_file(content: bytes) -> bytes:
    start = len(content) - DRAWN.size * 4
    return b"BM" + struct.pack("<IHHI", 14 + len(content), 0, 0, 14 + start) + content


UNUSED = {"zero": np.zeros_like(DRAWN), "whole": np.full_like(DRAWN, 255), "ramp": (255 - DRAWN) // 2}


@pytest.mark.parametrize("unused", UNUSED)
@pytest.mark.parametrize(("masks", "header"), [(None, 40), (RGBX, 40), (RGBX, 56), (RGBX, 124), (None, 124)])
def test_the_fourth_byte_of_a_bmp_without_alpha_is_not_looked_at(
    masks: tuple[int, ...] | None, header: int, unused: str
) -> None:
    assert difference(read_picture(bmp_file(bmp(masks, UNUSED[unused], header)))) == 0


@pytest.mark.parametrize("header", [56, 108, 124])
def test_alpha_of_a_bmp_is_followed_unless_it_hides_the_whole_picture(header: int) -> None:
    hidden = np.where(np.arange(112)[:, None] < 20, 0, 255).astype(np.uint8) * np.ones_like(DRAWN)
    black_above = DRAWN.copy()
    read = read_picture(bmp_file(bmp(RGBA, hidden, header)))
    black_above[:20] = 255  # the paper goes on
    assert difference(read, black_above) == 0
    assert difference(read_picture(bmp_file(bmp(RGBA, np.zeros_like(DRAWN), header)))) == 0


def test_an_icon_whose_alpha_is_0_everywhere_is_opaque() -> None:
    content = bytearray(bmp(None, np.zeros_like(DRAWN), 40))
    content[8:12] = struct.pack("<i", 224)  # the mask's rows count too
    assert difference(read_picture(icon(bytes(content)))) == 0


@pytest.mark.parametrize("ink", [0, 255])
def test_a_gif_with_transparency_is_read_over_the_ground_of_its_ink(ink: int) -> None:
    # The hidden colour is that of the ink: only transparency tells them apart.
    indices = Image.fromarray((DRAWN < 128).astype(np.uint8)).convert("P")
    indices.putpalette([ink, ink, ink] * 2)
    read = read_picture(encode(indices, "GIF", transparency=0, optimize=False))
    assert read[0, 0] == 255 - ink
    assert read[DRAWN < 128].tolist() == [ink] * int((DRAWN < 128).sum())


def test_around_a_frame_that_is_smaller_than_its_gif_the_paper_goes_on() -> None:
    content = bytearray(encode(Image.fromarray(DRAWN), "GIF", optimize=False))
    frame = content.index(b",\0\0\0\0" + struct.pack("<HH", 112, 112))
    content[6:10] = struct.pack("<HH", 132, 122)
    content[frame + 1 : frame + 5] = struct.pack("<HH", 10, 5)
    expected = np.full((122, 132), 255, np.uint8)
    expected[5:117, 10:122] = DRAWN
    assert difference(read_picture(bytes(content)), expected) == 0


@pytest.mark.parametrize("kind", FILES)
def test_every_beginning_of_a_file_gives_an_answer_or_one_clear_line(kind: str) -> None:
    content = encode(Image.fromarray(np.random.default_rng(5).integers(0, 256, (40, 40), dtype=np.uint8)), kind)
    lengths = {*range(1, 400), *(len(content) * share // 64 for share in range(1, 64)), len(content) - 1}
    cut_off = 0
    for length in sorted(length for length in lengths if length < len(content)):
        for name in ("the picture", FILES[kind]):
            try:
                assert read_picture(content[:length], name).ndim == 2
            except PictureError as error:
                assert error.kind in ("truncated", "not_a_picture")
                assert "\n" not in error.message
                cut_off += error.kind == "truncated"
    assert cut_off > 40
    assert refused(content[: len(content) // 2], FILES[kind]).kind == "truncated"


@pytest.mark.parametrize("kind", FILES)
def test_damaged_bytes_give_an_answer_or_one_clear_line(kind: str) -> None:
    random = np.random.default_rng(7)
    content = encode(Image.fromarray(DRAWN), kind)
    for _ in range(60):
        damaged = bytearray(content)
        for place in random.integers(4, min(len(damaged), random.choice([200, len(damaged)])), 4):
            damaged[place] = random.integers(256)
        try:
            assert read_picture(bytes(damaged), FILES[kind]).ndim == 2
        except PictureError as error:
            assert "\n" not in error.message


def oversize(kind: str) -> bytes:
    """A file whose header tells of a picture that is over the limit."""
    content = encode(Image.fromarray(DRAWN), kind)
    whole = (112).to_bytes(4, "big") * 2
    large = (8001).to_bytes(4, "big") * 2
    if kind in ("HEIF", "AVIF"):
        return content.replace(b"ispe\0\0\0\0" + whole, b"ispe\0\0\0\0" + large)
    if kind == "JPEG2000":
        return content.replace(whole, large)
    if kind == "TGA":
        return content[:12] + struct.pack("<HH", 65535, 65535) + content[16:]
    if kind == "MPO":
        return content.replace(b"\0\x70\0\x70", b"\xff\xff\xff\xff")
    png = content[22:]
    return icon(png[:16] + large + png[24:])


@pytest.mark.parametrize("kind", FILES)
def test_a_picture_over_the_limit_is_refused_before_it_is_decoded(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(self: object) -> None:
        raise AssertionError("decoded")

    content = oversize(kind)
    monkeypatch.setattr("PIL.Image.Image.load", decode)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    monkeypatch.setattr("pillow_heif.as_plugin.HeifImageFile.load", decode)
    monkeypatch.setattr("PIL.AvifImagePlugin.AvifImageFile.load", decode)
    assert refused(content).kind == "too_large"


@pytest.mark.parametrize("size", [(-2_000_000_000, 2_000_000_000), (65535, 65535)])
def test_an_icon_with_a_bmp_over_the_limit_is_refused(size: tuple[int, int]) -> None:
    header = struct.pack("<IiiHHIIiiII", 40, *size, 1, 32, 0, 0, 0, 0, 0, 0)
    assert refused(icon(header)).kind == "too_large"
    assert refused(icon(encode(Image.fromarray(DRAWN), "PNG"), header)).kind == "too_large"


@pytest.mark.parametrize("kind", ["HEIF", "JPEG2000"])
def test_a_header_that_belies_the_size_of_what_is_coded_is_refused(kind: str) -> None:
    content = encode(Image.new("L", (2000, 2000), 99), kind)
    sizes = (2000).to_bytes(4, "big") * 2
    assert sizes in content
    assert refused(content.replace(sizes, (16).to_bytes(4, "big") * 2, 1)).kind == "truncated"


def test_without_its_extra_a_heic_picture_is_named_with_the_line_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encode(Image.fromarray(DRAWN), "HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not there
    error = refused(content, "seven.heic")
    assert error.kind == "unsupported"
    assert error.message == ("seven.heic: a HEIC picture (HEIF): install what decodes it: pip install 'mnistsum[heic]'")


@pytest.mark.parametrize(("kind", "title"), [("AVIF", "AVIF"), ("JPEG2000", "JPEG 2000")])
def test_a_pillow_without_a_library_is_named(kind: str, title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = encode(Image.fromarray(DRAWN), kind)
    monkeypatch.setattr(features, "check", lambda _: False)
    error = refused(content, "seven")
    assert error.kind == "unsupported"
    assert error.message.startswith(f"seven: a picture in {title}: this Pillow, {PIL.__version__}, does not decode it")
    assert "pip install --upgrade Pillow" in error.message
