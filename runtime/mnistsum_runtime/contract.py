"""What trainer, exporter and runtime agree on about a model file: names, shapes and metadata keys.

| | name | type | meaning |
| --- | --- | --- | --- |
| input | `image` | float32 [batch, 1, 28, 28] | ink intensity 0..1, light digit on dark ground |
| input | `number` | float32 [batch, 10] | the second operand, one-hot |
| output | `digit` | float32 [batch, 10] | logits; class i is the digit i |
| output | name of the operation | float32 [batch, len(classes)] | logits; class i is the value `classes[i]` |
"""

IMAGE = "image"
NUMBER = "number"
DIGIT = "digit"
BATCH = "batch"

IMAGE_SIZE = 28
"""Height and width of the network's picture, in pixels."""
NUMBERS = 10
"""How many values the digit and the number have: 0..9."""

INPUT_DESCRIPTION = (
    "image: float32 0..1, light ink on a dark ground, as MNIST: 20x20 box, centre of mass in the middle of 28x28; "
    "mean/std normalisation is inside the graph. number: one-hot float32."
)
"""Value of `META_INPUT`: what a caller without mnistsum must feed the file."""

# Keys of the file's `metadata_props`; every value is text.
META_OPERATION = "mnistsum.operation"
"""Name of the operation, `sum` or `product`."""
META_CLASSES = "mnistsum.classes"
"""JSON list: the value of each class of the second output."""
META_INPUT = "mnistsum.input"
"""Range and preparation of the inputs, in words."""
META_OPSET = "mnistsum.opset"
"""The opset that was asked for, equal to the file's own."""
META_CHECKPOINT = "mnistsum.checkpoint_sha256"
"""SHA-256 over the checkpoint's tensors in name order, as hex."""
META_VERSIONS = "mnistsum.versions"
"""JSON object: the tools that made the file."""
META_ACCURACY = "mnistsum.accuracy"
"""JSON object: accuracy on the MNIST test set x all ten numbers, as fractions."""
META_PARITY = "mnistsum.parity"
"""JSON object: the parity receipt."""
META_PRECISION = "mnistsum.precision"
"""`fp32` or `int8`; a file without the key is fp32."""

# The three of a calibrated file (`reliability.Calibration`), each a number as text. Of a file without them, such as
# those from before there was a calibration, every answer is called unreliable.
META_DIGIT_TEMPERATURE = "mnistsum.digit_temperature"
"""The digit's logits are to be divided by it before softmax."""
META_VALUE_TEMPERATURE = "mnistsum.value_temperature"
"""The second output's logits are to be divided by it before softmax."""
META_LEAST_CONFIDENCE = "mnistsum.least_confidence"
"""An answer with a lower calibrated confidence, of either output, is not reliable."""
CALIBRATION_METADATA = (META_DIGIT_TEMPERATURE, META_VALUE_TEMPERATURE, META_LEAST_CONFIDENCE)
"""The keys of a calibration, in the order of `Calibration`'s fields."""

FP32 = "fp32"
INT8 = "int8"

REQUIRED_METADATA = (
    META_OPERATION,
    META_CLASSES,
    META_INPUT,
    META_OPSET,
    META_CHECKPOINT,
    META_VERSIONS,
    META_ACCURACY,
    META_PARITY,
)
"""A file that lacks one of these is not a mnistsum model."""
