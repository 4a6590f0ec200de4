"""A drawing as a file: in the format that the ending of its name says."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnistsum_runtime.errors import CallError

if TYPE_CHECKING:
    import os

_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 92, "subsampling": 0}),  # letters and thin lines
    ".jpeg": ("JPEG", {"quality": 92, "subsampling": 0}),
    ".webp": ("WEBP", {"lossless": True}),
}
"""Pillow's format and its options, by the ending."""


def check_ending(path: str | os.PathLike[str]) -> None:
    """Raise `CallError` unless a drawing can be written under this name."""
    from PIL import Image

    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        *others, last = _FORMATS
        raise CallError(f"{path}: the name of a drawing must end in {', '.join(others)} or {last}")
    Image.init()
    if _FORMATS[suffix][0] not in Image.SAVE:
        raise CallError(f"{path}: this Pillow does not write {suffix[1:].upper()}: take .png")


def in_format_of(path: Path, png: bytes) -> bytes:
    """The bytes of a file called `path` with the picture in `png`."""
    form, options = _FORMATS[path.suffix.lower()]
    if form == "PNG":
        return png
    from PIL import Image

    out = BytesIO()
    Image.open(BytesIO(png)).save(out, form, **options)
    return out.getvalue()
