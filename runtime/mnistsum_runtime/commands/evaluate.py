"""`mnistsum-evaluate`: how good the answers are on a user's own labelled pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnistsum_runtime import __version__
from mnistsum_runtime.commands.entry import loading
from mnistsum_runtime.commands.options import (
    min_confidence_option,
    model_option,
    operation_option,
    run_and_exit,
)
from mnistsum_runtime.terminal import one_line, write_error

if TYPE_CHECKING:
    from mnistsum_runtime.explain.panels import ContactSheet
    from mnistsum_runtime.measure.evaluation import Outcome

# numpy and onnxruntime are imported when the call is known to be right: a wrong one is told at once.


NAME = "mnistsum-evaluate"


@click.command(NAME)
@click.argument("folder", type=click.Path(path_type=Path))
@model_option
@operation_option
@min_confidence_option
@click.option(
    "--number",
    type=click.IntRange(0, 9),
    metavar="N",
    help="The second number of every picture.  [default: 0 to 9 in turn]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
@click.option(
    "--explain",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Also draw the mistakes, what was seen and decided: a .png, .jpg, .jpeg or .webp.",
)
@click.version_option(__version__)
def command(
    folder: Path,
    model: str | None,
    operation: str | None,
    min_confidence: float | None,
    number: int | None,
    as_json: bool,
    explain: Path | None,
) -> int:
    """Measure the accuracy on the labelled pictures in FOLDER and in all folders in it, as mnistsum-run does with -r.

    A picture's label is the name of its folder if that is a digit (7/photo.jpg), else the last digit before the ending
    of its own name (photo-7.jpg).

    \b
      mnistsum-evaluate photos/
      mnistsum-evaluate photos/ --explain mistakes.png

    The table: pictures; digit right; digit and sum right; called reliable; digit and sum right of those.

    Exit code: 0 done, 1 a picture gave no answer (it counts as wrong) or a folder in it cannot be read, 2 the call was
    wrong or nothing has a label, 3 the model is missing or damaged.
    """  # noqa: D301  (click needs the backspace itself)
    with loading():
        from mnistsum_runtime.measure.evaluation import Outcome, Tally, by_folder, find_labelled, format_table

    pictures, unlabelled, unread = find_labelled(folder, number)
    if explain is not None:
        with loading():
            from mnistsum_runtime.commands.drawing_into import check_out

        check_out(explain, [str(folder)], model, operation)
    for error in unread:
        write_error(f"{NAME}: {error.message}")
    with loading():
        from mnistsum_runtime.explain.panels import ContactSheet
        from mnistsum_runtime.predictor import Predictor

        predictor = Predictor(model, operation=operation, min_confidence=min_confidence)
    if unlabelled:
        names = ", ".join(one_line(str(path.relative_to(folder))) for path in unlabelled[:5])
        more = ", ..." if len(unlabelled) > 5 else ""
        write_error(f"{NAME}: {len(unlabelled)} without a label left out: {names}{more}")
    outcomes = []
    mistakes = ContactSheet()
    for picture in pictures:
        record = predictor.predict_and_record(str(picture.path), picture.number, str(picture.path))
        outcome = Outcome(picture, predictor.model.operation, record.answer)
        outcomes.append(outcome)
        if explain is not None and not outcome.both_right:
            mistakes.add(record, f"   (label {picture.label})")
    total = Tally.of("all", outcomes)
    rows = list(by_folder(outcomes, folder))
    if as_json:
        click.echo(
            json.dumps(
                total.to_dict()
                | {
                    "model": str(predictor.model.path),
                    "unlabelled": [str(path) for path in unlabelled],
                    "unread": [error.message for error in unread],
                    "folders": [row.to_dict() for row in rows],
                    "mistakes": [outcome.to_json() for outcome in outcomes if not outcome.both_right],
                }
            )
        )
    else:
        click.echo(format_table([*rows, total]))
        for outcome in outcomes:
            if not outcome.both_right:
                click.echo(_describe_mistake(outcome))
    if explain is not None:
        _write(mistakes, explain)
    return 1 if total.unanswered or unread else 0


def _describe_mistake(outcome: Outcome) -> str:
    from mnistsum_runtime.errors import PictureError

    answer, picture = outcome.answer, outcome.picture
    if isinstance(answer, PictureError):
        return f"label {picture.label}, no answer: {one_line(answer.message)}"
    return f"label {picture.label}, {answer.to_line(one_line(str(picture.path)))}"


def _write(mistakes: ContactSheet, path: Path) -> None:
    if not len(mistakes):
        write_error(f"{NAME}: no mistakes, {path} was not written")
        return
    left_out = mistakes.write(path)
    if left_out:
        write_error(f"{NAME}: {left_out}")


def main() -> None:
    """Entry point of `mnistsum-evaluate`."""
    run_and_exit(command)
