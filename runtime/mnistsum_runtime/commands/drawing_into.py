"""Where `--explain` may draw: into no file that the same call reads, and under a name that says a format."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from mnistsum_runtime.atomic import is_same_file
from mnistsum_runtime.errors import CallError
from mnistsum_runtime.explain.files import check_ending
from mnistsum_runtime.model import find_named_model
from mnistsum_runtime.proof.references import references_path


def check_out(out: str | os.PathLike[str], pictures: Sequence[str], model: str | None, operation: str | None) -> None:
    """Check the file that is to be drawn into.

    Args:
        out: The file.
        pictures: Files, and folders with files in them or in folders in them.
        model: As the user names it.
        operation: The same.

    Raises:
        CallError: It is one of the pictures, the model, or the model's references, or has another ending than those of
            pictures that can be drawn.
    """
    if Path(out).exists():
        _refuse_inputs(out, pictures, model, operation)
    check_ending(out)


def _refuse_inputs(
    out: str | os.PathLike[str], pictures: Sequence[str], model: str | None, operation: str | None
) -> None:
    file = find_named_model(model, operation)
    for each, what in ((file, "the model"), (references_path(file), "the model's references")):
        if is_same_file(out, each):
            raise CallError(f"{os.fspath(out)} is {what}: name another file to draw into")
    for picture in pictures:
        if any(is_same_file(out, each) for each in _files(Path(picture))):
            raise CallError(f"{os.fspath(out)} is one of the pictures: name another file to draw into")


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
    for folder, _, names in os.walk(path):
        yield from (Path(folder, name) for name in names)
