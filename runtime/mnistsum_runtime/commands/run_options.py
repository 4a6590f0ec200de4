"""`mnistsum-run` with options: they are parsed here, and the work is done by `run_answer`."""

import re
from pathlib import Path

import click

from mnistsum_runtime import __version__
from mnistsum_runtime.commands.options import min_confidence_option, model_option, operation_option, threads_option
from mnistsum_runtime.commands.run_answer import NAME, answer, open_predictor, parse_number
from mnistsum_runtime.terminal import one_line


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


@click.command(NAME, cls=_RunCommand)
@click.argument("arguments", nargs=-1, type=click.Path(), metavar="IMAGE... NUMBER")
@click.option("-r", "--recursive", is_flag=True, help="Of a folder, also take the pictures in all folders in it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a picture.")
@model_option
@operation_option
@threads_option
@min_confidence_option
@click.option(
    "--explain",
    type=click.Path(),
    metavar="OUT",
    help="Also draw what was seen and decided, a panel for each picture: a .png, .jpg, .jpeg or .webp.",
)
@click.option("--version", is_flag=True, help="Name the package, the model and onnxruntime.")
def command(
    arguments: tuple[str, ...],
    recursive: bool,
    as_json: bool,
    model: str | None,
    operation: str | None,
    threads: int,
    min_confidence: float | None,
    explain: str | None,
    version: bool,
) -> int:
    """Read the handwritten digit in each IMAGE and add NUMBER (0-9) to it, or multiply it with `--operation product`.

    IMAGE is a picture file, a folder, or - for a picture on standard input. Of a folder the pictures directly in it are
    taken, in the order of their names; with -r then those in each folder in it, and so on. Answers come in the order of
    the pictures, a line each; one without an answer does not stop the others.

    \b
      mnistsum-run seven.png 4
      mnistsum-run scans/ 4 --json
      mnistsum-run -r archive/ 4
      mnistsum-run - 4 < seven.png
      mnistsum-run seven.png 4 --explain seen.png

    Exit code: 0 all answered, 1 a picture gave no answer, 2 the call was wrong, 3 the model is missing or damaged.
    """  # noqa: D301  (click needs the backspace itself)
    if version:
        click.echo(_version_line(model, operation, threads))
        return 0
    return answer(
        arguments,
        model=model,
        operation=operation,
        threads=threads,
        min_confidence=min_confidence,
        as_json=as_json,
        recursive=recursive,
        explain=explain,
    )


def _version_line(model: str | None, operation: str | None, threads: int) -> str:
    opened = open_predictor(model, operation, threads).model
    import onnxruntime

    identity = f"{one_line(Path(opened.path).name)} ({opened.operation.name}, sha256 {opened.sha256()[:12]})"
    return f"mnistsum {__version__}, model {identity}, onnxruntime {onnxruntime.__version__}"
