"""A torch module as a function of named arrays, and what it must be so that a proof means anything."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from mnistsum_export.proof.examples import Arrays, batches, rows_of
from mnistsum_runtime.errors import CallError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TORCH_BATCH = 64
_NAMED_KINDS = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._NormBase)
"""Of the submodules in training mode, these change the answer: one of them is named."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch add on one thread, so that its answers repeat bit for bit on machines with other numbers of cores."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def in_order_of_forward(module: nn.Module, arrays: Arrays) -> Arrays:
    """The inputs in the order in which `forward` takes them.

    Where every name is a parameter of `forward`, they are sorted by it; otherwise they stay in their own order.

    Raises:
        CallError: They are parameters of `forward`, but not its first ones: given in order, one would go to another.
    """
    try:
        parameters = inspect.signature(module.forward).parameters
    except (TypeError, ValueError):  # a scripted module has no signature
        return arrays
    if not set(arrays) <= set(parameters):
        return arrays
    first = [
        name for name, each in parameters.items() if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    if set(first[: len(arrays)]) != set(arrays):
        missing = next((name for name in first if name not in arrays), None)
        stands = "are keyword-only" if missing is None else f"leave out {missing}, which stands before them"
        raise CallError(
            f"the inputs {', '.join(arrays)} are parameters of forward, but some {stands}: inputs are given in order. "
            "Give examples for all before them, or prove a small module that calls yours"
        )
    return {name: arrays[name] for name in first if name in arrays}


def require_evaluation_mode(module: nn.Module) -> None:
    """Raise `CallError` naming a submodule that is in training mode, if one is."""
    training = [(path, child) for path, child in module.named_modules() if child.training]
    if not training:
        return
    path, child = next((pair for pair in training if isinstance(pair[1], _NAMED_KINDS)), training[0])
    raise CallError(
        f"{describe(path, child)} is in training mode, where its answer is another one: call .eval() on the module"
    )


def describe(path: str, module: nn.Module) -> str:
    """A submodule as torch names it, with its class."""
    kind = getattr(module, "original_name", None) or type(module).__name__
    return f"{path} ({kind})" if path else f"the module itself ({kind})"


def to_tensors(arrays: Mapping[str, NDArray[Any]]) -> tuple[torch.Tensor, ...]:
    """The arguments of `forward`, as tensors that own their memory."""
    return tuple(torch.from_numpy(np.array(array)) for array in arrays.values())


def flatten(answer: object) -> list[torch.Tensor]:
    """All tensors of what `forward` returns, in the order in which torch's exporters number them.

    Raises:
        CallError: It returns something else than tensors, or tuples, lists and dicts of them.
    """
    if isinstance(answer, torch.Tensor):
        return [answer]
    if answer is None:
        return []
    if isinstance(answer, Mapping):
        return [tensor for value in answer.values() for tensor in flatten(value)]
    if isinstance(answer, tuple | list):
        return [tensor for value in answer for tensor in flatten(value)]
    raise CallError(f"the module returns a {type(answer).__name__}, expected tensors, or tuples, lists, dicts of them")


def default_output_names(answer: object) -> list[str]:
    """Names for outputs that were given none: the keys of a dict of tensors, else `output`, or `output_0` and on."""
    if isinstance(answer, Mapping) and all(isinstance(value, torch.Tensor) for value in answer.values()):
        return [str(name) for name in answer]
    count = len(flatten(answer))
    return ["output"] if count == 1 else [f"output_{index}" for index in range(count)]


def call(module: nn.Module, arrays: Arrays) -> object:
    """Call the module once, without gradients.

    Raises:
        CallError: It raises: the examples do not fit it.
    """
    try:
        with torch.no_grad():  # in inference mode, what a module makes at its first call could never be trained
            return module(*to_tensors(arrays))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a user's module raises
        shapes = ", ".join(f"{name} {array.dtype} {list(array.shape)}" for name, array in arrays.items())
        raise CallError(
            f"the module does not take the examples ({shapes}): {type(error).__name__}: {first_line(error)}"
        ) from error


def first_line(error: object) -> str:
    """The first line that says something of the text of an error or a warning."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def answer(module: nn.Module, arrays: Arrays, names: list[str], batch: int = TORCH_BATCH) -> dict[str, NDArray[Any]]:
    """What torch answers, by output name: [rows, ...] each.

    Raises:
        CallError: The module does not take the examples, or its answers are not one row for each.
    """
    parts: list[list[NDArray[Any]]] = []
    for part in batches(arrays, batch):
        tensors = flatten(call(module, part))
        if len(tensors) != len(names):
            has = f"{len(tensors)} output{'s'[: len(tensors) != 1]}"
            raise CallError(f"the module has {has}, found {len(names)} names: {', '.join(names)}")
        for name, tensor in zip(names, tensors, strict=True):
            _check_output(name, tensor, rows_of(part))
        parts.append([tensor.detach().cpu().numpy() for tensor in tensors])
    try:
        return {name: np.concatenate([part[index] for part in parts]) for index, name in enumerate(names)}
    except ValueError as error:
        raise CallError(f"the answers have other shapes from batch to batch: {first_line(error)}") from error


def _check_output(name: str, tensor: torch.Tensor, rows: int) -> None:
    if tensor.layout != torch.strided or tensor.is_nested:
        raise CallError(f"output {name} is a sparse or nested tensor, expected a dense one")
    if tensor.dtype == torch.bfloat16 or tensor.is_complex() or tensor.is_quantized:
        raise CallError(f"output {name} is {tensor.dtype}, expected a dtype that numpy and onnxruntime share")
    if tensor.ndim < 1 or len(tensor) != rows:
        raise CallError(
            f"output {name} has shape {list(tensor.shape)} for {rows} rows of examples: its axis 0 must be the batch"
        )


def in_float64(module: nn.Module, arrays: Arrays) -> tuple[nn.Module, Arrays]:
    """A copy of the module and its inputs, with all floats in float64.

    Raises:
        Exception: Whatever a module raises that cannot be copied.
    """
    doubled = {name: array.astype(np.float64) if array.dtype.kind == "f" else array for name, array in arrays.items()}
    return deepcopy(module).double(), doubled


def exact_answer(module: nn.Module, arrays: Arrays, names: list[str]) -> dict[str, NDArray[Any]] | None:
    """What the module answers in float64, and where it answers integers, these; None where it cannot be run so."""
    try:
        return answer(*in_float64(module, arrays), names)
    except Exception:  # a module that has float32 in its code, or cannot be copied
        return None


@dataclass(frozen=True)
class Call:
    """One call of a submodule."""

    path: str
    """As torch names it; empty for the module itself."""
    module: nn.Module
    outputs: list[torch.Tensor]
    """Copies of all tensors that it gave."""


def record_calls(module: nn.Module, arrays: Arrays, disturb: int | None = None) -> list[Call]:
    """Call the module once, and record what every submodule gave, in the order in which the calls ended.

    Children stand before their parents, the module itself is last.

    Args:
        module: Anything; inside of a scripted one there is nothing to see.
        arrays: The inputs, in the order of `forward`.
        disturb: The call with this index gives something else than it would.

    Returns:
        Empty where the module does not allow to be looked at.
    """
    calls: list[Call] = []

    def watch(path: str, child: nn.Module) -> Any:
        def record(_: nn.Module, _given: object, got: object) -> object:
            index = len(calls)
            try:
                tensors = [tensor for tensor in flatten(got) if not tensor.is_nested]  # of which nothing can be seen
                calls.append(Call(path, child, [tensor.detach().clone() for tensor in tensors]))
            except CallError:  # a submodule may return what it likes
                calls.append(Call(path, child, []))
            return _disturbed(got) if index == disturb else None

        return record

    paths = [(path, child) for path, child in module.named_modules() if not isinstance(child, torch.jit.ScriptModule)]
    handles = [child.register_forward_hook(watch(path, child)) for path, child in paths]
    try:
        call(module, arrays)
    except CallError:
        return []
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _disturbed(answer: object) -> object:
    """Something of the same structure, with other floats."""
    if isinstance(answer, torch.Tensor):
        return answer * 1.25 + 0.25 if answer.is_floating_point() else answer
    if isinstance(answer, dict):
        return type(answer)((name, _disturbed(value)) for name, value in answer.items())
    if isinstance(answer, tuple) and hasattr(answer, "_fields"):  # a named tuple
        return type(answer)(*[_disturbed(value) for value in answer])  # type: ignore[arg-type]
    if isinstance(answer, list | tuple):
        return [_disturbed(value) for value in answer] if isinstance(answer, list) else tuple(map(_disturbed, answer))
    return answer


def first_difference(
    one: list[Call], other: list[Call], rtol: float, rows: tuple[int, int] | None = None
) -> str | None:
    """The first submodule of which two records differ, described; None where none does.

    Args:
        one: Of `record_calls`.
        other: The same.
        rtol: Of the size of the output.
        rows: Only these are compared, of `one` and of `other`, where axis 0 of an output is the batch.
    """
    for left, right in zip(one, other, strict=False):
        for a, b in zip(left.outputs, right.outputs, strict=False):
            if not a.is_floating_point() or a.shape[1:] != b.shape[1:] or a.ndim == 0:
                continue
            if rows is not None and (len(a) <= rows[0] or len(b) <= rows[1]):
                continue
            exact, found = (a, b) if rows is None else (a[rows[0]], b[rows[1]])
            if (exact.double() - found.double()).abs().max() > rtol * exact.double().square().mean().sqrt():
                return describe(left.path, left.module)
    return None


def raising_submodule(module: nn.Module, arrays: Arrays) -> str | None:
    """The innermost submodule that raises, described; None where the module does not raise."""
    entered: list[tuple[str, nn.Module]] = []
    paths = [(path, child) for path, child in module.named_modules() if not isinstance(child, torch.jit.ScriptModule)]
    handles = []
    for pair in paths:
        handles.append(pair[1].register_forward_pre_hook(lambda *_, pair=pair: entered.append(pair)))
        handles.append(pair[1].register_forward_hook(lambda *_: entered.pop() and None))
    try:
        call(module, arrays)
    except CallError:
        return describe(*entered[-1]) if entered else None
    finally:
        for handle in handles:
            handle.remove()
    return None
