"""What `mnistsum-run` does once its call is understood: pictures and a number in, a line a picture out."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from mnistsum_runtime.commands.entry import loading
from mnistsum_runtime.errors import CallError, PictureError
from mnistsum_runtime.terminal import one_line, write_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mnistsum_runtime.prediction import Prediction
    from mnistsum_runtime.predictor import Predictor
    from mnistsum_runtime.preparation.picture import Source

# numpy and onnxruntime are imported when the call is known to be right: a wrong one is told at once.

NAME = "mnistsum-run"
STANDARD_INPUT = "-"


def answer(
    arguments: Sequence[str],
    *,
    model: str | None = None,
    operation: str | None = None,
    threads: int = 1,
    min_confidence: float | None = None,
    as_json: bool = False,
    recursive: bool = False,
    explain: str | None = None,
) -> int:
    """Print a line for each picture; the exit code, 0 if all have an answer, else 1.

    Args:
        arguments: IMAGE... NUMBER.
        model: See `Predictor`.
        operation: See `Predictor`.
        threads: See `Predictor`.
        min_confidence: See `Predictor`.
        as_json: Print JSON objects.
        recursive: Of a folder, also take the pictures in the folders in it.
        explain: Where to draw what was seen and decided; see `explain`.

    Raises:
        CallError: The arguments are not one IMAGE or more and a NUMBER, `explain` is one of the pictures or has no
            ending of one, or `min_confidence` is not 0..1.
        ModelError: The model is missing or damaged.
        WorkError: `explain` cannot be written.
    """
    if len(arguments) < 2:
        raise CallError("expected IMAGE... NUMBER, for example: mnistsum-run seven.png 4")
    *images, number_text = arguments
    number = parse_number(number_text)
    if explain is not None:
        with loading():
            from mnistsum_runtime.commands.drawing_into import check_out

        check_out(explain, images, model, operation)
    single = len(images) == 1 and not os.path.isdir(images[0])
    predictor = open_predictor(model, operation, threads, optimise=not single, min_confidence=min_confidence)
    pictures = expand(images, recursive=recursive)
    if explain is not None:
        answers = _answer_and_draw(predictor, pictures, number, explain)
    else:
        answers = ((name, _predict(predictor, source, number, name)) for name, source in pictures)
    all_answered = True
    for name, found in answers:
        all_answered &= _print_one(predictor, name, found, number, as_json)
    return 0 if all_answered else 1


def parse_number(text: str) -> int:
    """The NUMBER of the command line, 0..9.

    Raises:
        CallError: `text` is not one of the digits 0 to 9.
    """
    if not re.fullmatch("[0-9]", text):
        raise CallError(f"NUMBER, the last argument, must be a whole number from 0 to 9, found {text!r}")
    return int(text)


def expand(images: Iterable[str], *, recursive: bool = False) -> Iterator[tuple[str, Source | PictureError]]:
    """The name and source of each picture that the arguments stand for, looked up as they are asked for.

    What stands for no picture keeps its place, with the error in the place of a source.
    """
    for name in images:
        if name == STANDARD_INPUT:
            yield name, _read_standard_input()
        elif os.path.isdir(name):
            yield from _expand_folder(name, recursive)
        else:
            yield name, name


def _expand_folder(folder: str, recursive: bool) -> Iterator[tuple[str, Source | PictureError]]:
    """The pictures in a folder, in the order of their names; then, if asked for, those in each folder in it.

    Links to folders are not followed.
    """
    from mnistsum_runtime.preparation.folder import regular_file

    waiting, nothing, deeper = [folder], True, False
    while waiting:
        place = waiting.pop()
        try:
            pictures, folders = _list(place)
        except OSError as error:
            yield place, PictureError("not_readable", f"{place}: cannot be read: {error.strerror or error}")
            nothing = False
            continue
        found = [(name, source) for name in pictures if (source := regular_file(name)) is not None]
        yield from found
        nothing, deeper = nothing and not found, deeper or bool(folders)
        if recursive:
            waiting += reversed(folders)
    if nothing:
        where = "" if not deeper else ", nor in the folders in it" if recursive else "; -r looks in the folders in it"
        yield folder, PictureError("empty", f"{folder}: the folder has no pictures in it{where}")


def _list(folder: str) -> tuple[list[str], list[str]]:
    """The paths of what is called a picture, and of folders, in the order of their names."""
    from mnistsum_runtime.preparation.folder import is_called_picture

    pictures, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_called_picture(entry.name):
                pictures.append(entry.path)
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
    return sorted(pictures), sorted(folders)


def _read_standard_input() -> bytes | PictureError:
    from mnistsum_runtime.preparation.picture import MAX_BYTES

    try:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    except (OSError, AttributeError) as error:  # a closed standard input is None
        return PictureError("not_readable", f"standard input cannot be read: {error}")


def open_predictor(
    model: str | None,
    operation: str | None,
    threads: int,
    *,
    optimise: bool = True,
    min_confidence: float | None = None,
) -> Predictor:
    """Import what answers, and open the model; see `Predictor`."""
    with loading():
        from mnistsum_runtime.predictor import Predictor

        return Predictor(model, threads, operation=operation, optimise=optimise, min_confidence=min_confidence)


def _predict(predictor: Predictor, source: Source | PictureError, number: int, name: str) -> Prediction | PictureError:
    if isinstance(source, PictureError):
        return source
    try:
        return predictor.predict(source, number, name)
    except PictureError as error:
        return error


def _answer_and_draw(
    predictor: Predictor, pictures: Iterable[tuple[str, Source | PictureError]], number: int, out: str
) -> Iterator[tuple[str, Prediction | PictureError]]:
    """Answer, and draw each picture's panel; the sheet is written after the last answer."""
    from pathlib import Path

    from mnistsum_runtime.explain.panels import ContactSheet

    sheet = ContactSheet()
    for name, source in pictures:
        record = predictor.predict_and_record(source, number, name)
        sheet.add(record)
        yield name, record.answer
    left_out = sheet.write(Path(out))
    if left_out:
        write_error(f"{NAME}: {left_out}")


def _print_one(predictor: Predictor, name: str, found: Prediction | PictureError, number: int, as_json: bool) -> bool:
    """Print the line of one picture; whether it has an answer."""
    if as_json:
        import json

        from mnistsum_runtime.prediction import error_to_json

        if isinstance(found, PictureError):
            line = error_to_json(name, number, predictor.model.operation, found)
        else:
            line = found.to_json(name)
        print(json.dumps(line), flush=True)
    elif isinstance(found, PictureError):
        write_error(f"{NAME}: {found.message}")
    else:
        print(found.to_line(one_line(name)), flush=True)
    return not isinstance(found, PictureError)
