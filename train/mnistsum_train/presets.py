"""The sizes: each is a recipe with a name and a purpose. What was tried, and what it gave, is in train/README.md."""

from dataclasses import dataclass

from mnistsum_train.recipe import Architecture, Recipe


@dataclass(frozen=True)
class Preset:
    """A size that `mnistsum-train --preset` makes."""

    name: str
    """On the command line."""
    purpose: str
    """What it is for, in a few words."""
    recipe: Recipe
    """With the architecture; the seed and the operation are the caller's."""


NANO = Preset(
    "nano",
    "fewest bytes",
    Recipe(
        architecture=Architecture(
            widths=(8, 12, 16),
            mean=True,  # flattened maps would double the dense layer's weights
            dense=32,
            dropout=0.0,  # so few weights have nothing to spare
            gate=4,
        ),
    ),
)
BASE = Preset("base", "the shipped default", Recipe())
"""The defaults of `Recipe` and `Architecture`, where each has its reason."""
LARGE = Preset(
    "large",
    "highest accuracy",
    Recipe(architecture=Architecture(widths=(64, 128, 256), mean=True, dense=256)),
)
FAST = Preset(
    "fast",
    "trained in seconds",
    Recipe(
        epochs=2,
        label_smoothing=0.1,
        augmentation=0.0,
        averaging=0.99,
        architecture=Architecture(widths=(16, 32, 64), dropout=0.0),
    ),
)
PRESETS = {preset.name: preset for preset in (NANO, BASE, LARGE, FAST)}
