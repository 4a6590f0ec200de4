"""Small architectures for pictures, signals and volumes, each around one kind of layer."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from exporting import with_conviction
from mnistsum_export.proof.examples import Arrays
from mnistsum_runtime.operations import SUM
from mnistsum_train.network import TwoInputNetwork
from mnistsum_train.recipe import Architecture as Sizes
from zoo.specimen import Architecture, Forward, Specimen, maps

ROWS = 24


def _pictures(random: np.random.Generator, *layers: nn.Module, side: int = 12) -> Specimen:
    """Layers one after another, on pictures of three channels; the output is maps."""
    return Specimen(nn.Sequential(*layers), {"image": maps(random, ROWS, 3, side, side)}, ("maps",))


def _classifier(random: np.random.Generator, *layers: nn.Module, features: int = 8) -> Specimen:
    """The same, with the mean over the maps and a head behind them."""
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, 5))
    module = nn.Sequential(*layers, *head)
    return Specimen(
        module, {"image": maps(random, ROWS, 3, 12, 12)}, ("logits",), ("logits",), head=str(len(module) - 1)
    )


def perceptron(random: np.random.Generator) -> Specimen:
    module = nn.Sequential(nn.Linear(20, 32), nn.GELU(), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 7))
    return Specimen(module, {"features": maps(random, ROWS, 20)}, ("logits",), ("logits",), head="4")


def batch_normalisation(random: np.random.Generator) -> Specimen:
    block = (nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8, eps=1e-3), nn.ReLU())
    return _classifier(random, *block, nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU())


def batch_normalisation_first(random: np.random.Generator) -> Specimen:
    """Where it cannot be folded into the convolution before it."""
    return _classifier(random, nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 8, 3), nn.ReLU(), nn.BatchNorm2d(8))


def group_normalisation(random: np.random.Generator) -> Specimen:
    return _classifier(random, nn.Conv2d(3, 8, 3), nn.GroupNorm(4, 8), nn.SiLU(), nn.Conv2d(8, 8, 3), nn.SiLU())


def instance_normalisation(random: np.random.Generator) -> Specimen:
    norms = (nn.InstanceNorm2d(6, affine=True), nn.InstanceNorm2d(6, affine=True, track_running_stats=True))
    return _pictures(random, nn.Conv2d(3, 6, 3), norms[0], nn.ReLU(), nn.Conv2d(6, 6, 3), norms[1])


def layer_normalisation(random: np.random.Generator) -> Specimen:
    return _pictures(random, nn.Conv2d(3, 6, 3), nn.LayerNorm([6, 10, 10]), nn.GELU(), nn.Conv2d(6, 4, 1))


def rms_normalisation(random: np.random.Generator) -> Specimen:
    """`nn.RMSNorm`."""
    module = nn.Sequential(nn.Linear(10, 16), nn.RMSNorm(16, eps=1e-5), nn.SiLU(), nn.Linear(16, 4))
    return Specimen(module, {"features": maps(random, ROWS, 6, 10)}, ("out",), head="3")


class RootMeanSquare(nn.Module):
    """The same, as language models have it in their own code."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, features: Tensor) -> Tensor:
        return self.weight * features * torch.rsqrt(features.pow(2).mean(-1, keepdim=True) + 1e-5)


def rms_normalisation_by_hand(random: np.random.Generator) -> Specimen:
    module = nn.Sequential(nn.Linear(10, 16), RootMeanSquare(16), nn.SiLU(), nn.Linear(16, 4))
    return Specimen(module, {"features": maps(random, ROWS, 6, 10)}, ("out",), head="3")


def local_response_normalisation(random: np.random.Generator) -> Specimen:
    return _pictures(random, nn.Conv2d(3, 8, 3), nn.LocalResponseNorm(3, 0.1), nn.Conv2d(8, 4, 1))


def convolution_1d(random: np.random.Generator) -> Specimen:
    module = nn.Sequential(
        nn.Conv1d(2, 8, 5, stride=2),
        nn.BatchNorm1d(8),
        nn.LeakyReLU(0.1),
        nn.AvgPool1d(2),
        nn.Flatten(),
        nn.Linear(56, 4),
    )
    return Specimen(module, {"signal": maps(random, ROWS, 2, 32)}, ("logits",), ("logits",), head="5")


def convolution_3d(random: np.random.Generator) -> Specimen:
    module = nn.Sequential(
        nn.Conv3d(1, 4, 3), nn.BatchNorm3d(4), nn.ReLU(), nn.MaxPool3d(2), nn.Flatten(), nn.Linear(108, 4)
    )
    return Specimen(module, {"volume": maps(random, ROWS, 1, 8, 8, 8)}, ("logits",), ("logits",), head="5")


