"""From any torch module to ONNX bytes that are proven to answer as it does: read as a table of contents."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx

from mnistsum_export.proof.convert import GIVEN, Conversion, ConversionError, exporters
from mnistsum_export.proof.failure import blame, explain_failure
from mnistsum_export.proof.inputs import require_whole_integers
from mnistsum_export.proof.module import one_thread
from mnistsum_export.proof.opsets import require_supported, supported_opsets
from mnistsum_export.proof.parity import EngineError, Parity, measure_parity
from mnistsum_export.proof.receipt import describe_proof, with_metadata
from mnistsum_export.proof.references import Recording, make_references, record_examples
from mnistsum_export.proof.rules import Wishes
from mnistsum_export.proof.structure import check_structure
from mnistsum_export.proof.subject import Subject, make_subject
from mnistsum_export.proof.tidy import standard_opset, without_notes
from mnistsum_export.proof.written import WrittenFile, write_file
from mnistsum_runtime.errors import CallError, ModelError, WorkError

if TYPE_CHECKING:
    from torch import nn

DEFAULT_OPSET = 17


@dataclass(frozen=True)
class Proof:
    """What was proven and written."""

    file: WrittenFile
    exporter: str
    """See `convert.Conversion`."""
    parity: Parity
    """Measured on the final bytes."""
    warnings: tuple[str, ...]
    """What may matter, a line each: outputs that mix sizes, and what the exporter said."""

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return self.file.to_dict() | {
            "exporter": self.exporter,
            "parity": self.parity.to_dict(),
            "warnings": list(self.warnings),
        }

    def __str__(self) -> str:
        """A table for people."""
        return str(self.parity)


@one_thread()
def prove(
    module: nn.Module,
    examples: Mapping[str, object],
    *,
    output: Path | str,
    outputs: Sequence[str] | str | None = None,
    labels: Sequence[str] | str | Mapping[str, int] = (),
    opset: int | None = None,
    dynamic: Mapping[str, Mapping[int, str]] | None = None,
    constant: Collection[str] = (),
    atol: float | Mapping[str, float] | None = None,
    rtol: float | Mapping[str, float] | None = None,
    model: onnx.ModelProto | None = None,
    metadata: Callable[[Parity], Mapping[str, str]] | None = None,
    record: Callable[[bytes], Recording] | None = None,
) -> Proof:
    """Convert, check, compare, record, describe, compare again, write the file and its references.

    Args:
        module: In evaluation mode, on the CPU; each row of its inputs is answered for itself.
        examples: numpy arrays or torch tensors by input name, [rows, ...] each: two rows or more, better a hundred, as
            different as what the device will meet. Where all names are parameters of `forward` they go to these, else
            they are given in their order.
        output: The file to write; `NAME.references.npz` goes beside `NAME.onnx`. Both are written, or none.
        outputs: Names of the outputs, or the one name. By default the keys of a dict, else `output`, or `output_0` and
            on.
        labels: Outputs, or the one, that are class logits: the class of the largest must be torch's too. With the axis
            of the classes where that is not 1.
        opset: By default 17, of a given model its own.
        dynamic: By input name and axis, names of dimensions that are free beside the batch: `{"text": {1: "length"}}`.
        constant: Outputs that may be the same for all examples, and are otherwise refused.
        atol: Absolute tolerance of float outputs, for all or by name. 0 by default.
        rtol: Relative to an output's spread over the examples, for all or by name: what passes is
            `atol + rtol * spread`. By default 1e-4 in float32, or more where float32 itself rounds more (`rules`).
            Integers and booleans must be equal, and NaN never passes.
        model: A graph to prove instead of converting the module. What it computes stays as it is; doc strings and other
            notes are taken out, and the IR version is the lowest of its opset.
        metadata: What the file says of itself, from the parity; by default the keys of `receipt`.
        record: What goes into the references, from the file's bytes; by default a part of the examples.

    Raises:
        CallError: The module, the examples or a name are not such that a proof means something.
        WorkError: The module cannot be converted, a check failed, parity was not reached, or the files cannot be
            written. Nothing was written.
    """
    outputs = [outputs] if isinstance(outputs, str) else outputs
    labels = [labels] if isinstance(labels, str) else labels
    wishes = Wishes(dict(labels) if isinstance(labels, Mapping) else dict.fromkeys(labels, 1), constant, atol, rtol)
    if model is not None:
        _require_model(model)
        outputs = outputs or [value.name for value in model.graph.output]
    if opset is None:
        opset = DEFAULT_OPSET if model is None else standard_opset(model) or DEFAULT_OPSET
    require_supported(opset)
    output = Path(output)
    if not output.parent.is_dir():  # told before the work is done
        raise WorkError(f"cannot write {output}: there is no folder {output.parent}")
    subject = make_subject(module, examples, outputs, dynamic or {}, wishes, named_by_file=model is not None)
    conversion = convert(subject, opset) if model is None else _given(model, subject, opset)
    parity = _compare(subject, conversion, conversion.model.SerializeToString(deterministic=True))
    described = describe_proof(module, conversion.exporter, opset, parity) if metadata is None else metadata(parity)
    content = with_metadata(conversion.model, described)
    check_structure(onnx.load_from_string(content), subject.signature, opset)
    again = measure_parity(content, subject.case, subject.rules, subject.other_length)
    if again != parity:
        raise WorkError(
            "the final bytes do not give what the receipt in them says, although nothing but the metadata differs: "
            f"{again.to_json()} against {parity.to_json()}; nothing was written"
        )
    recording = record_examples(module, subject.case, subject.rules) if record is None else record(content)
    references = make_references(recording, subject.rules, content)
    written = write_file(output, content, references)
    return Proof(written, conversion.exporter, again, (*_told_of_outputs(subject), *conversion.warnings))


def _told_of_outputs(subject: Subject) -> list[str]:
    """A line for each output of which a part varies by little more than the tolerance of the whole."""
    return [
        f"{rule.unseen} columns of output {name} vary by less than ten times its tolerance, {rule.rule.tolerance:.2g}: "
        "what differs there is hardly seen; return them as an output of their own"
        for name, rule in subject.rules.items()
        if rule.unseen
    ]


def read_model(path: Path) -> onnx.ModelProto:
    """Read a graph that somebody else converted. Weights in a second file stay there, and are refused later.

    Raises:
        ModelError: It cannot be read, or is no ONNX file.
    """
    try:
        if path.exists() and not path.is_file():
            raise ModelError(f"model {path}: not a regular file")
        model = onnx.load(path, load_external_data=False)
    except ModelError:
        raise
    except OSError as error:
        raise ModelError(f"model {path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # protobuf's and onnx's own
        raise ModelError(f"model {path}: not an ONNX file: {' '.join(str(error).split())}") from error
    if not model.opset_import or not model.graph.output:
        raise ModelError(f"model {path}: not an ONNX file: it has no outputs")
    return model


def convert(subject: Subject, opset: int) -> Conversion:
    """Convert with the first of torch's exporters that can, to a graph that is as it must be.

    Raises:
        WorkError: None can; `__notes__` has torch's own text.
    """
    failures: list[str] = []
    details: list[str] = []
    for exporter in exporters():
        try:
            conversion = exporter(subject.module, subject.case.examples, subject.signature, opset)
            check_structure(conversion.model, subject.signature, opset)
        except ConversionError as error:
            failures.append(str(error))
            details.append(error.details)
        except WorkError as error:
            failures.append(str(error).removesuffix("; nothing was written"))
        else:
            return conversion
    newest = supported_opsets()[-1]
    advice = "" if opset == newest else f"; opset {newest} knows more operators"
    refused = WorkError(f"the module cannot be converted: {'; '.join(failures)}{advice}; nothing was written")
    for text in details:
        refused.add_note(text)
    raise refused


def _require_model(model: object) -> None:
    """Raise `CallError` unless a graph was given, not its file."""
    if not isinstance(model, onnx.ModelProto):
        raise CallError(f"model: expected an onnx.ModelProto, found a {type(model).__name__}; onnx.load reads a file")


def _given(model: onnx.ModelProto, subject: Subject, opset: int) -> Conversion:
    tidy = without_notes(model)
    check_structure(tidy, subject.signature, opset)
    return Conversion(tidy, GIVEN)


def _compare(subject: Subject, conversion: Conversion, content: bytes) -> Parity:
    """Measure parity, and raise `WorkError` with the submodule at which the two part unless it holds."""
    hints = "".join(f"; while tracing, torch warned: {warning}" for warning in conversion.warnings[:1])
    try:
        parity = measure_parity(content, subject.case, subject.rules, subject.other_length)
    except EngineError as error:
        blamed = blame(subject.module, conversion.model, str(error))
        raise WorkError(f"{error}{blamed}{hints}; nothing was written") from error
    if not parity:
        raise WorkError(f"{explain_failure(subject, content, parity)}{hints}; nothing was written")
    require_whole_integers(subject, content)
    return parity
