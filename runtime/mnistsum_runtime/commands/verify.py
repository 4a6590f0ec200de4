"""`mnistsum-verify`: does this device compute what was computed where the model was made? Offline, in a second."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from mnistsum_runtime import __version__
from mnistsum_runtime.commands.entry import loading
from mnistsum_runtime.commands.options import model_option, operation_option, run_and_exit, threads_option

if TYPE_CHECKING:
    from mnistsum_runtime.model import Model
    from mnistsum_runtime.proof.references import References

# numpy and onnxruntime are imported when the call is known to be right: a wrong one is told at once.


@click.command("mnistsum-verify")
@model_option
@operation_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the tables.")
@threads_option
@click.version_option(__version__)
def command(model: str | None, operation: str | None, as_json: bool, threads: int) -> int:
    """Check that this device prepares pictures and computes answers as the machine did that made the model.

    Two answers, apart. Preparation: do the sample pictures become the recorded 28x28 arrays? Inference: do the
    recorded pictures give the recorded logits and labels? Both are in NAME.references.npz beside NAME.onnx.

    Exit code: 0 both passed, 1 one failed, 2 the call was wrong, 3 the model or its references are missing, damaged,
    or do not belong together.
    """
    with loading():
        from mnistsum_runtime.model import open_named_model
        from mnistsum_runtime.proof.provenance import describe_machine
        from mnistsum_runtime.proof.references import read_references
        from mnistsum_runtime.proof.verification import verify_inference, verify_preparation

        opened = open_named_model(model, operation, threads)
    references = read_references(opened)
    preparation = verify_preparation(references)
    inference = verify_inference(opened, references)
    passed = bool(preparation and inference)
    here = describe_machine()
    if as_json:
        click.echo(
            json.dumps(
                {
                    "passed": passed,
                    "model": describe_model(opened, references),
                    "here": here,
                    "references_made_with": references.made_with,
                    "preparation": preparation.to_dict(),
                    "inference": inference.to_dict(),
                }
            )
        )
    else:
        identity = describe_model(opened, references)
        click.echo(
            f"{identity['file']}: {identity['operation']}, {identity['precision']}, SHA-256 {identity['sha256'][:12]}"
        )
        click.echo(f"here:       {_one_line(here)}")
        click.echo(f"references: {_one_line(references.made_with)}")
        click.echo(str(preparation))
        click.echo(str(inference))
        click.echo("verified" if passed else "NOT VERIFIED")
    return 0 if passed else 1


def describe_model(model: Model, references: References) -> dict[str, str]:
    """What was verified; the hash is that of the file's bytes."""
    return {
        "file": model.path,
        "operation": model.operation.name,
        "precision": references.precision,
        "sha256": references.model_sha256,
    }


def _one_line(versions: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def main() -> None:
    """Entry point of `mnistsum-verify`."""
    run_and_exit(command)
