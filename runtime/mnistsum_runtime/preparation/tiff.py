"""TIFF: what libtiff would print, and files of millions of parts. Imported only for a TIFF."""

import ctypes
import struct
from functools import cache

MOST_VALUES = 300_000
"""Of one field: the strips or tiles of a picture of 64 megapixels, in tiles of 16x16, are 250,000."""
_NUMBERS = frozenset((3, 4, 5, 6, 8, 9, 10, 11, 12, 13))
"""The types of fields that are no text and no bytes, such as a colour profile is."""


def has_too_many_parts(content: bytes) -> bool:
    """Whether a field of a file's first directory has more than `MOST_VALUES` numbers; not, where it cannot be read.

    Reference: TIFF 6.0, section 2.
    """
    order = "<" if content.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(f"{order}I", content, 4)
        (fields,) = struct.unpack_from(f"{order}H", content, start)
        for at in range(start + 2, start + 2 + 12 * fields, 12):
            _, kind, count = struct.unpack_from(f"{order}HHI", content, at)
            if kind in _NUMBERS and count > MOST_VALUES:
                return True
    except struct.error:
        return False
    return False


@cache
def silence() -> None:
    """Take libtiff its handlers, once: in the copy that Pillow has loaded, wherever that comes from.

    What it would say on standard error comes as an exception too, and is told in one line.

    Reference: libtiff, `TIFFError` (3tiff): without a handler nothing is printed.
    """
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:  # noqa: PTH123
            paths = {line.split(maxsplit=5)[5].strip() for line in maps if "libtiff" in line}
    except OSError:
        return  # not Linux, or without /proc: what libtiff says is then seen
    for path in paths:
        try:
            library = ctypes.CDLL(path)
            library.TIFFSetErrorHandler(None)
            library.TIFFSetWarningHandler(None)
        except (OSError, AttributeError):
            continue
