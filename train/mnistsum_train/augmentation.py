"""Augmentation of a whole batch at once: geometry in one resampling, then stroke thickness and coarse pixels."""

import math

import torch
from torch.nn import functional as F

from mnistsum_train.handwriting import choose_stretch, coarsen

ROTATION = math.radians(17)
"""Handwriting leans; much further, a 4 starts to become another digit."""
SCALE = 0.15
"""MNIST fits the longer side into 20 pixels, but what counts as ink at the rim moves that by a few pixels."""
SHEAR = 0.2
"""Slant, as a tangent: about 11 degrees either way."""
SHIFT = 3.0
"""Pixels. The centre of mass moves when a stroke is smudged or cut; 3 is better than 2 on the validation part."""
ELASTIC = 0.4
"""Pixels, standard deviation on a 5x5 grid of control points: the wobble of a hand (after Simard et al., 2003).
1.0 costs 0.2 points of validation accuracy."""
THICKNESS = 0.4
"""Share of the way to a stroke one pixel thicker on both sides, or half of it towards one thinner: pens differ."""
FULL_UNTIL = 0.5
FINAL_STRENGTH = 0.8
"""Full range for the first half of the training, then straight down to four fifths of it: plain pictures are crisper
than resampled ones, and batch normalisation should end near them. At 0.5 more is learnt by heart, at 1 validation falls
by 0.1 points."""


def strength_at(progress: float) -> float:
    """Strength of the augmentation when a share `progress` (0..1) of all steps is done."""
    decay = max(0.0, progress - FULL_UNTIL) / (1 - FULL_UNTIL)
    return 1 - (1 - FINAL_STRENGTH) * decay


def augment(images: torch.Tensor, generator: torch.Generator, strength: float = 1.0) -> torch.Tensor:
    """Vary each picture on its own: width, rotation, scale, shear, shift, elastic wobble, stroke thickness, pixels.

    Args:
        images: float [batch, 1, 28, 28], 0..1, on any device.
        generator: CPU generator; every random number comes from it.
        strength: 0 leaves the pictures as they are, 1 is the full range.

    Returns:
        The same shape, range and device.
    """
    stretch = choose_stretch(images, generator, strength).cpu()
    grid = _sampling_grid(images.shape[-1], stretch, generator, strength).to(images.device)
    moved = F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    amount = _uniform((len(images), 1, 1, 1), THICKNESS * strength, generator).to(images.device)
    return coarsen(change_thickness(moved, amount), generator, strength)


def change_thickness(images: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
    """Blend towards the grey-scale dilation (amount > 0) or erosion (amount < 0) by a 3x3 square.

    Args:
        images: float [batch, 1, height, width].
        amount: float [batch, 1, 1, 1], -1..1; erosion counts half, since a whole one would break MNIST's thin strokes.
    """
    dilated = F.max_pool2d(images, 3, stride=1, padding=1)
    eroded = -F.max_pool2d(-images, 3, stride=1, padding=1)
    thicker, thinner = amount.clamp(min=0), -amount.clamp(max=0) / 2
    return images + thicker * (dilated - images) + thinner * (eroded - images)


def _uniform(shape: tuple[int, ...], limit: float, generator: torch.Generator) -> torch.Tensor:
    return (torch.rand(shape, generator=generator) * 2 - 1) * limit


def _sampling_grid(size: int, stretch: torch.Tensor, generator: torch.Generator, strength: float) -> torch.Tensor:
    """Where each output pixel looks: float [batch, size, size, 2] in `grid_sample`'s -1..1 coordinates."""
    batch = len(stretch)
    angle = _uniform((batch,), ROTATION * strength, generator)
    zoom = torch.exp(_uniform((batch,), SCALE * strength, generator))
    shear = _uniform((batch,), SHEAR * strength, generator)
    shift = _uniform((batch, 2), SHIFT * 2 / size * strength, generator)
    cosine, sine = torch.cos(angle), torch.sin(angle)
    matrix = torch.stack(
        [
            torch.stack([cosine, cosine * shear - sine, shift[:, 0]], dim=1),
            torch.stack([sine, sine * shear + cosine, shift[:, 1]], dim=1),
        ],
        dim=1,
    )
    matrix[:, :, :2] /= zoom[:, None, None]
    matrix[:, 0] /= stretch[:, None]
    grid = F.affine_grid(matrix, [batch, 1, size, size], align_corners=False)
    wobble = torch.randn((batch, 2, 5, 5), generator=generator) * (ELASTIC * 2 / size * strength)
    return grid + F.interpolate(wobble, size=(size, size), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
