"""All architectures of the zoo."""

from zoo import layers, sequence, structures, vision

ARCHITECTURES = (
    *vision.ARCHITECTURES,
    *layers.ARCHITECTURES,
    *sequence.ARCHITECTURES,
    *structures.ARCHITECTURES,
)
