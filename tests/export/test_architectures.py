"""Every architecture that can be trained can be exported: the graph answers as torch does, as int8 too."""

from collections import Counter

import numpy as np
import onnxruntime
import pytest
import torch

import mnistsum_export.network.quantise
from exporting import make_network_subject, measure, with_conviction
from mnistsum_export.network.quantise import quantise
from mnistsum_export.proof.examples import Arrays
from mnistsum_export.proof.prove import convert
from mnistsum_export.proof.structure import check_structure
from mnistsum_runtime.contract import DIGIT, IMAGE, NUMBER
from mnistsum_runtime.operations import PRODUCT, SUM, Operation
from mnistsum_train.data import load_mnist
from mnistsum_train.network import Ensemble, TwoInputNetwork
from mnistsum_train.presets import NANO
from mnistsum_train.recipe import Architecture

MEAN = Architecture((4, 6, 8), mean=True, dense=16, gate=3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operation", "architecture", "opset"),
    [(SUM, MEAN, 17), (PRODUCT, MEAN, 20), (SUM, NANO.recipe.architecture, 17)],
    ids=["mean", "mean, product, opset 20", "nano"],
)
def test_graph_answers_as_torch_does(
    operation: Operation, architecture: Architecture, opset: int, probes: Arrays
) -> None:
    network = with_conviction(TwoInputNetwork(operation, architecture))
    subject = make_network_subject(network, probes)
    assert measure(subject, convert(subject, opset).model)


def small_ensemble() -> Ensemble:
    flattened = Architecture((4, 6, 8), dense=16, gate=3)
    return Ensemble([with_conviction(TwoInputNetwork(SUM, flattened), seed) for seed in range(2)])


def test_graph_of_several_networks_answers_as_torch_does(probes: Arrays) -> None:
    subject = make_network_subject(small_ensemble().eval(), probes)
    assert measure(subject, convert(subject, 17).model)


def test_mean_over_the_last_maps_is_quantised_too(monkeypatch: pytest.MonkeyPatch, probes: Arrays) -> None:
    monkeypatch.setattr(mnistsum_export.network.quantise, "CALIBRATION_PICTURES", 100)
    network = with_conviction(TwoInputNetwork(SUM, MEAN))
    digits = load_mnist(train=True).first(200)
    subject = make_network_subject(network, probes)
    model = quantise(convert(subject, 17).model, digits)
    check_structure(model, subject.signature, 17)
    kinds = Counter(node.op_type for node in model.graph.node)
    assert kinds["GlobalAveragePool"] == 1
    assert kinds["Conv"] == 7
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    images = digits.images[100:].float() / 255
    numbers = torch.eye(10).repeat(10, 1)
    (found,) = session.run([DIGIT], {IMAGE: images.numpy(), NUMBER: numbers.numpy()})
    with torch.inference_mode():
        expected = network(images, numbers)[0].numpy()
    assert np.abs(found - expected).mean() < 0.1 * expected.std()


def test_heads_of_all_networks_stay_float(monkeypatch: pytest.MonkeyPatch, probes: Arrays) -> None:
    monkeypatch.setattr(mnistsum_export.network.quantise, "CALIBRATION_PICTURES", 100)
    subject = make_network_subject(small_ensemble().eval(), probes)
    model = quantise(convert(subject, 17).model, load_mnist(train=True).first(100))
    check_structure(model, subject.signature, 17)
    made_float = {name for node in model.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    gemms = [node for node in model.graph.node if node.op_type == "Gemm"]
    assert len(gemms) == 2 * 5
    assert sum(gemm.input[1] in made_float for gemm in gemms) == 2 * 2, "the dense layers' and the gates' first"
