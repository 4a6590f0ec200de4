"""The files of the page, read once, compressed once."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from mnistsum_runtime.serve.messages import Response

if TYPE_CHECKING:
    from mnistsum_runtime.serve.messages import Request

FOLDER = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class PageFile:
    """One file, as it is and compressed."""

    content: bytes
    compressed: bytes
    media_type: str
    tag: str
    """Changes with the content: a browser that has it asks no more than whether it still holds."""

    @classmethod
    def read(cls, path: Path) -> PageFile:
        """Read one."""
        content = path.read_bytes()
        tag = f'"{sha256(content).hexdigest()[:16]}"'
        return cls(content, gzip.compress(content, 9, mtime=0), _TYPES[path.suffix], tag)

    def answer(self, request: Request) -> Response:
        """The file; nothing but its tag where the browser has it."""
        headers = {"etag": self.tag, "cache-control": "no-cache", "vary": "accept-encoding"}
        if request.headers.get("if-none-match") == self.tag:
            return Response(b"", self.media_type, 304, headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.compressed, self.media_type, 200, headers | {"content-encoding": "gzip"})
        return Response(self.content, self.media_type, 200, headers)


def read_page() -> dict[str, PageFile]:
    """The page's files by their path on the server."""
    files = {f"/{path.name}": PageFile.read(path) for path in sorted(FOLDER.iterdir()) if path.suffix in _TYPES}
    files["/"] = files.pop("/index.html")
    return files
