"""Architectures of torchvision, without their trained weights, on pictures as small as they take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn

from mnistsum_train.torchvision_import import import_torchvision
from zoo.specimen import Architecture, Specimen, maps

import_torchvision()

from torchvision import models  # noqa: E402

FAMILY = "torchvision"
ROWS = 12
SMALL = {
    "resnet18",
    "squeezenet1_1",
    "googlenet",
    "shufflenet_v2_x0_5",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mnasnet0_5",
    "efficientnet_b0",
    "regnet_y_400mf",
    "lraspp_mobilenet_v3_large",
}
"""Deep, but proven in five seconds each, so that false alarms are looked for among these, too."""


def _classifier(name: str, head: str, side: int = 64, rows: int = ROWS, **options: Any) -> Architecture:
    """A network for one picture, whose last layer is at `head`."""

    def build(random: np.random.Generator) -> Specimen:
        module: nn.Module = getattr(models, name)(weights=None, **options)
        return Specimen(module, {"image": maps(random, rows, 3, side, side)}, ("logits",), ("logits",), head=head)

    build.__name__ = name
    return Architecture(build, FAMILY, small=name in SMALL)


def _segmenter(name: str, head: str, outputs: tuple[str, ...], **options: Any) -> Architecture:
    """A network that gives a dict of maps."""

    def build(random: np.random.Generator) -> Specimen:
        network: Callable[..., nn.Module] = getattr(models.segmentation, name)
        module = network(weights=None, weights_backbone=None, num_classes=5, **options)
        return Specimen(module, {"image": maps(random, ROWS, 3, 64, 64)}, outputs, ("out",), head=head)

    build.__name__ = name
    return Architecture(build, FAMILY, small=name in SMALL)


def r3d_18(random: np.random.Generator) -> Specimen:
    module = models.video.r3d_18(weights=None, num_classes=20)
    return Specimen(module, {"clip": maps(random, 6, 3, 8, 32, 32)}, ("logits",), ("logits",), head="fc")


ARCHITECTURES = (
    # These two pool to 6x6 and 7x7, which tracing writes only for pictures that come to it.
    _classifier("alexnet", "classifier.6", 224, 3),
    _classifier("vgg11_bn", "classifier.6", 224, 3),
    _classifier("resnet18", "fc"),
    _classifier("resnext50_32x4d", "fc", 32),
    _classifier("squeezenet1_1", "classifier.1"),
    _classifier("densenet121", "classifier"),
    _classifier("googlenet", "fc", aux_logits=False, init_weights=True),
    _classifier("inception_v3", "fc", 96, aux_logits=False, init_weights=True),
    _classifier("shufflenet_v2_x0_5", "fc"),
    _classifier("mobilenet_v2", "classifier.1"),
    _classifier("mobilenet_v3_small", "classifier.3"),
    _classifier("mnasnet0_5", "classifier.1"),
    _classifier("efficientnet_b0", "classifier.1"),
    _classifier("regnet_y_400mf", "fc"),
    _classifier("convnext_tiny", "classifier.2", rows=6),
    _classifier("vit_b_16", "heads.head", rows=6, image_size=64),
    _classifier("swin_t", "head", rows=6),
    _segmenter("lraspp_mobilenet_v3_large", "classifier.high_classifier", ("out",)),
    _segmenter("deeplabv3_mobilenet_v3_large", "classifier.4", ("out", "aux"), aux_loss=True),
    Architecture(r3d_18, FAMILY, small=False),
)
