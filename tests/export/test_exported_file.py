"""What is in an exported file: the contract's metadata, a receipt that holds, and nothing of the machine."""

import getpass
import hashlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch

from calling import call
from exporting import SAMPLES, Exported, make_network_subject, measure
from mnistsum_export.cli import command
from mnistsum_export.proof.examples import Arrays
from mnistsum_runtime import __version__, contract
from mnistsum_runtime.operations import PRODUCT
from mnistsum_train.network import TwoInputNetwork
from mnistsum_train.tensors import tensor_hash


def test_default_opset_is_17_with_ir_version_8(exported: Exported) -> None:
    assert [(entry.domain, entry.version) for entry in exported.model.opset_import] == [("", 17)]
    assert exported.model.ir_version == 8


def test_one_file_holds_the_model_and_only_references_lie_beside_it(exported: Exported) -> None:
    assert {file.name for file in exported.path.parent.iterdir()} == {"model.onnx", "model.references.npz"}


def test_metadata_has_every_key_of_the_contract_and_no_other(exported: Exported) -> None:
    assert set(exported.metadata) == set(contract.REQUIRED_METADATA)


def test_metadata_says_what_the_file_is(exported: Exported, network: TwoInputNetwork) -> None:
    metadata = exported.metadata
    assert metadata[contract.META_OPERATION] == "sum"
    assert json.loads(metadata[contract.META_CLASSES]) == list(range(19))
    assert metadata[contract.META_INPUT] == contract.INPUT_DESCRIPTION
    assert metadata[contract.META_OPSET] == "17"
    assert metadata[contract.META_CHECKPOINT] == tensor_hash(network.state_dict())
    assert json.loads(metadata[contract.META_ACCURACY]) == {"digit": 0.125}
    versions = json.loads(metadata[contract.META_VERSIONS])
    assert versions["mnistsum"] == __version__
    assert versions["torch"] == torch.__version__.partition("+")[0] or versions["torch"] == torch.__version__
    assert versions["onnx"] == onnx.__version__


def test_receipt_is_what_the_final_bytes_give(exported: Exported, network: TwoInputNetwork, probes: Arrays) -> None:
    again = measure(make_network_subject(network, probes), exported.content)
    assert exported.metadata[contract.META_PARITY] == again.to_json()
    assert again


def test_json_record_describes_the_file(exported: Exported) -> None:
    expected = {
        "output": str(exported.path),
        "operation": "sum",
        "opset": 17,
        "ir_version": 8,
        "bytes": len(exported.content),
        "sha256": hashlib.sha256(exported.content).hexdigest(),
        "checkpoint_sha256": exported.metadata[contract.META_CHECKPOINT],
        "parity": json.loads(exported.metadata[contract.META_PARITY]),
    }
    assert {key: exported.record[key] for key in expected} == expected
    assert exported.record["parity"]["rows"] == 10 * (SAMPLES + 32)
    assert exported.record["parity"]["passed"] is True


def test_nothing_of_the_machine_is_in_the_bytes(exported: Exported, checkpoint_file: Path) -> None:
    places = {
        str(Path.home()),
        str(Path.cwd()),
        sys.prefix,
        str(Path(torch.__file__).parent),
        str(exported.path.parent),
    }
    for place in (*places, str(checkpoint_file.parent), "site-packages", ".py", "Traceback"):
        assert place.encode() not in exported.content, place
    text = exported.model
    for tensor in text.graph.initializer:
        tensor.ClearField("raw_data")  # among random bytes any short name may occur
    words = text.SerializeToString().lower()
    for name in (socket.gethostname(), getpass.getuser()):
        assert name.lower().encode() not in words, name
    assert str(exported.path.stat().st_mtime_ns)[:6].encode() not in words


@pytest.mark.slow
def test_another_process_elsewhere_exports_the_same_bytes(
    exported: Exported, checkpoint_file: Path, tmp_path: Path
) -> None:
    surroundings = {"HOME": str(tmp_path), "USER": "someone", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "5"}
    arguments = ["--checkpoint", str(checkpoint_file), "--samples", str(SAMPLES)]
    done = subprocess.run(
        [sys.executable, "-c", "from mnistsum_export.cli import main; main()", *arguments],
        cwd=tmp_path,
        env=os.environ | surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "parity passed: 420 rows" in done.stdout
    assert "\nmnistsum.onnx: sum, " in done.stdout
    assert (tmp_path / "mnistsum.onnx").read_bytes() == exported.content


@pytest.mark.slow
@pytest.mark.parametrize("opset", [13, 23])
def test_oldest_and_newest_opset_are_proven_too(opset: int, small_checkpoint_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    options = ("--checkpoint", small_checkpoint_file, "--output", path, "--samples", 1)
    called = call(command, *options, "--opset", opset)
    assert called.code == 0, called.err
    model = onnx.load(path)
    assert [entry.version for entry in model.opset_import] == [opset]
    assert {entry.key: entry.value for entry in model.metadata_props}[contract.META_OPSET] == str(opset)


@pytest.mark.slow
def test_product_checkpoint_gives_an_output_of_37_products(product_checkpoint_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "product.onnx"
    called = call(command, "--checkpoint", product_checkpoint_file, "--output", path, "--samples", 1, "--json")
    assert called.code == 0, called.err
    record = json.loads(called.out)
    assert record["operation"] == "product"
    assert set(record["parity"]["outputs"]) == {"digit", "product"}
    model = onnx.load(path)
    assert [value.name for value in model.graph.output] == ["digit", "product"]
    assert model.graph.output[1].type.tensor_type.shape.dim[1].dim_value == 37
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata[contract.META_CLASSES]) == list(PRODUCT.classes)
    assert metadata[contract.META_OPERATION] == "product"
