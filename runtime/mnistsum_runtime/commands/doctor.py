"""`mnistsum-doctor`: one page about what this device can and cannot do."""

from __future__ import annotations

import json

import click

from mnistsum_runtime import __version__
from mnistsum_runtime.commands.options import model_option, operation_option, run_command
from mnistsum_runtime.measure.device import installed_versions, origin_of, this_device
from mnistsum_runtime.measure.doctor import Check, examine, try_model
from mnistsum_runtime.measure.known import read_known
from mnistsum_runtime.terminal import one_line


@click.command("mnistsum-doctor")
@model_option
@operation_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the page.")
@click.version_option(__version__)
def command(model: str | None, operation: str | None, as_json: bool) -> int:
    """Look for what could keep mnistsum from running here, and say what to do.

    onnxruntime is tried in a process of its own: if it dies, the page says so.

    Exit code: 0 no problem (warnings may be), 1 a problem, 2 the call was wrong.
    """
    trial = try_model(model, operation)
    checks = examine(this_device(), installed_versions(), trial, origin_of("onnxruntime"), read_known())
    problems = sum(check.verdict == "problem" for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": not problems, "checks": [check.to_dict() for check in checks]}))
    else:
        for check in checks:
            click.echo(to_lines(check))
        click.echo("no problem found" if not problems else f"{problems} problem{'s'[: problems != 1]} found")
    return 1 if problems else 0


def to_lines(check: Check) -> str:
    """A line of the page; a second one says what to do."""
    line = f"{check.verdict:<9}{check.name:<24}{one_line(check.found)}"
    return line if check.advice is None else f"{line}\n{'':<9}-> {one_line(check.advice)}"


def main() -> None:
    """Entry point of `mnistsum-doctor`."""
    run_command(command)
