"""What decides the weights of a network: its architecture and how it is trained. Plain values, without torch."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

LARGEST = 4096
"""Channels of a block, or units of a layer."""


@dataclass(frozen=True)
class Architecture:
    """The shape of a network. The defaults are those of the preset `base`; train/README.md has what was tried."""

    widths: tuple[int, int, int] = (32, 48, 96)
    """Channels of the three blocks; onnxruntime computes 16 at a time, so that 24 take as long as 32."""
    mean: bool = False
    """More and narrower convolutions and the mean over the last maps, instead of the last maps flattened: for fewest
    weights, since flattened maps would bring most of them into the dense layer."""
    dense: int = 128
    """Units of the dense layer in front of the heads."""
    dropout: float = 0.25
    """Share of the features left out in a training step; the heads then contradict each other on half as many pairs."""
    gate: int = 32
    """Hidden units of the gate, which judges whether the picture is a digit at all."""

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Architecture":
        """Read back what `dataclasses.asdict` made, also after JSON has turned the tuple into a list.

        Raises:
            TypeError: A field is unknown or no such value.
            ValueError: A size is none, or larger than any network that is made here.
        """
        found = cls(**values | {"widths": tuple(values["widths"])})
        sizes = [*found.widths, found.dense, found.gate]
        if len(found.widths) != 3 or not all(type(size) is int and 1 <= size <= LARGEST for size in sizes):
            raise ValueError(f"its sizes are {sizes}, expected three widths, dense and gate of 1 to {LARGEST}")
        if type(found.mean) is not bool or type(found.dropout) not in (int, float) or not 0 <= found.dropout < 1:
            raise ValueError(f"mean is {found.mean!r}, dropout {found.dropout!r}")
        return found


@dataclass(frozen=True)
class Recipe:
    """A training. The defaults are those of the preset `base`, chosen on the validation part: see train/README.md."""

    operation: str = "sum"
    """Name of the second output's operation."""
    epochs: int = 20
    """Passes over the training part."""
    batch_size: int = 128
    """Pictures a step; 256 needs more epochs for the same accuracy."""
    learning_rate: float = 0.01
    """Peak of the one-cycle schedule."""
    seed: int = 0
    """Seed of the first weights, the order of the pictures, the augmentation and the numbers."""
    numbers_per_image: int = 4
    """Numbers drawn for a picture in a step. The convolutions do not see them, so more cost almost nothing."""
    weight_decay: float = 0.05
    """AdamW's 0.01 lets the network learn the training part by heart: 0.07 to 0.1 points worse in validation."""
    warm_up: float = 0.25
    """Share of the steps in which the learning rate rises."""
    label_smoothing: float = 0.0
    """Share of the target that is spread over all classes, in both losses: Szegedy et al., 2015, section 7."""
    averaging: float = 0.998
    """Decay a step of the exponential moving average of the weights: the last epoch's 430 steps, roughly."""
    augmentation: float = 1.0
    """Strength at the beginning, 0..1; it falls as `augmentation.strength_at` says. 0 leaves it out, and the drawn
    strokes (`handwriting`) too."""
    architecture: Architecture = field(default_factory=Architecture)
    """The shape of the network that is trained."""
    teacher: "Recipe | None" = None
    """Trained first, for the same operation and with the same seed; the network then learns from its answers, not from
    the labels."""

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON values, equal to what is read back from a file."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values


MOST_DIFFERENCES = 4
"""More are counted only: another preset differs in almost everything."""


def tell_differences(before: object, now: dict[str, Any]) -> str:
    """What changes from one description of a training to another, for people: `epochs 24 -> 3, seed 0 -> 1`."""
    old, new = _flat(before), _flat(now)
    names = [name for name in new | old if old.get(name) != new.get(name)]
    told = [f"{name} {old.get(name)} -> {new.get(name)}" for name in names[:MOST_DIFFERENCES]]
    more = [f"{len(names) - MOST_DIFFERENCES} more"] if len(names) > MOST_DIFFERENCES else []
    return ", ".join(told + more)


def _flat(values: object, before: str = "") -> dict[str, object]:
    """Every value by its name in words; those of a teacher say so, and what is no description has none."""
    found: dict[str, object] = {}
    for name, value in values.items() if isinstance(values, dict) else ():
        if isinstance(value, dict):
            found |= _flat(value, f"{before}teacher's " if name == "teacher" else before)
        else:
            found[before + name.replace("_", " ")] = value
    return found
