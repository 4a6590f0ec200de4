"""A checkpoint comes back as it was written, or is refused in one line; the hash names its tensors and nothing else."""

import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from mnistsum_runtime.errors import ModelError, WorkError
from mnistsum_runtime.operations import OPERATIONS, PRODUCT, SUM, Operation
from mnistsum_train.checkpoint import METADATA_KEY, Checkpoint, read_safetensors, write_safetensors
from mnistsum_train.network import TwoInputNetwork
from mnistsum_train.recipe import Architecture
from mnistsum_train.tensors import tensor_hash

FACTS = {"accuracy": {"digit": 0.5}, "recipe": {"seed": 3}}


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint(TwoInputNetwork(SUM).eval(), FACTS)


@pytest.fixture
def file(checkpoint: Checkpoint, tmp_path: Path) -> Path:
    checkpoint.save(tmp_path / "checkpoint.safetensors")
    return tmp_path / "checkpoint.safetensors"


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_checkpoint_comes_back_as_it_was_written(operation: Operation, tmp_path: Path) -> None:
    network = TwoInputNetwork(operation)
    Checkpoint(network, FACTS).save(tmp_path / "c.safetensors")
    again = Checkpoint.load(tmp_path / "c.safetensors")
    assert again.network.operation is operation
    assert again.facts == FACTS
    assert not again.network.training
    assert tensor_hash(again.network.state_dict()) == tensor_hash(network.state_dict())
    assert list(again.network.state_dict()) == list(network.state_dict())


@pytest.mark.parametrize(
    "architecture", [Architecture((4, 6, 8), dense=16), Architecture((4, 6, 8), mean=True, gate=3)], ids=str
)
def test_network_of_another_architecture_comes_back_too(architecture: Architecture, tmp_path: Path) -> None:
    network = TwoInputNetwork(PRODUCT, architecture)
    Checkpoint(network).save(tmp_path / "c.safetensors")
    again = Checkpoint.load(tmp_path / "c.safetensors").network
    assert again.architecture == architecture
    assert again.parameter_count() == network.parameter_count()


def test_two_saves_are_equal_byte_for_byte(checkpoint: Checkpoint, file: Path, tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == file.read_bytes()


def test_channels_last_weights_are_saved_as_plain_ones(checkpoint: Checkpoint, file: Path, tmp_path: Path) -> None:
    network = Checkpoint.load(file).network
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    Checkpoint(network, FACTS).save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == file.read_bytes()


def refused(path: Path, reason: str) -> None:
    with pytest.raises(ModelError, match=reason) as caught:
        Checkpoint.load(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "none.safetensors", "no checkpoint at")


def test_folder_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, "not a mnistsum checkpoint")


@pytest.mark.parametrize("content", [b"", b"text", b"\xff" * 4096], ids=["empty", "text", "noise"])
def test_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.safetensors").write_bytes(content)
    refused(tmp_path / "c.safetensors", "not a mnistsum checkpoint")


