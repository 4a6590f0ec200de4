"""A PNG that is compressed as its rows come, so that a tall picture never stands in memory.

Portable Network Graphics (PNG) Specification, https://www.w3.org/TR/png-3/, sections 5 (datastream) and 11 (chunks).
"""

from __future__ import annotations

import struct
import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_RGB, _DEPTH, _NO_FILTER = 2, 8, b"\0"


class PngRows:
    """An RGB picture of 8 bits whose width is known and whose height is not."""

    def __init__(self, width: int) -> None:
        """Begin one that is so many pixels wide."""
        self.width = width
        self.height = 0
        """Rows so far."""
        self._deflate = zlib.compressobj()
        self._data: list[bytes] = []

    def add(self, rows: bytes) -> None:
        """Add rows: three bytes a pixel, from left to right and from top to bottom."""
        length = 3 * self.width
        for start in range(0, len(rows), length):
            self._data.append(self._deflate.compress(_NO_FILTER + rows[start : start + length]))
            self.height += 1

    def finish(self) -> bytes:
        """The file's bytes; no rows can be added afterwards."""
        self._data.append(self._deflate.flush())
        header = struct.pack(">IIBBBBB", self.width, self.height, _DEPTH, _COLOUR_RGB, 0, 0, 0)
        chunks = ((b"IHDR", header), (b"IDAT", b"".join(self._data)), (b"IEND", b""))
        return _SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
