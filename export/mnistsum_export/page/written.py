"""The page beside a model file: what must be so before the proof, and what is written after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mnistsum_export.page.assemble import make_page
from mnistsum_runtime.atomic import is_same_file, write_atomically
from mnistsum_runtime.errors import CallError
from mnistsum_runtime.proof.references import references_path

if TYPE_CHECKING:
    from pathlib import Path

    from mnistsum_export.page.onnxruntime_web import OnnxruntimeWeb


def require_own_file(page: Path, output: Path, *read: Path) -> None:
    """Raise `CallError` if the page would take the place of the model, of its references, or of a file that is read."""
    for path in (output, references_path(output), *read):
        if page.resolve() == path.resolve() or is_same_file(page, path):
            raise CallError(f"--page {page} would write over {path}: name another one")


def write_page(page: Path, model: Path, web: OnnxruntimeWeb) -> dict[str, Any]:
    """Write the page of a model file that was proven and written; what is told of it, as plain JSON values.

    Raises:
        ModelError: The model file or its references are not there any more, or are others.
        WorkError: The page cannot be written; what stood there still stands.
    """
    content = make_page(model, web)
    write_atomically(page, content)
    return {"page": str(page), "page_bytes": len(content)}
