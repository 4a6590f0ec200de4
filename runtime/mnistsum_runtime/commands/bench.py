"""`mnistsum-bench`: start, memory, latency and throughput on this device."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mnistsum_runtime import __version__
from mnistsum_runtime.commands.entry import loading
from mnistsum_runtime.commands.options import model_option, operation_option, run_command
from mnistsum_runtime.errors import CallError
from mnistsum_runtime.terminal import one_line
from mnistsum_runtime.threads import MOST_THREADS

if TYPE_CHECKING:
    from mnistsum_runtime.measure.bench import Figure

FORMAT = 1
"""Of the JSON object; `--compare` refuses another one."""


@click.command("mnistsum-bench")
@model_option
@operation_option
@click.option(
    "--threads",
    type=click.IntRange(1, MOST_THREADS),
    multiple=True,
    metavar="N",
    help="Measure throughput with N threads; may be given again.  [default: 1, and all cores]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
@click.option(
    "--compare", type=click.Path(path_type=Path), metavar="FILE", help="Show ratios to an earlier --json output."
)
@click.version_option(__version__)
def command(
    model: str | None, operation: str | None, threads: tuple[int, ...], as_json: bool, compare: Path | None
) -> int:
    """Measure this device: whole processes, memory, sessions, one picture, batches, and pictures from files.

    FILE may be of any network that mnistsum-export has proven: then rows of its references take the place of pictures.

    Takes about half a minute on a PC. For figures that mean something, let nothing else run beside it.

    Exit code: 0 measured, 1 a process that was started failed, 2 the call was wrong, 3 the model is missing or damaged.
    """
    earlier = {} if compare is None else read_earlier(compare)
    with loading():
        from mnistsum_runtime.measure.bench import Effort, ask_once, measure, measure_any, recorded_workload
        from mnistsum_runtime.measure.device import installed_versions, this_device
        from mnistsum_runtime.measure.scratch import scratch_folder
        from mnistsum_runtime.model import is_network, open_file, open_named_model
        from mnistsum_runtime.proof.model_file import sha256_of
        from mnistsum_runtime.proof.references import read_references
        from mnistsum_runtime.proof.verification import verify_inference

    device = this_device()
    opened = open_file(model, operation)  # a model that is no good is told before the minute begins
    counts = threads or tuple(dict.fromkeys((1, device.cores)))
    sha256, name = sha256_of(opened.path), None
    if is_network(opened):
        network = open_named_model(model, operation)
        name = network.operation.name
        ask_once(network)
        with scratch_folder() as folder:
            figures = list(measure(opened.path, counts, folder, Effort()))
    else:
        references = read_references(opened.path, sha256)
        verify_inference(opened.session, references)  # a file that cannot be run is told before it is measured
        workload = recorded_workload(opened.path, references)
        figures = list(measure_any(workload, counts, Effort()))
    about = {
        "format": FORMAT,
        "device": device.to_dict(),
        "versions": installed_versions(),
        "model": {"file": Path(opened.path).name, "operation": name, "sha256": sha256},
    }
    if as_json:
        click.echo(json.dumps(about | {"figures": [to_dict(figure, earlier) for figure in figures]}))
    else:
        click.echo(to_table(about, figures, earlier))
    return 0


Earlier = dict[tuple[str, str], float]
"""Values of an earlier run by group and name."""


def read_earlier(path: Path) -> Earlier:
    """Read what `mnistsum-bench --json` printed before.

    Raises:
        CallError: It cannot be read, or is something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise CallError(f"--compare {path}: format {found['format']}, this mnistsum-bench reads {FORMAT}")
        earlier = {(figure["group"], figure["name"]): float(figure["value"]) for figure in found["figures"]}
        if not all(map(isfinite, earlier.values())):
            raise ValueError
        return earlier
    except OSError as error:
        raise CallError(f"--compare {path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        if isinstance(error, CallError):
            raise
        raise CallError(f"--compare {path}: not the output of mnistsum-bench --json") from error


def to_dict(figure: Figure, earlier: Earlier) -> dict[str, Any]:
    """A figure as plain JSON values; with what it was earlier, where that is known."""
    plain = {"group": figure.group, "name": figure.name, "value": figure.value, "unit": figure.unit}
    then = earlier.get((figure.group, figure.name))
    return plain if not then else plain | {"earlier": then, "ratio": figure.value / then}


def to_table(about: dict[str, Any], figures: list[Figure], earlier: Earlier) -> str:
    """For people: a heading for each group, a line for each figure."""
    device, model = about["device"], about["model"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    where = [device["board"], device["machine"], f"{device['cores']} cores", f"Python {device['python']}"]
    identity = [part for part in (model["operation"], f"sha256 {model['sha256'][:12]}") if part]
    lines = [
        ", ".join(part for part in where if part),
        versions,
        f"model {one_line(model['file'])} ({', '.join(identity)})",
    ]
    group = ""
    for figure in figures:
        if figure.group != group:
            group = figure.group
            lines += ["", group + (f"{'now':>{50 - len(group)}}{'earlier':>12}{'ratio':>9}" if earlier else "")]
        line = f"  {figure.name:<38}{_short(figure.value):>10} {figure.unit:<2}"
        then = earlier.get((figure.group, figure.name))
        if then:
            line += f"{_short(then):>9}{figure.value / then:>8.2f}x"
        lines.append(line.rstrip())
    return "\n".join(lines)


def _short(value: float) -> str:
    """Three digits that count; thousands in full."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def main() -> None:
    """Entry point of `mnistsum-bench`."""
    run_command(command)