@pytest.mark.parametrize("position", [0, 3, 8, 200, 0.3, 0.7, -1], ids=str)
def test_any_flipped_byte_is_noticed(file: Path, position: float) -> None:
    content = bytearray(file.read_bytes())
    content[int(position * len(content)) if isinstance(position, float) else position] ^= 0x10
    file.write_bytes(content)
    refused(file, "checkpoint")


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_truncated_file_is_refused(file: Path, share: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    refused(file, "not a mnistsum checkpoint")


def test_pickle_is_refused_and_never_run(checkpoint: Checkpoint, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
            return Path.touch, (tmp_path / "sprung",)  # type: ignore[return-value]

    torch.save({"state": checkpoint.network.state_dict(), "trap": Trap()}, tmp_path / "c.safetensors")
    refused(tmp_path / "c.safetensors", "pickled checkpoints are never loaded")
    assert not (tmp_path / "sprung").exists()


def rewritten(file: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> Path:
    """The file with other tensors, and a hash that fits them."""
    tensors, description = read_safetensors(file)
    del description["tensors_sha256"]
    change(tensors)
    write_safetensors(file, tensors, description)
    return file


def test_missing_tensor_is_refused(file: Path) -> None:
    refused(rewritten(file, lambda tensors: tensors.__delitem__("digit_head.bias")), "digit_head.bias")


def test_additional_tensor_is_refused(file: Path) -> None:
    refused(rewritten(file, lambda tensors: tensors.update(another=torch.zeros(1))), "another")


def test_tensor_of_another_shape_is_refused(file: Path) -> None:
    refused(rewritten(file, lambda tensors: tensors.update({"digit_head.bias": torch.zeros(11)})), "digit_head.bias")


def test_safetensors_file_of_something_else_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    save_file(checkpoint.network.state_dict(), path)
    refused(path, "not a mnistsum checkpoint")


@pytest.mark.parametrize(
    "change",
    [
        {"operation": "quotient"},
        {"architecture": {"widths": []}},
        {"architecture": {"widths": 3}},
        {"architecture": {"widths": [24, 48, 96], "dense": "many"}},
        {"architecture": {"widths": [24, 48, 96], "depth": 3}},
        {"architecture": {"widths": [24, 48, 96], "mean": False}},
        {"format": 2},
        {"facts": 1},
    ],
    ids=str,
)
def test_description_that_makes_no_sense_is_refused(file: Path, change: dict[str, object]) -> None:
    tensors, description = read_safetensors(file)
    write_safetensors(file, tensors, description | change)
    refused(file, "not a mnistsum checkpoint")


@pytest.mark.parametrize(
    "calibration",
    [
        [1.0, 1.0, 0.5],
        "warm",
        {},
        {"digit_temperature": 0.0, "value_temperature": 1.0, "least_confidence": 0.5},
        {"digit_temperature": 1.0, "value_temperature": "1", "least_confidence": 0.5},
        {"digit_temperature": 1.0, "value_temperature": True, "least_confidence": 0.5},
        {"digit_temperature": 1.0, "value_temperature": 1.0, "least_confidence": 7},
        {"digit_temperature": 1e-320, "value_temperature": 1.0, "least_confidence": 0.5},
    ],
    ids=str,
)
def test_a_calibration_that_is_none_is_refused(file: Path, calibration: object) -> None:
    rewrite(file, lambda entry: entry["facts"].update(calibration=calibration))
    assert refusal(file)


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.update(members=1_000_000_000),
        lambda entry: entry.update(members=True),
        lambda entry: entry["architecture"].update(widths=[20000, 20000, 20000]),
        lambda entry: entry["architecture"].update(widths=[4096, 4096, 4096]),
        lambda entry: entry["architecture"].update(widths=[-1, 48, 96]),
        lambda entry: entry["architecture"].update(widths=[32, 48]),
        lambda entry: entry["architecture"].update(dense=10**30),
        lambda entry: entry["architecture"].update(gate=32.0),
        lambda entry: entry["architecture"].update(dropout=2),
        lambda entry: entry["architecture"].update(mean="no"),
    ],
)
def test_no_network_is_made_that_the_file_does_not_have(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    rewrite(file, change)
    tracemalloc.start()
    assert refusal(file)
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("value", [float("nan"), float("inf")], ids=str)
def test_a_weight_that_is_no_number_is_refused(file: Path, value: float) -> None:
    def damage(tensors: dict[str, torch.Tensor]) -> None:
        tensors["digit_head.bias"][3] = value

    refused(rewritten(file, damage), "digit_head.bias")


def test_facts_that_are_too_deep_to_be_written_again_are_refused(file: Path) -> None:
    deep: list[object] = []
    for _ in range(400):
        deep = [deep]
    rewrite(file, lambda entry: entry["facts"].update(accuracy=deep))
    assert "nested" in refusal(file)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a": NaN}', '{"format": 1, "a": 1e999}', "[]", '"text"'])
def test_a_description_that_is_no_plain_json_is_refused(file: Path, text: str) -> None:
    tensors, _ = read_safetensors(file)
    save_file(tensors, file, {METADATA_KEY: text})
    assert refusal(file)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "c.safetensors"
    os.mkfifo(pipe)
    assert "not a file" in refusal(pipe)


def rewrite(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the description of a checkpoint in place."""
    tensors, description = read_safetensors(file)
    change(description)
    save_file(tensors, file, {METADATA_KEY: json.dumps(description)})


def refusal(file: Path) -> str:
    with pytest.raises(ModelError) as caught:
        Checkpoint.load(file)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_description_is_one_json_entry(file: Path) -> None:
    with safe_open(file, framework="pt") as opened:
        metadata = opened.metadata()
    assert list(metadata) == [METADATA_KEY]
    assert json.loads(metadata[METADATA_KEY])["operation"] == "sum"


def test_checkpoint_below_a_file_cannot_be_written(checkpoint: Checkpoint, file: Path) -> None:
    with pytest.raises(WorkError, match=r"cannot write .*below"):
        checkpoint.save(file / "below")


TENSORS = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor([7, 8])}


def test_hash_does_not_depend_on_the_order_of_the_tensors() -> None:
    assert tensor_hash(TENSORS) == tensor_hash(dict(reversed(TENSORS.items())))


def test_hash_does_not_depend_on_the_memory_layout() -> None:
    assert tensor_hash(TENSORS | {"a": TENSORS["a"].T.contiguous().T}) == tensor_hash(TENSORS)


@pytest.mark.parametrize(
    "other",
    [
        TENSORS | {"a": TENSORS["a"] + torch.tensor([[0.0, 0, 0], [0, 0, 1e-6]])},
        {"c": TENSORS["a"], "b": TENSORS["b"]},
        {"a": TENSORS["a"], "c": TENSORS["b"]},
        TENSORS | {"a": TENSORS["a"].view(3, 2)},
        TENSORS | {"a": TENSORS["a"].view(torch.int32)},
        {"a": TENSORS["a"]},
    ],
    ids=["value", "name", "last name", "shape", "dtype", "fewer"],
)
def test_hash_depends_on_all_that_makes_the_network(other: dict[str, torch.Tensor]) -> None:
    assert tensor_hash(other) != tensor_hash(TENSORS)
