"""The sizes: each is a recipe with a name and a purpose. What was tried, and what it gave, is in train/README.md."""

from dataclasses import dataclass

from mnistsum_train.recipe import Architecture, Recipe


@dataclass(frozen=True)
class Preset:
    """A size that `mnistsum-train --preset` makes."""

    name: str
    """Name on the command line."""
    purpose: str
    """What it is for, in a few words."""
    recipe: Recipe
    """How it is trained, and its architecture; the seed and the operation are the caller's."""
    members: int = 1
    """Networks that are trained so, each from its own seed, and answer together."""


NANO = Preset(
    "nano",
    "fewest bytes",
    Recipe(
        epochs=60,  # a network of this size never learns the training part by heart
        learning_rate=0.02,  # with the two below the least cross-entropy after 8 epochs: 0.053; 0.06 to 0.07 without
        augmentation=0.3,  # the full strength is too much for so few weights
        weight_decay=0.01,  # there is little to hold back
        architecture=Architecture(
            widths=(8, 12, 16),
            mean=True,  # flattened maps would take three times the weights of the dense layer
            dense=30,  # with the gate's, 9,898 parameters for the sum; the product has 37 values, and 10,456
            dropout=0.0,  # so few features have none to spare
            gate=3,  # with four they would be 10,036
        ),
        teacher=Recipe(),  # base as it is shipped; after 12 epochs it teaches as well (99.38 against 99.39 %)
    ),
)
BASE = Preset("base", "the shipped default", Recipe())
"""The defaults of `Recipe` and `Architecture`, where each has its reason."""
LARGE = Preset(
    "large",
    "highest accuracy",
    Recipe(),
    members=2,  # five are hardly better (train/README.md); one network of that size errs as base does
)
FAST = Preset(
    "fast",
    "trained in seconds",
    Recipe(
        epochs=2,  # 99.29 % on the validation part; a schedule of one ends at 99.06 %
        label_smoothing=0.1,  # the largest gain in so few steps: 0.25 points after one epoch
        augmentation=0.0,  # costs a third of the time, and pays in longer trainings only
        averaging=0.99,  # over 100 steps: the first weights are forgotten in time
        architecture=Architecture(
            widths=(16, 32, 64),  # half the time of base's, and accurate enough
            dropout=0.0,  # 0.06 points better after one epoch
        ),
    ),
)
PRESETS = {preset.name: preset for preset in (NANO, BASE, LARGE, FAST)}
