"""`mnistsum-run`: pictures and a number in, a line a picture out."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnistsum_runtime import __version__
from mnistsum_runtime.command import loading, run_and_exit
from mnistsum_runtime.errors import CallError, PictureError
from mnistsum_runtime.operations import OPERATIONS

if TYPE_CHECKING:
    from mnistsum_runtime.picture import Source
    from mnistsum_runtime.prediction import Prediction
    from mnistsum_runtime.predictor import Predictor

# numpy and onnxruntime are imported when the call is known to be right: a wrong one is told at once.

STANDARD_INPUT = "-"


class _RunCommand(click.Command):
    """Tells a negative number from an unknown option, which click does not."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if re.match(r"-[.\d]", error.option_name):
                parse_number(next(text for text in given if text.startswith(error.option_name)))
            raise


@click.command("mnistsum-run", cls=_RunCommand)
@click.argument("arguments", nargs=-1, metavar="IMAGE... NUMBER")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a picture.")
@click.option(
    "--model",
    metavar="FILE",
    help="A model made by mnistsum-export, or `int8`, the shipped int8 one.  [default: the one in the package]",
)
@click.option(
    "--operation",
    type=click.Choice(list(OPERATIONS)),
    help="Which of the models in the package.  [default: sum]",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="How many threads one inference may use.",
)
@click.option(
    "--explain",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Also draw what was seen and decided into a PNG, a panel a picture.",
)
@click.option("--version", is_flag=True, help="Name the package, the model and onnxruntime.")
def command(
    arguments: tuple[str, ...],
    as_json: bool,
    model: str | None,
    operation: str | None,
    threads: int,
    explain: Path | None,
    version: bool,
) -> int:
    """Read the handwritten digit in each IMAGE and add NUMBER (0-9) to it, or multiply it with `--operation product`.

    IMAGE is a picture file, a folder (all pictures in it, in the order of their names), or - for a picture on standard
    input. Answers come in the order of the pictures, a line each; one without an answer does not stop the others.

    \b
      mnistsum-run seven.png 4
      mnistsum-run scans/ 4 --json
      mnistsum-run - 4 < seven.png
      mnistsum-run seven.png 4 --explain seen.png

    Exit code: 0 all answered, 1 a picture gave no answer, 2 the call was wrong, 3 the model is missing or damaged.
    """  # noqa: D301  (click needs the backspace itself)
    if version:
        click.echo(_version_line(_open_predictor(model, operation, threads)))
        return 0
    if len(arguments) < 2:
        raise CallError("expected IMAGE... NUMBER, for example: mnistsum-run seven.png 4")
    *images, number_text = arguments
    number = parse_number(number_text)
    single = len(images) == 1 and not Path(images[0]).is_dir()
    predictor = _open_predictor(model, operation, threads, optimise=not single)
    pictures = expand(images)
    if explain is None:
        answers = ((name, _predict(predictor, source, number, name)) for name, source in pictures)
        return 0 if _print_all(predictor, answers, number, as_json) else 1
    from mnistsum_runtime.explain import ContactSheet, look

    sheet = ContactSheet()
    seen = (sheet.add(look(predictor, source, number, name)) for name, source in pictures)
    all_answered = _print_all(predictor, ((one.name, one.answer) for one in seen), number, as_json)
    sheet.write(explain)
    if sheet.left_out:
        click.echo(
            f"mnistsum-run: {explain} shows the first {len(sheet)} pictures, not {sheet.left_out} more", err=True
        )
    return 0 if all_answered else 1


def parse_number(text: str) -> int:
    """The NUMBER of the command line, 0..9.

    Raises:
        CallError: `text` is not one of the digits 0 to 9.
    """
    if not re.fullmatch("[0-9]", text):
        raise CallError(f"NUMBER, the last argument, must be a whole number from 0 to 9, found {text!r}")
    return int(text)


def expand(images: Iterable[str]) -> Iterator[tuple[str, Source | PictureError]]:
    """The name and source of each picture that the arguments stand for, looked up as they are asked for.

    What stands for no picture keeps its place, with the error in the place of a source.
    """
    for name in images:
        if name == STANDARD_INPUT:
            yield name, _read_standard_input()
        elif Path(name).is_dir():
            yield from _expand_folder(Path(name))
        else:
            yield name, name


def _expand_folder(folder: Path) -> Iterator[tuple[str, Source | PictureError]]:
    from mnistsum_runtime.picture import SUFFIXES

    try:
        names = sorted(str(path) for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.is_dir())
    except OSError as error:
        yield str(folder), PictureError("not_readable", f"{folder}: cannot be read: {error.strerror or error}")
        return
    if not names:
        yield str(folder), PictureError("empty", f"{folder}: the folder has no pictures in it")
    for name in names:
        yield name, name


def _read_standard_input() -> bytes | PictureError:
    from mnistsum_runtime.picture import MAX_BYTES

    try:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    except (OSError, AttributeError) as error:  # a closed standard input is None
        return PictureError("not_readable", f"standard input cannot be read: {error}")


def _open_predictor(model: str | None, operation: str | None, threads: int, *, optimise: bool = True) -> Predictor:
    with loading():
        from mnistsum_runtime.predictor import Predictor

        return Predictor(model, threads, operation=operation, optimise=optimise)


def _predict(predictor: Predictor, source: Source | PictureError, number: int, name: str) -> Prediction | PictureError:
    if isinstance(source, PictureError):
        return source
    try:
        return predictor.predict(source, number, name)
    except PictureError as error:
        return error


def _print_all(
    predictor: Predictor, answers: Iterable[tuple[str, Prediction | PictureError]], number: int, as_json: bool
) -> bool:
    """Print a line for each answer as it comes; whether every picture has one."""
    from mnistsum_runtime.prediction import error_to_json

    all_answered = True
    for name, answer in answers:
        if isinstance(answer, PictureError):
            all_answered = False
            if as_json:
                click.echo(json.dumps(error_to_json(name, number, predictor.model.operation, answer)))
            else:
                click.echo(f"mnistsum-run: {_one_line(answer.message)}", err=True)
        else:
            click.echo(json.dumps(answer.to_json(name)) if as_json else answer.to_line(_one_line(name)))
    return all_answered


def _one_line(text: str) -> str:
    """A file may be called anything: line breaks and bytes that are no text are shown escaped."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def _version_line(predictor: Predictor) -> str:
    import onnxruntime

    model = predictor.model
    identity = f"{model.path.name} ({model.operation.name}, sha256 {model.sha256()[:12]})"
    return f"mnistsum {__version__}, model {identity}, onnxruntime {onnxruntime.__version__}"


def main() -> None:
    """Entry point of `mnistsum-run`."""
    run_and_exit(command)
