"""Networks that nobody trained but that answer with conviction: one of full size and its export, and a small one."""

import json
from pathlib import Path

import onnx
import pytest
import torch

from calling import call
from exporting import SAMPLES, Exported, make_network, make_network_subject
from mnistsum_export.cli import command
from mnistsum_export.network.probes import make_probes
from mnistsum_export.proof.examples import Arrays
from mnistsum_export.proof.prove import convert
from mnistsum_export.proof.subject import Subject
from mnistsum_runtime.operations import PRODUCT, SUM
from mnistsum_train.checkpoint import Checkpoint
from mnistsum_train.data import load_mnist
from mnistsum_train.network import TwoInputNetwork

torch.set_num_threads(1)  # as in small_training


@pytest.fixture(scope="session")
def network() -> TwoInputNetwork:
    return make_network(SUM, small=False)


@pytest.fixture(scope="session")
def small_network() -> TwoInputNetwork:
    return make_network(SUM, small=True)


@pytest.fixture(scope="session")
def checkpoint_file(network: TwoInputNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "checkpoint.safetensors"
    Checkpoint(network, {"accuracy": {"digit": 0.125}}).save(path)
    return path


@pytest.fixture(scope="session")
def small_checkpoint_file(small_network: TwoInputNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "checkpoint.safetensors"
    Checkpoint(small_network).save(path)
    return path


@pytest.fixture(scope="session")
def product_checkpoint_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("product") / "checkpoint.safetensors"
    Checkpoint(make_network(PRODUCT, small=True)).save(path)
    return path


@pytest.fixture(scope="session")
def probes() -> Arrays:
    return make_probes(load_mnist(train=False).first(SAMPLES).images[:, 0].numpy())


@pytest.fixture(scope="session")
def subject(small_network: TwoInputNetwork, probes: Arrays) -> Subject:
    """The small network with what torch answers."""
    return make_network_subject(small_network, probes)


@pytest.fixture(scope="session")
def converted(subject: Subject) -> onnx.ModelProto:
    """The small network's graph at opset 17; copy it before changing it."""
    return convert(subject, 17).model


@pytest.fixture(scope="session")
def exported(checkpoint_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    called = call(command, "--checkpoint", checkpoint_file, "--output", path, "--samples", SAMPLES, "--json")
    assert called.code == 0, called.err
    return Exported(path, path.read_bytes(), json.loads(called.out))
