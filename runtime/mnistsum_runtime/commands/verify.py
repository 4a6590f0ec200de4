"""`mnistsum-verify`: does this device compute what was computed where the model was made? Offline, in a second."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mnistsum_runtime import __version__
from mnistsum_runtime.commands.entry import loading
from mnistsum_runtime.commands.options import model_option, operation_option, run_and_exit, threads_option
from mnistsum_runtime.terminal import one_line

if TYPE_CHECKING:
    from mnistsum_runtime.measure.samples import Answers, Preparation
    from mnistsum_runtime.proof.model_file import ModelFile
    from mnistsum_runtime.proof.references import References
    from mnistsum_runtime.proof.verification import Inference

# numpy and onnxruntime are imported when the call is known to be right: a wrong one is told at once.


@click.command("mnistsum-verify")
@model_option
@operation_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the tables.")
@threads_option
@click.option(
    "--limited",
    is_flag=True,
    help="For a file from a stranger: in a process of its own, with at most 2 minutes and 2 GB of memory.",
)
@click.version_option(__version__)
def command(model: str | None, operation: str | None, as_json: bool, threads: int, limited: bool) -> int:
    """Check that a model file computes on this device what its module computed where the file was made.

    For every file that mnistsum-export has proven: do the recorded inputs give the recorded outputs and labels? Of a
    network that reads digits, two answers more. Preparation: do the sample pictures become the recorded 28x28 arrays?
    Answers: does mnistsum-run say of them what it said there?

    All of it is recorded in NAME.references.npz beside NAME.onnx.

    Exit code: 0 all passed, 1 one failed, 2 the call was wrong, 3 the model or its references are missing, damaged, or
    do not belong together.
    """
    if limited:
        from mnistsum_runtime.measure.limited import run_limited

        named = {"--model": model, "--operation": operation, "--threads": str(threads)}
        options = [text for name, value in named.items() if value is not None for text in (name, value)]
        return run_limited("verify", options + ["--json"] * as_json)
    with loading():
        from mnistsum_runtime.measure.device import describe_host
        from mnistsum_runtime.model import is_network, open_file
        from mnistsum_runtime.proof.provenance import describe_versions

        opened = open_file(model, operation, threads)
    verification = verify_network(opened, operation) if is_network(opened) else verify_file(opened)
    here = describe_versions() | describe_host()
    click.echo(json.dumps(verification.to_dict(here)) if as_json else verification.to_table(here))
    return 0 if verification else 1


@dataclass(frozen=True)
class Verification:
    """All that was compared. True if all of it passed."""

    file: str
    operation: str | None
    references: References
    inference: Inference
    preparation: Preparation | None = None
    answers: Answers | None = None

    def __bool__(self) -> bool:
        """Whether every comparison passed."""
        return all((self.inference, self.preparation is None or self.preparation, self.answers is None or self.answers))

    def to_dict(self, here: dict[str, Any]) -> dict[str, Any]:
        """As plain JSON values; what this file has no record of is null."""
        return {
            "passed": bool(self),
            "model": {
                "file": self.file,
                "operation": self.operation,
                "precision": self.references.precision,
                "sha256": self.references.model_sha256,
            },
            "here": here,
            "references_made_with": self.references.made_with,
            "preparation": None if self.preparation is None else self.preparation.to_dict(),
            "inference": self.inference.to_dict(),
            "answers": None if self.answers is None else self.answers.to_dict(),
        }

    def to_table(self, here: dict[str, Any]) -> str:
        """For people."""
        what = ", ".join(part for part in (self.operation, self.references.precision) if part)
        tables = [str(table) for table in (self.preparation, self.inference, self.answers) if table is not None]
        return "\n".join(
            [
                f"{one_line(self.file)}: {what}, SHA-256 {self.references.model_sha256[:12]}",
                f"here:       {_one_line(here)}",
                f"references: {_one_line(self.references.made_with)}",
                *tables,
                "verified" if self else "NOT VERIFIED",
            ]
        )


def verify_file(opened: ModelFile) -> Verification:
    """Verify a file of any network.

    Raises:
        ModelError: Its references are missing, damaged, or those of another file; or onnxruntime cannot run it.
    """
    from mnistsum_runtime.proof.model_file import sha256_of
    from mnistsum_runtime.proof.references import read_references
    from mnistsum_runtime.proof.verification import verify_inference

    references = read_references(opened.path, sha256_of(opened.path))
    return Verification(opened.path, None, references, verify_inference(opened.session, references))


def verify_network(opened: ModelFile, operation: str | None) -> Verification:
    """Verify a file of the network that reads digits: inference, preparation, and both together.

    Raises:
        ModelError: As of `verify_file`, or the file does not carry the contract, or is of another operation.
    """
    from mnistsum_runtime.measure.recorded import read_recorded
    from mnistsum_runtime.measure.samples import (
        CONFIDENCE_TOLERANCE,
        prepare_samples,
        verify_answers,
        verify_preparation,
    )
    from mnistsum_runtime.model import check_model, require_operation
    from mnistsum_runtime.predictor import Predictor
    from mnistsum_runtime.proof.verification import verify_inference

    model = require_operation(check_model(opened), operation)
    recorded = read_recorded(model)
    references, samples = recorded.references, recorded.samples
    prepared, answers = prepare_samples(samples), None
    if recorded.answered:
        answers = verify_answers(Predictor.of(model), samples, prepared, CONFIDENCE_TOLERANCE[references.precision])
    return Verification(
        file=model.path,
        operation=model.operation.name,
        references=references,
        inference=verify_inference(model.session, references),
        preparation=verify_preparation(samples, prepared),
        answers=answers,
    )


def _one_line(facts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value)


def main() -> None:
    """Entry point of `mnistsum-verify`."""
    run_and_exit(command)