def transposed_convolution(random: np.random.Generator) -> Specimen:
    up = (nn.ConvTranspose2d(6, 4, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(4, 2, 3, 2, 1, output_padding=1))
    module = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU(), *up)
    return Specimen(module, {"image": maps(random, ROWS, 3, 12, 12)}, ("maps",), head="4")


def dilated_and_grouped(random: np.random.Generator) -> Specimen:
    padded = nn.Conv2d(8, 8, 3, padding=1, groups=2, padding_mode="reflect")
    return _pictures(random, nn.Conv2d(3, 8, 3, padding=2, dilation=2), nn.ReLU(), padded)


def depthwise_separable(random: np.random.Generator) -> Specimen:
    first = (nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 3, groups=6), nn.BatchNorm2d(6), nn.ReLU6())
    return _classifier(random, *first, nn.Conv2d(6, 8, 1), nn.BatchNorm2d(8), nn.Hardswish())


def pooling(random: np.random.Generator) -> Specimen:
    """Maximum with a ceiling, mean without the padding, and adaptive."""
    pools = (
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.AvgPool2d(3, 1, 1, count_include_pad=False),
        nn.AdaptiveAvgPool2d(3),
    )
    return _pictures(random, nn.Conv2d(3, 6, 3), *pools)


def spreading_pool(random: np.random.Generator) -> Specimen:
    """Adaptive pooling of one place to many, as in a small picture's alexnet, which tracing does not know."""
    return _pictures(random, nn.Conv2d(3, 8, 12), nn.AdaptiveAvgPool2d(4), nn.Conv2d(8, 3, 3))


class Activations(nn.Module):
    """One of each kind, side by side."""

    def __init__(self) -> None:
        super().__init__()
        kinds = (nn.PReLU(4), nn.ELU(), nn.Mish(), nn.Softplus(), nn.CELU(), nn.Softsign(), nn.Hardtanh(-0.4, 0.6))
        self.kinds = nn.ModuleList(nn.Sequential(nn.Linear(5, 4), kind) for kind in kinds)
        self.head = nn.Linear(4 * len(kinds), 3)

    def forward(self, features: Tensor) -> Tensor:
        hidden = torch.cat([kind(features) for kind in self.kinds], 1)
        return F.log_softmax(self.head(hidden), 1)


def activations(random: np.random.Generator) -> Specimen:
    examples = {"features": maps(random, ROWS, 5)}
    return Specimen(Activations(), examples, ("log_chances",), ("log_chances",), head="head")


def weight_normalisation(random: np.random.Generator) -> Specimen:
    """Weights that are computed from others."""
    module = nn.Sequential(weight_norm(nn.Linear(6, 12)), nn.Tanh(), weight_norm(nn.Linear(12, 3)))
    return Specimen(module, {"features": maps(random, ROWS, 6)}, ("out",))


def bilinear_upsampling(random: np.random.Generator) -> Specimen:
    down = nn.Conv2d(3, 4, 3, 2, 1)
    return _pictures(random, down, nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(4, 3, 3, padding=1))


class Resized(nn.Module):
    """Two sizes that are given, one with corners aligned, and a bicubic one."""

    def forward(self, image: Tensor) -> Tensor:
        aligned = F.interpolate(image, size=(17, 15), mode="bilinear", align_corners=True)
        nearest = F.interpolate(image, size=(17, 15), mode="nearest")
        cubic = F.interpolate(image, size=(17, 15), mode="bicubic", align_corners=False)
        return torch.cat([aligned, nearest, cubic], 1)


def resizing(random: np.random.Generator) -> Specimen:
    return _pictures(random, nn.Conv2d(3, 2, 3), Resized(), nn.Conv2d(6, 2, 1))


def nearest_upsampling(random: np.random.Generator) -> Specimen:
    return _pictures(random, nn.Conv2d(3, 4, 3, 2, 1), nn.Upsample(scale_factor=3), nn.Conv2d(4, 3, 3, padding=1))


def super_resolution(random: np.random.Generator) -> Specimen:
    """`nn.PixelShuffle`, and back by `nn.PixelUnshuffle`."""
    shuffle = (nn.PixelShuffle(2), nn.Conv2d(3, 3, 3, padding=1), nn.PixelUnshuffle(2))
    return _pictures(random, nn.Conv2d(3, 12, 3, padding=1), nn.ReLU(), *shuffle)


class Residual(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, image: Tensor) -> Tensor:
        return F.relu(image + self.block(image))


