"""libtiff says on standard error what it finds damaged; here that comes as an exception, and is told in one line."""

import ctypes
from functools import cache


@cache
def silence() -> None:
    """Take libtiff its handlers, once: in the copy that Pillow has loaded, wherever that comes from.

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
