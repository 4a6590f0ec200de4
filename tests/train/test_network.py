"""The network takes and answers what the contract says."""

import pytest
import torch
from torch.nn import functional as F

from mnistsum_runtime.operations import OPERATIONS, PRODUCT, SUM, Operation
from mnistsum_train.data import Part
from mnistsum_train.network import MEAN, STD, PooledConvolution, TwoInputNetwork


@pytest.fixture(scope="module")
def network() -> TwoInputNetwork:
    torch.manual_seed(0)
    return TwoInputNetwork(SUM).eval()


@pytest.mark.parametrize(("operation", "classes"), [(SUM, 19), (PRODUCT, 37)], ids=OPERATIONS)
@torch.no_grad()
def test_two_inputs_give_digit_and_value_logits(operation: Operation, classes: int) -> None:
    digit, value = TwoInputNetwork(operation).eval()(torch.rand(3, 1, 28, 28), torch.eye(10)[:3])
    assert digit.shape == (3, 10)
    assert value.shape == (3, classes)
    assert digit.dtype == value.dtype == torch.float32


@torch.no_grad()
def test_forward_is_the_heads_on_the_features(network: TwoInputNetwork) -> None:
    images, numbers = torch.rand(4, 1, 28, 28), torch.eye(10)[:4]
    expected = network.heads(network.features(images), numbers)
    for found, wanted in zip(network(images, numbers), expected, strict=True):
        assert torch.equal(found, wanted)


def test_normalisation_constants_are_those_of_the_training_pictures(training_pictures: Part) -> None:
    pixels = training_pictures.images.float() / 255
    assert float(pixels.mean()) == pytest.approx(MEAN, abs=5e-5)
    assert float(pixels.std()) == pytest.approx(STD, abs=5e-5)


@torch.no_grad()
def test_normalisation_is_inside(network: TwoInputNetwork) -> None:
    """The first convolution sees mean 0 and deviation 1 when the network is given plain 0..1 pictures."""
    seen: list[torch.Tensor] = []
    hook = network.first_block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    images = torch.rand(2, 1, 28, 28)
    network(images, torch.eye(10)[:2])
    hook.remove()
    assert torch.allclose(seen[0], (images - 0.1307) / 0.3081)


@torch.no_grad()
def test_both_outputs_depend_on_both_inputs(network: TwoInputNetwork) -> None:
    images, numbers = torch.rand(1, 1, 28, 28), F.one_hot(torch.tensor([3]), 10).float()
    before = network(images, numbers)
    for changed in (network(1 - images, numbers), network(images, numbers.roll(1, 1))):
        for one, other in zip(before, changed, strict=True):
            assert not torch.allclose(one, other)


@torch.no_grad()
def test_answer_does_not_depend_on_what_else_is_in_the_batch(network: TwoInputNetwork) -> None:
    images, numbers = torch.rand(5, 1, 28, 28), torch.eye(10)[:5]
    for one, other in zip(network(images, numbers), network(images[2:3], numbers[2:3]), strict=True):
        assert torch.allclose(one[2:3], other, atol=1e-6)


@torch.no_grad()
def test_maximum_before_the_normalisation_is_the_same_function_as_after_it() -> None:
    """With the same mean and variance, what is trained is what is exported."""
    torch.manual_seed(0)
    block = PooledConvolution(3, 8, 5).train()
    block.normalisation.bias.normal_()
    block.normalisation.momentum = 1.0  # the batch's own mean and variance are kept
    maps = torch.rand(50, 3, 13, 13)
    trained = block(maps)
    variance = block.normalisation.running_var
    assert variance is not None
    variance *= 1 - trained.shape[1] / trained.numel()  # kept unbiased, used biased
    assert torch.allclose(block.eval()(maps), trained, atol=1e-5)
    assert not block.normalisation.weight.requires_grad


def test_parameter_count_is_what_is_trained(network: TwoInputNetwork) -> None:
    weights = {name: tensor for name, tensor in network.state_dict().items() if "running" not in name}
    trained = [tensor for name, tensor in weights.items() if "num_batches" not in name]
    assert network.parameter_count() == sum(tensor.numel() for tensor in trained)