def residual(random: np.random.Generator) -> Specimen:
    return _classifier(random, nn.Conv2d(3, 8, 3), Residual(8), Residual(8))


class Excitation(nn.Module):
    """Channels are weighted by what all of the picture says."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.Linear(channels, 4), nn.ReLU(), nn.Linear(4, channels), nn.Sigmoid())

    def forward(self, image: Tensor) -> Forward:
        return image * self.gate(image.mean((2, 3)))[:, :, None, None]


def squeeze_and_excitation(random: np.random.Generator) -> Specimen:
    return _classifier(random, nn.Conv2d(3, 8, 3), nn.ReLU(), Excitation(8))


class UNet(nn.Module):
    """Two levels down and up again, joined across."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = (
            nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU())
            for before, after in ((3, 6), (6, 8), (14, 6))
        )
        self.head = nn.Conv2d(6, 4, 1)

    def forward(self, image: Tensor) -> Forward:
        fine = self.first(image)
        coarse = self.second(F.max_pool2d(fine, 2))
        raised = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
        return self.head(self.third(torch.cat([fine, raised], 1)))


def u_net(random: np.random.Generator) -> Specimen:
    return Specimen(UNet(), {"image": maps(random, ROWS, 3, 16, 16)}, ("classes",), ("classes",), head="head")


def u_net_of_any_size(random: np.random.Generator) -> Specimen:
    free = {"image": {2: "height", 3: "width"}}
    return Specimen(UNet(), {"image": maps(random, ROWS, 3, 16, 24)}, ("classes",), ("classes",), free, head="head")


def autoencoder(random: np.random.Generator) -> Specimen:
    down = (nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 4))
    module = nn.Sequential(*down, nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 64), nn.Unflatten(1, (8, 8)))
    return Specimen(module, {"image": maps(random, ROWS, 8, 8)}, ("restored",), head="6")


class SpatialTransformer(nn.Module):
    """The picture is turned and moved as a small network says, by `affine_grid` and `grid_sample`."""

    def __init__(self) -> None:
        super().__init__()
        self.where = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 6))

    def forward(self, image: Tensor) -> Tensor:
        theta = torch.tanh(self.where(image)).view(-1, 2, 3)
        grid = F.affine_grid(theta, [image.shape[0], 3, 8, 8], align_corners=False)
        return F.grid_sample(image, grid, align_corners=False)


def spatial_transformer(random: np.random.Generator) -> Specimen:
    return Specimen(SpatialTransformer(), {"image": maps(random, ROWS, 3, 8, 8)}, ("turned",))


class Patches(nn.Module):
    """Pieces of the picture by `unfold`, each through one layer, and together again by `fold`."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(12, 12)

    def forward(self, image: Tensor) -> Tensor:
        pieces = F.unfold(image, 2, stride=2).transpose(1, 2)
        return F.fold(self.layer(pieces).transpose(1, 2), (8, 8), 2, stride=2)


def patches(random: np.random.Generator) -> Specimen:
    return Specimen(Patches(), {"image": maps(random, ROWS, 3, 8, 8)}, ("out",))


def two_input_network(random: np.random.Generator) -> Specimen:
    """This project's own."""
    network = TwoInputNetwork(SUM, Sizes((4, 6, 8), dense=16, gate=3))
    with_conviction(network, int(random.integers(2**31)))
    image = np.clip(maps(random, 60, 1, 28, 28) / 4 + 0.3, 0, 1)
    examples: Arrays = {"image": image, "number": np.eye(10, dtype=np.float32)[np.arange(60) % 10]}
    return Specimen(network, examples, ("digit", "sum"), ("digit", "sum"))


LEAST_OPSET = {patches: 18}
"""ONNX has `Col2Im` from there on."""

ARCHITECTURES = tuple(
    Architecture(build, "layers", small=True, least_opset=LEAST_OPSET.get(build, 17))
    for build in (
        perceptron,
        batch_normalisation,
        batch_normalisation_first,
        group_normalisation,
        instance_normalisation,
        layer_normalisation,
        rms_normalisation,
        rms_normalisation_by_hand,
        local_response_normalisation,
        weight_normalisation,
        convolution_1d,
        convolution_3d,
        transposed_convolution,
        dilated_and_grouped,
        depthwise_separable,
        pooling,
        spreading_pool,
        activations,
        bilinear_upsampling,
        nearest_upsampling,
        resizing,
        super_resolution,
        residual,
        squeeze_and_excitation,
        u_net,
        u_net_of_any_size,
        autoencoder,
        spatial_transformer,
        patches,
        two_input_network,
    )
)
